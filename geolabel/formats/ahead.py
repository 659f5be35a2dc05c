"""Processes that start while an export reads labels and plans: when the plan is made, they are there."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from geolabel.chips import burn
from geolabel.chips.engine import choose_engine
from geolabel.chips.processes import Processes
from geolabel.formats.parts import build_part, chips_a_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geolabel.formats.base import Format


@contextmanager
def started(name: str | None, chips: int, pixels: int, formats: Sequence[Format]) -> Iterator[Processes | None]:
    """The engine of a name, if it is one of processes: they are started. None otherwise, or when there are few chips.

    Args:
        name: as `choose_engine` takes it.
        chips: how many there will be, about.
        pixels: of one of them.
        formats: that will be written.

    Raises:
        InvalidSpec: no such engine.
    """
    parts = chips // chips_a_part(pixels)
    engine = choose_engine(name, parts)
    if not isinstance(engine, Processes) or not parts:
        yield None
        return
    engine.begin(build_part, partial(get_ready, tuple(f.writer for f in formats if f.writer is not None)))
    try:
        yield engine
    finally:
        engine.close()


def get_ready(writers: Sequence[str]) -> None:
    """Load what the first part would wait for.

    Args:
        writers: `module:Class` of those that will be asked for.
    """
    with suppress(ImportError, AttributeError):  # whoever asks for the writer is told
        for writer in writers:
            resolve_name(writer)
    burn.get_ready()
