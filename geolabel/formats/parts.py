"""The parts of a dataset: some chips one after the other, built in whatever process, and what they leave for the whole.

A part is done when its record is there: the chips' own files come first, the record of them last. So a build that was
killed goes on where it was, and the process that joins the records in the order of the plan needs to know nothing of
how many built them.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from geolabel.chips.build import ChipBuilder
from geolabel.chips.planned import placed
from geolabel.errors import InvalidSpec, NotFound
from geolabel.formats.base import Context, Piece
from geolabel.formats.cell import draw_cell
from geolabel.formats.contact_sheet import pack
from geolabel.formats.facts import facts_of, moments_of
from geolabel.formats.files import BUILD
from geolabel.formats.images import image_bytes
from geolabel.formats.manifest import chip_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.chips.labels import Labels
    from geolabel.chips.plan import Plan
    from geolabel.chips.planned import PlannedChip
    from geolabel.formats.base import ChipWriter, Format
    from geolabel.formats.files import Files

CHIPS = 32
"""In a part, of 512 x 512 pixels or less: enough that sending one about costs little, few enough that all processes end at about the same time."""

_PIXELS = CHIPS * 512 * 512

_DIGEST = 32
_MARK = f"{BUILD}/of"
_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Setup:
    """What every process of a build knows.

    Attributes:
        key: of this build, no other has it.
        fingerprint: of what is built: what a killed build left goes on only where it is the same.
        context: what writers know.
        formats: pixel formats that are written.
        shown: names of the chips on the contact sheet.
    """

    key: str
    fingerprint: str
    context: Context
    formats: tuple[Format, ...]
    shown: frozenset[str]


@dataclass(frozen=True, slots=True)
class Task:
    """One part, to be built. It holds all that is needed, and can be sent to another process.

    Attributes:
        setup: the same for all parts.
        number: of the part, from 0.
        first: number of its first chip in the plan, from 1.
        chips: its chips, in the order of the plan.
        ids: int64 (n,) of the annotations on them, ascending.
        columns: what else is known of these, by name: (n,).
    """

    setup: Setup
    number: int
    first: int
    chips: tuple[PlannedChip, ...]
    ids: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.object_]]

    def __str__(self) -> str:
        return f"chips {self.first:,} to {self.first + len(self.chips) - 1:,}"


def chips_a_part(pixels: int) -> int:
    """How many chips of so many pixels each are in a part."""
    return min(max(_PIXELS // max(pixels, 1), 1), CHIPS)


def count_parts(plan: Plan) -> int:
    """How many parts a plan has."""
    return -(-len(plan.chips) // chips_a_part(plan.most_pixels))


def chips_of(plan: Plan, number: int) -> tuple[PlannedChip, ...]:
    """The chips of a part."""
    size = chips_a_part(plan.most_pixels)
    return plan.chips[number * size : (number + 1) * size]


def tasks_of(plan: Plan, labels: Labels, setup: Setup, numbers: Iterable[int]) -> Iterator[Task]:
    """The parts of a plan of these numbers; each is made when it is asked for."""
    size = chips_a_part(plan.most_pixels)
    for number in numbers:
        chips = chips_of(plan, number)
        ids = np.unique(np.concatenate([chip.ids for chip in chips]))
        at = np.searchsorted(labels.ids, ids)
        columns = {name: column[at] for name, column in labels.columns.items()}
        yield Task(setup, number, number * size + 1, chips, ids, columns)


def begin_parts(setup: Setup, *, resume: bool) -> bool:
    """Make ready for the records; gives whether those of an earlier build, which was killed, may be taken.

    Raises:
        InvalidSpec: what is to be resumed is something else.
    """
    files = setup.context.files
    left = files.read(_MARK)
    if resume and left is not None:
        if left == setup.fingerprint.encode():
            return True
        raise InvalidSpec(
            "The export that was stopped here was another one: its labels, options, formats or software were not the same. "
            "Export without --resume to begin anew."
        )
    files.remove(BUILD)
    files.write(_MARK, setup.fingerprint.encode())
    return False


def is_done(files: Files, number: int) -> bool:
    """Whether a part has its record, and all its files are there."""
    record = read_record(files, number)
    return record is not None and all(files.size(path) == size for path, size in record.written.items())


def record_path(number: int) -> str:
    """Where the record of a part is while a dataset is built."""
    return f"{BUILD}/{number:06}.part"


def build_part(task: Task) -> int:
    """Build the chips of a part, write their files, then the record; gives the number of the part.

    Raises:
        InvalidRaster: a scene's file is gone, damaged or changed.
    """
    # A thread of somebody else's, as of a Dask worker, ends without a word: nothing may stay open in it.
    ours = threading.current_thread() is threading.main_thread()
    with nullcontext() if ours else closing_bench():
        bench = _bench_of(task.setup)
        bench.files.written.clear()
        pieces = []
        for number, planned in enumerate(placed(task.chips), start=task.first):
            at = np.searchsorted(task.ids, planned.ids)
            columns = {name: column[at] for name, column in task.columns.items()}
            pieces.append(bench.write(bench.builder.build(planned, number, columns)))
        task.setup.context.files.write(record_path(task.number), _encode(pieces, bench.files.written))
    return task.number


class _Bench:
    """What a thread keeps from one part to the next: writers, and an open scene."""

    def __init__(self, setup: Setup) -> None:
        if setup.context.files.read(_MARK) != setup.fingerprint.encode():
            raise NotFound(
                f"A worker on {socket.gethostname()} does not see the dataset's folder ({setup.context.files}). Write it to a drive "
                "that all workers share, or to object storage."
            )
        self.files = _Noted(setup.context.files)
        context = Context(
            setup.context.project, setup.context.scenes, setup.context.spec, setup.context.splits, self.files
        )
        self._context = context
        self._shown = setup.shown
        self._writers: list[ChipWriter] = [f.make_writer(context) for f in setup.formats]
        self._colors = {c.id: c.color for c in context.project.classes}
        self._versions = {s.id: s.version for s in context.scenes}
        self.builder = ChipBuilder(context.project, context.spec)

    def write(self, chip: Chip) -> list[Piece]:
        """Write the chip's files; what is left: its row, its cell on the contact sheet, and a piece for each format."""
        context = self._context
        path = context.image_path(chip)
        content = image_bytes(chip, context.spec.image_format)
        context.files.write(path, content)
        pieces = [writer.write(chip) for writer in self._writers]
        masks = [mask for piece in pieces for mask in piece.masks]
        version = self._versions[chip.scene]
        moments = moments_of(chip)
        row = chip_row(chip, moments, scene_version=version, image=path, content=content, masks=masks)
        cell = {"cell": pack(draw_cell(chip, self._colors))} if chip.name in self._shown else {}
        return [Piece(lines={"row": row, "facts": facts_of(chip, moments)}), Piece(lines=cell), *pieces]


