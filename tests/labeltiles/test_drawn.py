"""Tiles that one server drew and the next one shows: always those of the labels as they are."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import shapely

from geolabel.batches import LabelsState
from geolabel.classes import make_classes
from geolabel.labeltiles import pooling, service
from geolabel.labeltiles.drawn import DrawnTiles, Place, look_of
from geolabel.labeltiles.matrix import matrix_set
from geolabel.labeltiles.service import LabelTiles
from geolabel.model import AnnotationPatch, NewAnnotation, Project
from geolabel.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEB = matrix_set("WebMercatorQuad")
COLORS = {"water": "#0000ff", "forest": "#00ff00"}
MEMORY = 64 * 2**20
X, Y, SIDE = 1_000_000.0, 6_000_000.0, 40
STATE = LabelsState(1, "2026-01-01T00:00:00Z", "EPSG:3857", 5)


def label(n: int, class_name: str = "water") -> NewAnnotation:
    x, y = X + 500 * (n % SIDE), Y + 500 * (n // SIDE)
    return NewAnnotation(geometry=shapely.box(x, y, x + 400, y + 400), class_name=class_name)


def tiles_over(z: int) -> list[tuple[int, int, int]]:
    """All tiles of a zoom that the labels lie in."""
    half = 20_037_508.342789244
    side = 2 * half / 2**z
    columns = range(int((X + half) / side), int((X + SIDE * 500 + half) / side) + 1)
    rows = range(int((half - Y - SIDE * 500) / side), int((half - Y) / side) + 1)
    return [(z, column, row) for column in columns for row in rows]


PLACES = [tile for z in (9, 11, 12) for tile in tiles_over(z)]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little counts as much."""
    monkeypatch.setattr(service, "_FEW", 10)
    monkeypatch.setattr(service, "_WORTH", 10)
    monkeypatch.setattr(service, "_CALM_S", 0.05)
    monkeypatch.setattr(pooling, "_CROWD", 100)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "w", create=True) as store:
        store.create_project(Project("landuse", "Land use", "EPSG:3857", make_classes(["water", "forest"])))
        store.create("landuse", [label(n) for n in range(SIDE * SIDE)])
        yield store


def all_of(tiles: LabelTiles) -> list[bytes]:
    """Every tile and every picture."""
    state = tiles.state("landuse")
    found = [tiles.tile("landuse", state, WEB, tile, pooled=True) for tile in PLACES]
    return [*found, *(tiles.picture("landuse", state, WEB, tile, colors=COLORS) for tile in PLACES)]


def truth(store: Store) -> list[bytes]:
    tiles = LabelTiles(store, MEMORY)
    try:
        return all_of(tiles)
    finally:
        tiles.close()


@pytest.fixture
def first(store: Store, tmp_path: Path) -> Iterator[LabelTiles]:
    """A server that has drawn everything."""
    tiles = LabelTiles(store, MEMORY, drawn=DrawnTiles(tmp_path / "drawn"))
    assert all_of(tiles) == truth(store)
    yield tiles
    tiles.close()


def settle(tiles: LabelTiles) -> None:
    for _ in range(3 * len(PLACES)):
        tiles._readers.submit(bool).result(60)


class Deaf:
    """The labels of a store that says what they are, and gives none."""

    def __init__(self, store: Store) -> None:
        self.tile_state = store.tile_state

    def tile_count(self, *_: object, **__: object) -> int:
        return 10**6

    def tile_batches(self, *_: object, **__: object) -> Iterator[object]:
        raise AssertionError("labels were read")


def test_the_next_server_shows_them_without_reading_a_label(store: Store, first: LabelTiles, tmp_path: Path) -> None:
    drawn = all_of(first)
    second = LabelTiles(Deaf(store), MEMORY, drawn=DrawnTiles(tmp_path / "drawn"))  # type: ignore[arg-type]
    assert all_of(second) == drawn
    second.close()


def test_an_edit_leaves_what_it_does_not_touch_and_the_rest_is_drawn_again(
    store: Store, first: LabelTiles, tmp_path: Path
) -> None:
    before = all_of(first)
    store.update("landuse", 1, AnnotationPatch(class_name="forest"))
    store.delete("landuse", 2)
    state = first.state("landuse")
    first.tile("landuse", state, WEB, PLACES[0], pooled=True)  # reads the edits
    kept = DrawnTiles(tmp_path / "drawn")
    after = truth(store)
    places = [*(Place(tile) for tile in PLACES), *(Place(tile, json.dumps([COLORS, []])) for tile in PLACES)]
    same = [place for place, old, new in zip(places, before, after, strict=True) if old == new and old]
    held = {place for place in same if kept.find(state, place) is not None}
    assert len(held) > len(same) // 2
    for place, new in zip(places, after, strict=True):
        assert kept.find(state, place) in {None, new}

    first._draw_again("landuse")
    settle(first)
    assert kept.lost(state) == []
    second = LabelTiles(Deaf(store), MEMORY, drawn=kept)  # type: ignore[arg-type]
    assert all_of(second) == after
    second.close()


