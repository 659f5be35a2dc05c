"""Labels in the CRS of tiles, kept on the disk: the next server begins with them instead of projecting a million again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from geolabel.batches import LabelsState
from geolabel.labeltiles.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FORM = 1
"""To be raised when `Shapes` means something else."""

_LEFT_S = 3600.0
"""A file that is not whole after so long was left by a server that was killed; a younger one may be another's at work."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was saved.

    Attributes:
        state: of the labels.
        classes: names by number.
        statuses: names by number.
        shapes: in order of id, all that the project had.
    """

    state: LabelsState
    classes: tuple[str, ...]
    statuses: tuple[str, ...]
    shapes: Shapes


class Saved:
    """A folder with a file for each project and CRS. All of it may be deleted at any time.

    A file is whole or not there, and its sums are checked when it is read. What cannot be read or written is left out,
    with a line in the log: it costs time and nothing else.

    Args:
        folder: made when it is needed.
        most: bytes that the folder may hold; files that were not used for longest go first.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most

    def load(self, state: LabelsState, crs: str) -> Kept | None:
        """What was kept of a project, perhaps before its last changes; None when there is nothing.

        Args:
            state: of its labels now.
            crs: of the tiles.
        """
        path = self._path(state, crs)
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                said = json.loads(bytes(file["said"]))
                kept = Kept(
                    LabelsState(**{**said["state"], "hidden": tuple(said["state"]["hidden"])}),
                    tuple(said["classes"]),
                    tuple(said["statuses"]),
                    Shapes(**{field.name: file[field.name] for field in fields(Shapes)}),
                )
            os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            _log.warning("Labels kept for label tiles cannot be read from %s and are projected anew: %s", path, error)
            with suppress(OSError):
                path.unlink()
            return None
        return kept if (kept.state.created_at, kept.state.crs) == (state.created_at, state.crs) else None

    def save(
        self, state: LabelsState, crs: str, classes: Sequence[str], statuses: Sequence[str], shapes: Shapes
    ) -> None:
        """Keep the labels of a project, in the place of what was kept of it before."""
        if shapes.nbytes > self._most:
            return
        path = self._path(state, crs)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        said = {"state": asdict(state), "classes": classes, "statuses": statuses}
        arrays = {field.name: getattr(shapes, field.name) for field in fields(Shapes)}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for left in self._folder.glob(".*.part"):
                if left.stat().st_mtime < time.time() - _LEFT_S:
                    left.unlink(missing_ok=True)
            self._make_room(shapes.nbytes)
            try:
                with part.open("wb") as out:
                    np.savez(out, said=np.frombuffer(json.dumps(said).encode(), np.uint8), **arrays)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("Labels cannot be kept for label tiles in %s: %s", self._folder, error)

    def _path(self, state: LabelsState, crs: str) -> Path:
        name = json.dumps([_FORM, state.key, state.created_at, state.crs, crs])
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.npz"

    def _make_room(self, nbytes: int) -> None:
        known = sorted(((p.stat(), p) for p in self._folder.glob("*.npz")), key=lambda pair: pair[0].st_mtime)
        used = sum(stat.st_size for stat, _ in known)
        for stat, path in known:
            if used + nbytes <= self._most:
                return
            path.unlink(missing_ok=True)
            used -= stat.st_size
