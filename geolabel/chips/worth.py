"""Which chips have too little to show: no data, or clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from geolabel.chips.frame import Frame
    from geolabel.chips.grid import Windows
    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Scene


def worthless(
    frame: Frame, windows: Windows, reasons: NDArray[np.object_], spec: ChipSpec, scenes: Sequence[Scene]
) -> None:
    """Give chips that show too little a reason to be left out, in place."""