def test_edits_that_no_server_saw_are_not_missed(store: Store, first: LabelTiles, tmp_path: Path) -> None:
    first.close()
    store.delete("landuse", 5)
    store.create("landuse", [label(3, "forest")])
    second = LabelTiles(store, MEMORY, drawn=DrawnTiles(tmp_path / "drawn"))
    assert all_of(second) == truth(store)
    second.close()
    third = LabelTiles(Deaf(store), MEMORY, drawn=DrawnTiles(tmp_path / "drawn"))  # type: ignore[arg-type]
    assert all_of(third) == truth(store)
    third.close()


def test_pictures_of_other_colours_are_others(first: LabelTiles) -> None:
    state = first.state("landuse")
    one = first.picture("landuse", state, WEB, PLACES[0], colors=COLORS)
    other = first.picture("landuse", state, WEB, PLACES[0], colors={**COLORS, "water": "#ff0000"})
    assert one != other
    hidden = first.picture("landuse", state, WEB, PLACES[0], colors=COLORS, hidden=["water"])
    assert hidden == b""


def test_a_late_drawing_does_not_take_the_place_of_a_newer_one(tmp_path: Path) -> None:
    kept = DrawnTiles(tmp_path)
    newer = LabelsState(1, STATE.created_at, STATE.crs, 6)
    kept.keep(newer, Place((1, 0, 0)), b"new")
    kept.keep(STATE, Place((1, 0, 0)), b"old")
    assert kept.find(newer, Place((1, 0, 0))) == b"new"
    assert kept.find(STATE, Place((1, 0, 0))) is None
    restored = LabelsState(1, STATE.created_at, STATE.crs, 6, changed_at="later")
    assert kept.find(restored, Place((1, 0, 0))) is None


def test_it_is_bounded_and_survives_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("geolabel.labeltiles.drawn._MOST", 3)
    kept = DrawnTiles(tmp_path)
    for x in range(5):
        kept.keep(STATE, Place((3, x, 0)), b"%d" % x)
    assert [kept.find(STATE, Place((3, x, 0))) for x in range(5)] == [None, None, b"2", b"3", b"4"]
    (folder,) = tmp_path.iterdir()
    assert sorted(file.name for file in folder.iterdir()) == [
        *(f"3-{x}-0-tile" for x in (2, 3, 4)),
        "index.json",
        "lock",
    ]
    (folder / "3-2-0-tile").unlink()
    assert kept.find(STATE, Place((3, 2, 0))) is None
    (folder / "index.json").write_text("{")
    assert kept.find(STATE, Place((3, 3, 0))) is None
    kept.keep(STATE, Place((3, 3, 0)), b"again")
    assert kept.find(STATE, Place((3, 3, 0))) == b"again"
    assert caplog.text == ""

    blocked = tmp_path / "file"
    blocked.write_text("")
    nowhere = DrawnTiles(blocked)
    nowhere.keep(STATE, Place((1, 0, 0)), b"x")
    assert nowhere.find(STATE, Place((1, 0, 0))) is None
    assert "Label tiles cannot be kept in" in caplog.text


def test_what_a_map_shows_first_is_drawn_before_it_is_opened(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_MOST_CHANGES", 5)
    monkeypatch.setattr(service, "_FIRST_VIEW_S", 0.0)
    tiles = LabelTiles(store, MEMORY, drawn=DrawnTiles(tmp_path / "drawn"))
    kept = DrawnTiles(tmp_path / "drawn")
    colors = {c.name: c.color for c in store.project("landuse").classes}
    tiles_at = WEB.over((X, Y, X + SIDE * 500, Y + SIDE * 500), service._FIRST_TILES)
    assert {z for z, _, _ in tiles_at} == set(range(13))
    first = [tile for tile in tiles_at if tile[0] in {10, 11, 12}]

    def is_drawn() -> bool:
        state = tiles.state("landuse")
        places = [*map(Place, first), *(Place(tile, look_of(colors)) for tile in first)]
        return all(kept.find(state, place) is not None for place in places)

    def wait() -> None:
        until = time.monotonic() + 60
        while not is_drawn():
            assert time.monotonic() < until, "the first views were not drawn"
            time.sleep(0.05)

    tiles.prepare(["landuse"])
    wait()
    # An import has brought more than is laid over what is in memory.
    store.create("landuse", [label(n, "forest") for n in range(0, SIDE * SIDE, 2)])
    assert not is_drawn()
    tiles.prepare(["landuse", "nothing of that name"])
    wait()
    tiles.close()
    state = store.tile_state("landuse")
    fresh = LabelTiles(store, MEMORY)
    for tile in first:
        assert kept.find(state, Place(tile)) == fresh.tile("landuse", state, WEB, tile, pooled=True)
        picture = fresh.picture("landuse", state, WEB, tile, colors=colors)
        assert kept.find(state, Place(tile, look_of(colors))) == picture
    fresh.close()
