"""Formats that hold areas only: which annotations of a chip those are, and how many are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip

_KINDS = ("point", "line")


class Areas:
    """Picks the areas of chips, and counts the points and lines that a format has no place for.

    Args:
        name: of the format, as people write it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._left_out = [0, 0]

    def of(self, chip: Chip) -> NDArray[np.int64]:
        """Positions in `chip.labels` of those that are areas."""
        dimensions = shapely.get_dimensions(chip.labels.geometries)
        for dimension in range(len(_KINDS)):
            self._left_out[dimension] += int((dimensions == dimension).sum())
        return np.flatnonzero(dimensions == 2)

    def sentences(self) -> tuple[str, ...]:
        """What was left out, for the report."""
        return tuple(
            f"{self._name} holds areas only: {many(count, kind)} on chips left out of it."
            for kind, count in zip(_KINDS, self._left_out, strict=True)
            if count
        )


def many(count: int, noun: str) -> str:
    """A number of things, as people write it."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
