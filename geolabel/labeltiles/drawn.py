"""Tiles of very many labels as they were drawn, kept on the disk: the next server shows them before it has read a label.

A tile is never shown for other labels than those that it was drawn from: what is kept of a project belongs to one state of
its labels, and goes on to the next state when somebody says which boxes the edits in between touched.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # on Windows, where one process serves a workspace
    fcntl = None  # type: ignore[assignment]

from geolabel.batches import LabelsState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

_FORM = 1
"""To be raised when the same labels are drawn differently."""

_MOST = 256
"""Tiles of one project; those that were drawn first go first."""

_UNUSED_S = 30 * 86_400.0
"""What is kept of a project goes when nothing was drawn of it for so long."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What a client asks for.

    Attributes:
        tile: zoom, column from the west, row from the north.
        look: of a picture, as JSON: the colours by the name of the class, and the names of the classes left out. Empty
            for the tile itself.
    """

    tile: tuple[int, int, int]
    look: str = ""

    @property
    def name(self) -> str:
        """A file name of its own."""
        look = hashlib.sha256(self.look.encode()).hexdigest()[:12] if self.look else "tile"
        return "-".join([*map(str, self.tile), look])


def look_of(colors: Mapping[str, str], hidden: Collection[str] = ()) -> str:
    """What a picture shows, for `Place`: the colours by the name of the class, and the names of the classes left out."""
    return json.dumps([dict(colors), sorted(hidden)])


@dataclass(slots=True)
class _Index:
    """What is kept of a project: all of it was drawn from the labels of one state.

    Attributes:
        state: of the labels.
        places: by name, the first drawn first.
        lost: names of those that were touched by an edit since, and are to be drawn again.
    """

    state: LabelsState
    places: dict[str, Place]
    lost: set[str]


class DrawnTiles:
    """A folder with a folder for each project, of one tile matrix set; for many threads and processes. All of it may be deleted at any time.

    What cannot be read or written is left out, with a line in the log: it costs time and nothing else.

    Args:
        folder: made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[tuple[int, int], _Index]] = {}

    def any(self) -> bool:
        """Whether tiles of any project are kept."""
        try:
            return any(self._folder.iterdir())
        except OSError:
            return False

    def find(self, state: LabelsState, place: Place) -> bytes | None:
        """What was drawn from the labels as they are; None when nothing was."""
        at = self._at(state)
        try:
            with self._lock:
                index = self._index(at)
            if index is None or index.state != state or place.name not in index.places or place.name in index.lost:
                return None
            return (at / place.name).read_bytes()
        except OSError:
            return None

    def keep(self, state: LabelsState, place: Place, body: bytes) -> None:
        """Keep what was drawn, unless labels of a later state are drawn already."""
        at = self._at(state)
        try:
            if not at.exists():
                self._clean()
                at.mkdir(parents=True, exist_ok=True)
            with self._alone(at):
                index = self._index(at)
                if index is not None and index.state != state:
                    if index.state.changes > state.changes:
                        return
                    index = None
                if index is None:
                    index = _Index(state, {}, set())
                _write(at / place.name, body)
                index.places.pop(place.name, None)
                index.places[place.name] = place
                index.lost.discard(place.name)
                for name in list(index.places)[:-_MOST]:
                    del index.places[name]
                    index.lost.discard(name)
                    (at / name).unlink(missing_ok=True)
                self._save(at, index)
        except OSError as error:
            _log.warning("Label tiles cannot be kept in %s: %s", self._folder, error)

    def follow(self, before: LabelsState, after: LabelsState, touched: Callable[[Place], bool]) -> None:
        """Go on to the labels after some edits, with all that these did not touch."""
        at = self._at(before)
        try:
            if before == after or not at.exists():
                return
            with self._alone(at):
                index = self._index(at)
                if index is None or index.state != before:
                    return
                lost = {name for name, place in index.places.items() if touched(place)}
                self._save(at, _Index(after, index.places, index.lost | lost))
        except OSError as error:
            _log.warning("Label tiles cannot be kept in %s: %s", self._folder, error)

    def lost(self, state: LabelsState) -> list[Place]:
        """What was drawn once and is not kept any more, as edits touched it."""
        with self._lock:
            index = self._index(self._at(state))
        return [] if index is None or index.state != state else [index.places[name] for name in sorted(index.lost)]

    def _at(self, state: LabelsState) -> Path:
        name = json.dumps([_FORM, state.key, state.created_at, state.crs])
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:32]

    @contextmanager
    def _alone(self, at: Path) -> Iterator[None]:
        """Change what is kept of a project, while no other thread or process does."""
        with self._lock, (at / "lock").open("wb") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _index(self, at: Path) -> _Index | None:
        """What is kept; read again only when it was written since."""
        try:
            stat = (at / "index.json").stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            known = self._read.get(at)
            if known and known[0] == stamp:
                return known[1]
            said = json.loads((at / "index.json").read_bytes())
            state = LabelsState(**{**said["state"], "hidden": tuple(said["state"]["hidden"])})
            places = [Place((z, x, y), look) for z, x, y, look in said["places"]]
            index = _Index(state, {place.name: place for place in places}, set(said["lost"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        self._read[at] = (stamp, index)
        return index

    def _save(self, at: Path, index: _Index) -> None:
        places = [[*place.tile, place.look] for place in index.places.values()]
        said = {"state": asdict(index.state), "places": places, "lost": sorted(index.lost)}
        _write(at / "index.json", json.dumps(said).encode())

    def _clean(self) -> None:
        """Let go of projects that are gone, or that nobody has looked at for long."""
        with suppress(FileNotFoundError):
            for at in self._folder.iterdir():
                if at.is_dir() and at.stat().st_mtime < time.time() - _UNUSED_S:
                    shutil.rmtree(at, ignore_errors=True)


def _write(path: Path, body: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        part.write_bytes(body)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
