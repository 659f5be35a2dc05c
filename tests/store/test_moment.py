"""Reads that belong together see one state, whatever others write meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from shapely.geometry import Point

from geolabel.errors import NotFound
from geolabel.model import NewAnnotation

if TYPE_CHECKING:
    from collections.abc import Callable

    from geolabel.store import Store


@pytest.fixture
def landuse(store: Store) -> Store:
    store.create("landuse", [NewAnnotation(Point(1, 2), "water")])
    return store


def elsewhere(work: Callable[[], object]) -> None:
    """Do it in another thread, to its end."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_what_others_write_is_not_seen_before_the_moment_is_over(landuse: Store) -> None:
    def write() -> None:
        landuse.create("landuse", [NewAnnotation(Point(5, 5), "water")])
        landuse.change_project("landuse", lambda project: replace(project, title="After"))
        seen_there.append((landuse.project("landuse").title, landuse.count("landuse")))

    seen_there: list[tuple[str, int]] = []
    with landuse.one_moment():
        assert landuse.project("landuse").title == "Land use"
        elsewhere(write)
        with landuse.one_moment():
            assert landuse.project("landuse").title == "Land use"
        rows, shapes = landuse.rows("landuse", ["id", "class"])
        assert [tuple(row[:2]) for row in rows] == [(1, "water")]
        assert [shape.wkt for shape in shapes.to_shapely()] == ["POINT (1 2)"]
        assert (landuse.count("landuse"), landuse.extent("landuse")) == (1, (1, 2, 1, 2))
    assert seen_there == [("After", 2)]
    assert (landuse.project("landuse").title, landuse.count("landuse")) == ("After", 2)


def test_a_moment_ends_also_by_an_error(landuse: Store) -> None:
    with pytest.raises(NotFound, match="There is no project 'nothing'"), landuse.one_moment():
        landuse.project("nothing")
    landuse.create("landuse", [NewAnnotation(Point(5, 5), "water")])
    assert landuse.count("landuse") == 2
