"""What a Store remembers of its projects and scenes never outlives a change, whoever made it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from shapely.geometry import Point

from geolabel.errors import NotFound
from geolabel.model import NewAnnotation, Project
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geolabel.model import Scene
    from geolabel.store import Store


def seen(store: Store) -> tuple[object, ...]:
    project = store.project("landuse")
    scenes = [store.scene(scene).href for scene in project.scenes]
    return project.title, scenes, store.extent("landuse"), store.tile_state("landuse").changes


def in_many_threads(work: Callable[[], object], count: int = 6) -> None:
    """At the same time, so that each has a connection of its own."""
    together = threading.Barrier(count)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            together.wait()
            work()
        except BaseException as error:  # noqa: BLE001 (raised below)
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_own_writes_and_those_of_another_are_seen_at_once(store: Store) -> None:
    with open_store(store.location) as other:
        for number, (writer, reader) in enumerate([(store, other), (other, store)] * 3, 1):
            for one in (store, other):
                in_many_threads(lambda one=one: seen(one))  # type: ignore[misc]
            writer.create("landuse", [NewAnnotation(Point(number, number), "water")])
            writer.change_project("landuse", lambda p, n=number: replace(p, title=f"Land {n}"))  # type: ignore[misc]
            writer.replace_scene(replace(writer.scene("scene-a"), href=f"/{number}.tif"))
            expected = (f"Land {number}", [f"/{number}.tif"], (1, 1, number, number), number)
            assert seen(writer) == seen(reader) == expected

            def check(reader: Store = reader, writer: Store = writer, expected: object = expected) -> None:
                assert seen(reader) == seen(writer) == expected

            in_many_threads(check)


def test_what_was_deleted_is_gone_and_what_is_made_again_is_new(store: Store, scene: Callable[..., Scene]) -> None:
    assert store.project("landuse").title == "Land use"
    store.delete_project("landuse")
    with pytest.raises(NotFound):
        store.project("landuse")
    store.create_project(Project("landuse", "Another", "EPSG:3857", ()))
    assert (store.project("landuse").title, store.extent("landuse")) == ("Another", None)
    store.remove_scene("scene-a")
    with pytest.raises(NotFound):
        store.scene("scene-a")
    store.add_scene(scene("scene-a", href="/new.tif"))
    assert store.scene("scene-a").href == "/new.tif"


def test_a_write_that_failed_leaves_nothing_in_memory(store: Store) -> None:
    def fail() -> None:
        with store.alone():
            store.change_project("landuse", lambda project: replace(project, title="Never"))
            assert store.project("landuse").title == "Never"
            store.delete("landuse", 7)

    before = seen(store)
    with pytest.raises(NotFound, match="no annotation 7"):
        fail()
    assert seen(store) == before
    in_many_threads(lambda: seen(store))
    assert seen(store) == before


def test_nothing_is_asked_twice_of_a_geopackage_that_nobody_writes_to(tmp_path: Path) -> None:
    with open_store(tmp_path / "ws", create=True) as store:
        store.create_project(Project("landuse", "Land use", "EPSG:32616", ()))
        statements: list[str] = []
        sa.event.listen(store._engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
        seen(store)
        assert len(set(statements)) > 1
        statements.clear()
        seen(store)
        assert set(statements) <= {"BEGIN"}
        with open_store(store.location) as other:
            other.change_project("landuse", lambda project: replace(project, title="Another"))
        assert store.project("landuse").title == "Another"
        assert len(set(statements)) > 1
