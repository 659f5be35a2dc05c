"""Formats that hold areas only: which annotations of a chip those are, and how many are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.chips.together import dimensions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geolabel.chips.build import Chip

_KINDS = ("point", "line")


def areas_of(chip: Chip) -> NDArray[np.int64]:
    """Positions in `chip.labels` of those that are areas."""
    return np.flatnonzero(chip.labels.each(dimensions) == 2)


def left_out(chip: Chip) -> dict[str, int]:
    """How many points and lines are on a chip, for the counts of a format that has no place for them."""
    found = chip.labels.each(dimensions).tolist()
    return {kind: found.count(dimension) for dimension, kind in enumerate(_KINDS)}


def areas_only(name: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    """What was left out, for the report.

    Args:
        name: of the format, as people write it.
        counts: what `left_out` gave, added up.
    """
    return tuple(
        f"{name} holds areas only: {many(counts[kind], kind)} on chips left out of it."
        for kind in _KINDS
        if counts.get(kind)
    )


def many(count: int, noun: str) -> str:
    """A number of things, as people write it."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
