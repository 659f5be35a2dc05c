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
        assert [shape.wkt for shape in shapes.shapes.to_shapely()] == ["POINT (1 2)"]
        assert (landuse.count("landuse"), landuse.extent("landuse")) == (1, (1, 2, 1, 2))
    assert seen_there == [("After", 2)]
    assert (landuse.project("landuse").title, landuse.count("landuse")) == ("After", 2)


def test_a_moment_ends_also_by_an_error(landuse: Store) -> None:
    with pytest.raises(NotFound, match="There is no project 'nothing'"), landuse.one_moment():
        landuse.project("nothing")
    landuse.create("landuse", [NewAnnotation(Point(5, 5), "water")])
    assert landuse.count("landuse") == 2


def test_who_is_alone_writes_over_what_it_has_read(landuse: Store) -> None:
    """Twelve at once add one to the same number, over and over; none is lost and none has to try again."""

    def add() -> None:
        for _ in range(10):
            with landuse.alone():
                current = landuse.annotation("landuse", 1)
                new = NewAnnotation(current.geometry, "water", note=str(int(current.note or 0) + 1))
                landuse.replace("landuse", 1, new, expected=current.version)
                assert landuse.annotation("landuse", 1).note == new.note

    threads = [threading.Thread(target=add) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = landuse.annotation("landuse", 1)
    assert (last.version, last.note) == (121, "120")
    assert landuse.changes() == 121


def test_what_is_written_alone_is_seen_by_nobody_before_its_end(landuse: Store) -> None:
    counted: list[int] = []
    with landuse.alone():
        landuse.create("landuse", [NewAnnotation(Point(5, 5), "water")])
        elsewhere(lambda: counted.append(landuse.count("landuse")))
        assert landuse.count("landuse") == 2
    assert counted == [1]
    assert landuse.count("landuse") == 2


def test_of_what_is_written_alone_nothing_stays_after_an_error(landuse: Store) -> None:
    def fail() -> None:
        with landuse.alone():
            landuse.create("landuse", [NewAnnotation(Point(5, 5), "water")])
            landuse.delete("landuse", 7)

    with pytest.raises(NotFound, match="no annotation 7"):
        fail()
    assert (landuse.count("landuse"), landuse.changes()) == (1, 1)
    landuse.create("landuse", [NewAnnotation(Point(5, 5), "water")])
    assert landuse.count("landuse") == 2