class _Noted:
    """Files, with a list of those written."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.closing = ExitStack()
        self.written: dict[str, int] = {}

    def write(self, path: str, content: bytes) -> None:
        self._files.write(path, content)
        self.written[path] = len(content)

    def link(self, path: str, name: str) -> None:
        self._files.link(path, name)
        self.written[name] = self.written[path]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


_threads = threading.local()


def _bench_of(setup: Setup) -> _Bench:
    """This thread's bench for a build; that of another build is closed."""
    known: tuple[str, _Bench] | None = getattr(_threads, "bench", None)
    if known is not None and known[0] == setup.key:
        return known[1]
    _close_bench()
    _threads.bench = (setup.key, _Bench(setup))
    bench: _Bench = _threads.bench[1]
    return bench


@contextmanager
def closing_bench() -> Iterator[None]:
    """At the end of the block, close what this thread has kept open."""
    try:
        yield
    finally:
        _close_bench()


def _close_bench() -> None:
    known: tuple[str, _Bench] | None = getattr(_threads, "bench", None)
    if known is not None:
        del _threads.bench
        known[1].builder.close()


@dataclass(frozen=True, slots=True)
class Record:
    """What a part left.

    Attributes:
        pieces: by chip, in the order of the plan: its row, its cell on the contact sheet, and one of each format.
        written: the size of each file that was written, by path.
    """

    pieces: tuple[tuple[Piece, ...], ...]
    written: Mapping[str, int]


def read_record(files: Files, number: int) -> Record | None:
    """The record of a part; None when there is none, or not the whole of it."""
    content = files.read(record_path(number))
    if content is None or hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
        return None
    start = _DIGEST + _LENGTH
    end = start + int.from_bytes(content[_DIGEST:start], "big")
    head = orjson.loads(content[start:end])
    found = []
    for chip in head["chips"]:
        pieces = []
        for masks, lengths, counts in chip:
            lines = {}
            for path, length in lengths.items():
                lines[path] = content[end : end + length]
                end += length
            pieces.append(Piece(tuple(masks), lines, counts))
        found.append(tuple(pieces))
    return Record(tuple(found), head["files"])


def _encode(chips: Sequence[Sequence[Piece]], written: Mapping[str, int]) -> bytes:
    """A digest, the length of the head, the head as JSON, and all lines one after the other."""
    described = [
        [[p.masks, {path: len(lines) for path, lines in p.lines.items()}, p.counts] for p in pieces] for pieces in chips
    ]
    head = orjson.dumps({"chips": described, "files": written})
    lines = b"".join(lines for pieces in chips for p in pieces for lines in p.lines.values())
    content = len(head).to_bytes(_LENGTH, "big") + head + lines
    return hashlib.sha256(content).digest() + content
