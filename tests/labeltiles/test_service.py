"""Tiles of a project in a store: edits show in the next tile, whoever made them; memory is bounded."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from pyproj import Transformer

from geolabel.classes import make_classes
from geolabel.errors import Cancelled
from geolabel.labeltiles import service
from geolabel.labeltiles.matrix import matrix_set
from geolabel.labeltiles.service import LabelTiles
from geolabel.model import AnnotationPatch, NewAnnotation, Project
from geolabel.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WEB = matrix_set("WebMercatorQuad")
# The middle of a tile of zoom 14, which holds the whole project.
X, Y = 733_885.0, 3_724_932.0
SIDE = 40
MANY = SIDE * SIDE


def label(n: int, class_name: str = "water", size: float = 15.0) -> NewAnnotation:
    x, y = X + 20 * (n % SIDE), Y + 20 * (n // SIDE)
    return NewAnnotation(geometry=shapely.box(x, y, x + size, y + size), class_name=class_name)


def place(z: int, x: float = X + 400, y: float = Y + 400) -> tuple[int, int, int]:
    """The tile of a point of the project."""
    half = 20_037_508.342789244
    east, north = Transformer.from_crs("EPSG:32616", "EPSG:3857", always_xy=True).transform(x, y)
    return z, int((east + half) / (2 * half) * 2**z), int((half - north) / (2 * half) * 2**z)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiles")
    with open_store(folder, create=True) as store:
        store.create_project(Project("landuse", "Land use", "EPSG:32616", make_classes(["water", "forest"])))
        store.create("landuse", [label(n) for n in range(MANY)])
    return folder


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "workspace.gpkg").write_bytes((template / "workspace.gpkg").read_bytes())
    with open_store(tmp_path) as store:
        yield store


@pytest.fixture
def serve() -> Iterator[Callable[..., LabelTiles]]:
    started: list[LabelTiles] = []

    def start(store: Store, memory: int = 64 * 2**20) -> LabelTiles:
        started.append(LabelTiles(store, memory))
        return started[-1]

    yield start
    for tiles in started:
        tiles.close()


def draw(tiles: LabelTiles, z: int = 14, project: str = "landuse", **at: float) -> bytes:
    return tiles.tile(project, tiles.state(project), WEB, place(z, **at))


def settle(tiles: LabelTiles) -> None:
    """Wait until the labels that were asked for are in memory."""
    for held in tiles._held.values():
        held.layer.result(60)


def features(tile: bytes) -> dict[int, dict[str, Any]]:
    return {f["id"]: f for f in mapbox_vector_tile.decode(tile)["labels"]["features"]} if tile else {}


def test_the_same_bytes_from_memory_and_from_the_store(store: Store, serve: Callable[..., LabelTiles]) -> None:
    """The first tiles are drawn before all labels are in memory; a restarted server and one without memory agree."""
    tiles = serve(store)
    for z in (0, 9, 13, 15, 16, 18, 20, 24):
        first = draw(tiles, z)
        settle(tiles)
        assert draw(tiles, z) == first == draw(serve(store, 0), z), z
        assert z < 13 or first
    assert len(features(draw(tiles))) == MANY


def test_edits_show_in_the_next_tile(store: Store, serve: Callable[..., LabelTiles]) -> None:
    tiles = serve(store)
    draw(tiles)
    settle(tiles)
    before = tiles.state("landuse")
    store.update("landuse", 5, AnnotationPatch(class_name="forest"))
    assert tiles.state("landuse") != before
    assert features(draw(tiles))[5]["properties"] == {"class": "forest", "id": 5, "status": "labelled"}
    store.delete("landuse", 6)
    (made,) = store.create("landuse", [label(MANY + 3)])
    assert {5, made.id} <= set(features(draw(tiles)))
    assert 6 not in features(draw(tiles))
    moved = label(SIDE * SIDE // 2 + SIDE // 2, size=100.0)
    store.update("landuse", 7, AnnotationPatch(geometry=moved.geometry))
    store.replace("landuse", 6, label(5, "forest"))
    assert draw(tiles) == draw(serve(store, 0))
    assert features(draw(tiles))[6]["properties"]["class"] == "forest"


def test_edits_of_another_process_show_in_the_next_tile(store: Store, serve: Callable[..., LabelTiles]) -> None:
    tiles = serve(store)
    draw(tiles)
    settle(tiles)
    script = """
    import sys, shapely
    from geolabel.model import AnnotationPatch
    from geolabel.store import open_store
    with open_store(sys.argv[1]) as store:
        store.update("landuse", 9, AnnotationPatch(class_name="forest"))
        store.delete("landuse", 10)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(store.folder)], check=True)
    found = features(draw(tiles))
    assert found[9]["properties"]["class"] == "forest"
    assert 10 not in found
    assert len(found) == MANY - 1


