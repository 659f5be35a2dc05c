"""A plan -> chips, one after the other, always in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.chips.burn import burn, mask_type
from geolabel.chips.labels import ChipLabels
from geolabel.chips.read import open_scene
from geolabel.geo.pixels import shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geolabel.chips.labels import Drawn
    from geolabel.chips.plan import Plan
    from geolabel.geo.pixels import Window
    from geolabel.model import Grid


@dataclass(frozen=True)
class Chip:
    """A chip, whole.

    Attributes:
        name: `{scene}_{col}_{row}`.
        scene: id of the scene.
        split: `train`, `val` or `test`.
        window: (col, row, width, height) on the scene's grid; col and row may be negative.
        grid: the chip's own pixel grid.
        bands: 1-based bands of the scene, in the order of `image`.
        image: (bands, height, width), the scene's own dtype; padding is nodata, or 0.
        valid: bool (height, width), True where there is data.
        nodata: the value that means "no data", or None.
        colors: what each band says it is: `red`, `alpha`, `undefined`...
        palette: RGBA per pixel value of a one-band palette image, or None.
        labels: the annotations on it, in its own pixels.
        ignore: the mask value that means "not to be learnt from".
    """

    name: str
    scene: str
    split: str
    window: Window
    grid: Grid
    bands: tuple[int, ...]
    image: NDArray[Any]
    valid: NDArray[np.bool_]
    nodata: float | None
    colors: tuple[str, ...]
    palette: dict[int, tuple[int, int, int, int]] | None
    labels: ChipLabels
    ignore: int
    _drawn: Drawn
    _background: int

    @cached_property
    def semantic(self) -> NDArray[np.uint8 | np.uint16]:
        """The mask of class ids, (height, width): 0 is background, `ignore` wins where there is no data.

        Whole annotations are burnt, also those of which too little lies on the chip to be an object of their own:
        their pixels are what they are.
        """
        dtype = np.uint8 if self.ignore == 255 else np.uint16
        drawn = self._drawn
        mask: NDArray[np.uint8 | np.uint16] = burn(
            drawn.geometries, drawn.class_ids, self.window, dtype=dtype, background=self._background
        )
        mask[~self.valid] = self.ignore
        return mask

    @cached_property
    def instances(self) -> NDArray[np.int32]:
        """Which annotation owns each pixel, (height, width): its position in `labels` from 1; 0 is none, -1 is ignore.

        Drawn as `semantic` is: where an annotation is, its class is there. An annotation of which too little lies on the
        chip to be an object of its own hides those below it, and its pixels are 0.
        """
        drawn, found = self._drawn, self.labels.ids
        values = np.searchsorted(found, drawn.ids).astype(np.int64) + 1
        values[~np.isin(drawn.ids, found)] = 0
        values[(drawn.ids == 0) & (drawn.class_ids == self.ignore)] = -1
        background = -1 if self._background == self.ignore else 0
        mask = burn(drawn.geometries, values, self.window, dtype=np.int32, background=background)
        mask[~self.valid] = -1
        return mask


def chips(planned: Plan) -> Iterator[Chip]:
    """Read the planned chips, in order; each scene is opened once.

    Raises:
        InvalidRaster: a scene's file is gone, damaged or changed.
    """
    _, ignore = mask_type(planned.project.classes)
    background = ignore if planned.project.unlabelled == "ignore" else 0
    for scene in planned.scenes:
        own = [chip for chip in planned.chips if chip.scene.id == scene.id]
        if not own:
            continue
        with open_scene(scene, planned.spec.bands) as reader:
            for chip in own:
                image, valid = reader.read(chip.window)
                labels = chip.labels
                col, row = chip.window[:2]
                yield Chip(
                    name=chip.name,
                    scene=scene.id,
                    split=chip.split,
                    window=chip.window,
                    grid=chip.grid,
                    bands=reader.bands,
                    image=image,
                    valid=valid,
                    nodata=reader.nodata,
                    colors=reader.colors,
                    palette=reader.palette,
                    labels=ChipLabels(
                        labels.ids, labels.class_ids, shift(labels.geometries, col, row), labels.truncated
                    ),
                    ignore=ignore,
                    _drawn=chip.drawn,
                    _background=background,
                )
