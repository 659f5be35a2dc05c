"""Where the chips of a scene lie: windows on its native grid, from a ChipSpec. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geolabel.chips.spec import ChipSpec
    from geolabel.geo.pixels import Window
    from geolabel.model import Grid


@dataclass(frozen=True, slots=True)
class ChipGrid:
    """All chips of one scene: every left edge with every upper edge, row by row.

    Attributes:
        cols: int64 (n,) left edges in pixels, ascending.
        rows: int64 (m,) upper edges in pixels, ascending.
        size: edge of a chip in pixels.
    """

    cols: NDArray[np.int64]
    rows: NDArray[np.int64]
    size: int

    def __len__(self) -> int:
        return len(self.cols) * len(self.rows)

    def window(self, index: int) -> Window:
        """(col, row, width, height) of the chip of that number, counted row by row."""
        row, col = divmod(index, len(self.cols))
        return (int(self.cols[col]), int(self.rows[row]), self.size, self.size)

    def windows(self) -> Iterator[Window]:
        """All windows, row by row."""
        return (self.window(index) for index in range(len(self)))


def chip_grid(grid: Grid, spec: ChipSpec) -> ChipGrid:
    """Lay chips over a scene, from its upper left pixel to the right and down.

    Args:
        grid: the scene's pixel grid.
        spec: size, stride and what happens at the edges.

    Returns:
        The windows. With `pad` and `shift` and a stride no longer than the size, they hold every pixel of the scene.
        A scene smaller than a chip gives one padded chip with `pad` and `shift`, and none with `drop`.
    """
    return ChipGrid(_starts(grid.width, spec), _starts(grid.height, spec), spec.size)


def _starts(length: int, spec: ChipSpec) -> NDArray[np.int64]:
    rest = length - spec.size
    if spec.edges == "drop":
        return np.arange(0, rest + 1, spec.step, dtype=np.int64)
    # As many as are needed to reach the end, but none that begins beyond it (a stride longer than the size can).
    count = min(-(-max(rest, 0) // spec.step) + 1, -(-length // spec.step))
    starts = np.arange(count, dtype=np.int64) * spec.step
    return np.unique(np.minimum(starts, max(rest, 0))) if spec.edges == "shift" else starts


def chip_name(scene: str, window: Window) -> str:
    """`{scene}_{col}_{row}`: what the files of a chip are called."""
    return f"{scene}_{window[0]}_{window[1]}"