def test_more_changes_than_are_laid_over_are_read_anew(
    store: Store, serve: Callable[..., LabelTiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = serve(store)
    draw(tiles)
    settle(tiles)
    (held,) = tiles._held.values()
    monkeypatch.setattr(service, "_MOST_CHANGES", 20)
    store.create("landuse", [label(MANY + n) for n in range(21)])
    assert len(features(draw(tiles))) == MANY + 21
    assert held not in tiles._held.values()
    project = store.project("landuse")
    store.delete_project("landuse")
    store.create_project(project)
    store.create("landuse", [label(3)])
    assert list(features(draw(tiles))) == [1]


def test_a_project_larger_than_the_memory(
    store: Store, serve: Callable[..., LabelTiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles of few labels show all of them, those of many the largest that there is room for."""
    big = list(range(1, 41))
    for number in big:
        store.update("landuse", number, AnnotationPatch(geometry=label(number - 1, size=19.0).geometry))
    whole = serve(store)
    monkeypatch.setattr(service, "_FEW", 500)
    small = serve(store, 60_000)
    draw(small)
    settle(small)
    (held,) = small._held.values()
    layer, complete = held.layer.result()
    assert not complete
    assert layer.nbytes < 120_000
    assert draw(small, 17) == draw(whole, 17)  # 250 labels or so, read from the store
    some = features(draw(small, 13))
    assert len(some) < MANY / 2
    assert set(big) <= set(some)
    store.update("landuse", 1600, AnnotationPatch(class_name="forest"))
    assert features(draw(small, 13))[1600]["properties"]["class"] == "forest"


def test_projects_that_nobody_looks_at_leave_the_memory(store: Store, serve: Callable[..., LabelTiles]) -> None:
    store.create_project(Project("other", "Other", "EPSG:32616", make_classes(["water"])))
    store.create("other", [label(n) for n in range(MANY)])
    tiles = serve(store)
    draw(tiles)
    settle(tiles)
    used = sum(held.nbytes for held in tiles._held.values())
    tight = serve(store, int(used * 1.5))
    for project in ("landuse", "other", "landuse"):
        draw(tight, project=project)
        settle(tight)
        tight._readers.submit(int).result()
        assert len(tight._held) == 1
        assert sum(held.nbytes for held in tight._held.values()) <= used * 1.5


def test_a_store_that_fails_is_asked_again(
    store: Store, serve: Callable[..., LabelTiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = serve(store)
    monkeypatch.setattr(service, "_FEW", 0)  # so that the tile waits for the memory

    def broken(*_: Any, **__: Any) -> Iterator[Any]:
        raise OSError("The disk is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "tile_batches", broken)
        with pytest.raises(OSError, match="The disk is gone"):
            draw(tiles)
    assert len(features(draw(tiles))) == MANY


def test_a_project_across_the_antimeridian_before_and_after_it_is_in_memory(
    store: Store, serve: Callable[..., LabelTiles]
) -> None:
    store.create_project(Project("fiji", "Fiji", "OGC:CRS84", make_classes(["water"])))
    boxes = [shapely.box(lon, -17, lon + 0.1, -16.9) for lon in np.arange(179.5, 180.5, 0.05)]
    store.create("fiji", [NewAnnotation(geometry=box, class_name="water") for box in boxes])
    tiles = serve(store)
    for column in (0, 1023):
        first = tiles.tile("fiji", tiles.state("fiji"), WEB, (10, column, 561))
        settle(tiles)
        assert tiles.tile("fiji", tiles.state("fiji"), WEB, (10, column, 561)) == first
        assert 3 < len(features(first)) < 15


def test_a_server_that_stops_does_not_wait_for_labels(
    store: Store, serve: Callable[..., LabelTiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = serve(store)
    read, begun, go_on = store.tile_batches, threading.Event(), threading.Event()

    def slow(project: str, *, bbox: Any) -> Iterator[Any]:
        for batch in read(project, bbox=bbox, size=10):
            begun.set()
            go_on.wait(30)
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(store, "tile_batches", slow)
        held = tiles._find("landuse", tiles.state("landuse"), WEB)
        assert begun.wait(30)
        threading.Timer(0.2, go_on.set).start()
        tiles.close()
        with pytest.raises(Cancelled, match="The server stops"):
            held.layer.result(0)
