"""Stores to test: every test that takes `store` runs on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from geolabel.classes import make_classes
from geolabel.model import Band, Grid, Project, Scene
from geolabel.store import Store, open_store
from tests.store.fields import make_fields, make_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from geolabel.model import NewAnnotation


class Clock:
    """Starts at a fixed moment and goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.moment = datetime(2024, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["geopackage", pytest.param("postgis", marks=pytest.mark.postgis)])
def new_workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Path | str]:
    """Gives the location of a workspace that is not there yet, or is empty, in each kind of database."""
    if request.param == "postgis":
        made: Callable[[], Path | str] = request.getfixturevalue("postgis_workspace")
        return made
    numbers = count()
    return lambda: tmp_path / f"workspace-{next(numbers)}"


@pytest.fixture
def make_store(new_workspace: Callable[[], Path | str], clock: Clock) -> Iterator[Callable[[], Store]]:
    """Makes empty stores, each with the project `landuse` (EPSG:32616; water, forest)."""
    stores: list[Store] = []

    def make() -> Store:
        store = open_store(new_workspace(), create=True, now=clock)
        stores.append(store)
        store.add_scene(make_scene("scene-a"))
        store.create_project(
            Project("landuse", "Land use", "EPSG:32616", make_classes(["water", "forest"]), scenes=("scene-a",)),
        )
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(make_store: Callable[[], Store]) -> Store:
    return make_store()


@pytest.fixture
def scene() -> Callable[..., Scene]:
    """Makes scenes."""
    return make_scene


def make_scene(name: str, href: str | None = None, version: str = "1") -> Scene:
    return Scene(
        id=name,
        href=href or f"/imagery/{name}.tif",
        grid=Grid("EPSG:32616", (0.5, 0.0, 733601.0, 0.0, -0.5, 3725139.0), 900, 800),
        bands=(Band(1, "uint16", "Pan", 0.1 + 0.2, "gray"), Band(2, "float32", "Height", float("inf"))),
        version=version,
        datetime="2010-01-01T00:00:00Z",
        bounds=(-84.5, 33.6, -84.4, 33.7),
        resolution=0.5,
        warnings=("No overviews: browsing is slow.",),
    )


@pytest.fixture(scope="module")
def labels(data: Path) -> list[NewAnnotation]:
    """Real outlines, their middles and their edges, with all kinds of values."""
    return make_labels(data)


@pytest.fixture
def filled(make_store: Callable[[], Store], labels: list[NewAnnotation]) -> Store:
    """A store whose project `fields` has them."""
    store = make_store()
    store.create_project(make_fields())
    store.create("fields", labels)
    return store
