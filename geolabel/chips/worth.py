"""Which chips have too little to show: no data, or clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.chips.onto import open_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.frame import Frame
    from geolabel.chips.grid import Windows
    from geolabel.chips.spec import ChipSpec


def worthless(frame: Frame, windows: Windows, reasons: NDArray[np.object_], spec: ChipSpec) -> None:
    """Give chips that show too little a reason to be left out, in place. Their pixels are looked at one by one.

    Raises:
        InvalidRaster: a file is gone, damaged or changed.
    """
    if spec.max_nodata >= 1 and spec.max_cloud >= 1:
        return
    with open_frame(frame, spec) as reader:
        for chip in np.flatnonzero(reasons == "").tolist():
            place = (windows.window(chip), float(windows.turns[chip]))
            valid = reader.valid(*place)
            if 1 - float(valid.mean()) > spec.max_nodata or not valid.any():
                reasons[chip] = "nodata"
            elif spec.max_cloud < 1 and float(reader.clouds(*place)[valid].mean()) > spec.max_cloud:
                reasons[chip] = "cloud"
