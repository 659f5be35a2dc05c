"""Labels that one server kept for the next: the same tiles, later edits included, and never those of another history."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import shapely
from pyproj import Transformer

from geolabel.classes import make_classes
from geolabel.labeltiles import service
from geolabel.labeltiles.matrix import matrix_set
from geolabel.labeltiles.saved import Saved
from geolabel.labeltiles.service import LabelTiles
from geolabel.model import AnnotationPatch, NewAnnotation, Project
from geolabel.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WEB = matrix_set("WebMercatorQuad")
X, Y = 733_885.0, 3_724_932.0
EAST, NORTH = Transformer.from_crs("EPSG:32616", "EPSG:3857", always_xy=True).transform(X, Y)
HALF = 20_037_508.342789244
TILE = (14, int((EAST + HALF) / (2 * HALF) * 2**14), int((HALF - NORTH) / (2 * HALF) * 2**14))
MEMORY = 64 * 2**20


def label(n: int, class_name: str = "water") -> NewAnnotation:
    x, y = X + 20 * (n % 30), Y + 20 * (n // 30)
    return NewAnnotation(geometry=shapely.box(x, y, x + 15, y + 15), class_name=class_name)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_FEW", 100)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "w", create=True) as store:
        store.create_project(Project("landuse", "Land use", "EPSG:32616", make_classes(["water", "forest"])))
        store.create("landuse", [label(n) for n in range(600)])
        yield store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "w" / "cache" / "labels"


@pytest.fixture
def serve(store: Store, folder: Path) -> Iterator[Callable[..., LabelTiles]]:
    started: list[LabelTiles] = []

    def start(memory: int = MEMORY, most: int = MEMORY) -> LabelTiles:
        for tiles in started:
            tiles.close()
        started.append(LabelTiles(store, memory, Saved(folder, most)))
        started[-1].prepare(["landuse", "gone", "landuse.coverage"])
        settle(started[-1])
        return started[-1]

    yield start
    for tiles in started:
        tiles.close()


def settle(tiles: LabelTiles) -> None:
    """Wait until all that was to be prepared is; each project is asked for behind the one before."""
    for _ in range(5):
        tiles._readers.submit(bool).result(60)


def draw(tiles: LabelTiles) -> bytes:
    return tiles.tile("landuse", tiles.state("landuse"), WEB, TILE)


def truth(store: Store) -> bytes:
    return draw(LabelTiles(store, 0))


def reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is asked of the store from now on: boxes of labels that are read."""
    asked: list[object] = []
    before = store.tile_batches

    def noted(project: str, **how: object) -> object:
        asked.append(how["bbox"])
        return before(project, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "tile_batches", noted)
    return asked


def test_the_next_server_reads_no_labels(
    store: Store, folder: Path, serve: Callable[..., LabelTiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = draw(serve())
    assert first == truth(store) != b""
    (file,) = folder.iterdir()
    assert file.suffix == ".npz"
    asked = reads(store, monkeypatch)
    assert draw(serve()) == first
    assert asked == []


def test_edits_made_in_between_show(store: Store, serve: Callable[..., LabelTiles]) -> None:
    serve()
    store.update("landuse", 5, AnnotationPatch(class_name="forest"))
    store.delete("landuse", 6)
    store.create("landuse", [label(700, "forest")])
    again = serve()
    assert draw(again) == truth(store)
    store.delete("landuse", 7)
    assert draw(again) == truth(store)


def test_too_many_edits_in_between_are_read_anew(
    store: Store, serve: Callable[..., LabelTiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve()
    monkeypatch.setattr(service, "_MOST_CHANGES", 10)
    for n in range(1, 13):
        store.update("landuse", n, AnnotationPatch(class_name="forest"))
    asked = reads(store, monkeypatch)
    assert draw(serve()) == truth(store)
    assert asked[0] is None


def test_a_workspace_that_was_restored_goes_on_with_the_same_numbers(
    store: Store, tmp_path: Path, folder: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    store.backup(copy / "workspace.gpkg")
    store.delete("landuse", 3)
    kept = LabelTiles(store, MEMORY, Saved(folder, MEMORY))
    kept.prepare(["landuse"])
    settle(kept)
    kept.close()
    with open_store(copy) as restored:
        restored.delete("landuse", 4)
        restored.delete("landuse", 5)
        tiles = LabelTiles(restored, MEMORY, Saved(folder, MEMORY))
        tiles.prepare(["landuse"])
        settle(tiles)
        assert draw(tiles) == truth(restored) != truth(store)
        tiles.close()


@pytest.mark.parametrize("harm", ["cut", "flipped", "other", "empty"])
def test_a_file_that_is_harmed_is_left_out_with_a_word(
    folder: Path, serve: Callable[..., LabelTiles], harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = draw(serve())
    (file,) = folder.iterdir()
    raw = bytearray(file.read_bytes())
    middle = len(raw) // 2
    raw[middle] ^= 0x40
    file.write_bytes(bytes({"cut": raw[:middle], "flipped": raw, "other": b"not a zip", "empty": b""}[harm]))
    assert draw(serve()) == first
    assert "projected anew" in caplog.text
    assert draw(serve()) == first  # saved again
    assert caplog.text.count("projected anew") == 1


def test_the_folder_is_bounded_and_may_be_missing_or_read_only(
    store: Store, folder: Path, serve: Callable[..., LabelTiles], caplog: pytest.LogCaptureFixture
) -> None:
    serve(most=1000)
    assert not folder.exists() or list(folder.iterdir()) == []
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file in its place")
    assert draw(serve()) == truth(store)
    assert "cannot be kept" in caplog.text


def test_files_unused_for_longest_go_first(store: Store, folder: Path, serve: Callable[..., LabelTiles]) -> None:
    serve()
    (first,) = folder.iterdir()
    size = first.stat().st_size
    store.create_project(Project("other", "Other", "EPSG:32616", make_classes(["water", "forest"])))
    store.create("other", [label(n) for n in range(600)])
    tiles = LabelTiles(store, MEMORY, Saved(folder, size + size // 2))
    left, at_work = folder / ".left.npz.1.part", folder / ".other.npz.2.part"
    left.write_bytes(b"of a server that was killed")
    os.utime(left, (0, 0))
    at_work.write_bytes(b"of another that is writing")
    tiles.prepare(["other"])
    settle(tiles)
    tiles.close()
    assert not left.exists()
    assert at_work.exists()
    (only,) = folder.glob("*.npz")
    assert only != first
