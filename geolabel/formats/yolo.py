"""YOLO as Ultralytics reads it: boxes, outlines or turned boxes, a text file a chip, in shares of the chip's size."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import shapely
import yaml

from geolabel.formats.areas import areas_of, areas_only, left_out, many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.boxes import turned_boxes
from geolabel.formats.consumer import link_image, pictures
from geolabel.formats.keyhole import one_ring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context

    Pairs = tuple[Iterable[NDArray[np.float64]], dict[str, int]]


class YoloWriter(ChipWriter):
    """Writes `yolo/`: a line an object, `class cx cy w h`."""

    folder: ClassVar[str] = "yolo"
    title: ClassVar[str] = "YOLO"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._index = {c.id: index for index, c in enumerate(context.project.classes)}
        # Ultralytics refuses a data.yaml without `train` or `val`.
        self._named = {key: key if key in context.splits else context.splits[0] for key in ("train", "val")}

    def begin(self) -> None:
        """Write `data.yaml`. It names no `path`: without one, paths are relative to the file."""
        context = self.context
        for split in context.splits:
            context.files.folder(f"{self.folder}/images/{split}")
        named = self._named | {split: split for split in context.splits}
        content = {key: f"images/{split}" for key, split in named.items()}
        names = dict(enumerate(c.name for c in context.project.classes))
        text = yaml.safe_dump({**content, "names": names}, sort_keys=False, allow_unicode=True)
        context.files.write(f"{self.folder}/data.yaml", text.encode())

    def write(self, chip: Chip) -> Piece:
        """Write the labels of a chip, an empty file when it has none, and link its image."""
        inside = f"{chip.split}/{chip.name}"
        link_image(self.context, chip, f"{self.folder}/images/{inside}.{self.context.spec.image_format}")
        chosen = areas_of(chip)
        size = np.array((chip.grid.width, chip.grid.height), dtype=np.float64)
        shapes, counts = self._pairs(chip.labels.geometries[chosen], size)
        lines = [
            f"{self._index[class_id]} {' '.join(map(repr, (pairs / size).ravel().tolist()))}\n"
            for class_id, pairs in zip(chip.labels.class_ids[chosen].tolist(), shapes, strict=True)
        ]
        self.context.files.write(f"{self.folder}/labels/{inside}.txt", "".join(lines).encode())
        return Piece(counts=left_out(chip) | counts)

    def close(self) -> tuple[str, ...]:
        """Say what YOLO could not hold."""
        notes = [
            f"{self.folder}/data.yaml must name a split {key!r} and there is none: it names {split!r} in its place."
            for key, split in self._named.items()
            if key != split
        ]
        areas = areas_only(self.title, self.counts)
        return (*areas, *self._losses(), *notes, *pictures(self.context, self.title))

    def _pairs(self, geometries: NDArray[np.object_], size: NDArray[np.float64]) -> Pairs:
        """Each shape as (k, 2) numbers in pixels, x or width first, and what to count of them.

        Args:
            geometries: the areas of a chip.
            size: the chip's width and height.
        """
        del size
        bounds = shapely.bounds(geometries).reshape(-1, 2, 2)
        return np.stack((bounds.mean(axis=1), bounds[:, 1] - bounds[:, 0]), axis=1), {}

    def _losses(self) -> tuple[str, ...]:
        return ()


class YoloSegWriter(YoloWriter):
    """Writes `yolo-seg/`: a line an object, `class x1 y1 x2 y2 ...`, its outline."""

    folder = "yolo-seg"
    title = "YOLO segment"

    def _pairs(self, geometries: NDArray[np.object_], size: NDArray[np.float64]) -> Pairs:
        del size
        parts, owner = shapely.get_parts(geometries, return_index=True)
        holed = len(np.unique(owner[shapely.get_num_interior_rings(parts) > 0]))
        parted = int((shapely.get_num_geometries(geometries) > 1).sum())
        return map(one_ring, geometries), {"holed": holed, "parted": parted}

    def _losses(self) -> tuple[str, ...]:
        said = (
            (self.counts["holed"], "with holes cut open: a bridge of no width leads to each hole."),
            (self.counts["parted"], "of several parts joined to one outline by bridges of no width."),
        )
        return tuple(f"{self.title} holds one outline an object: {many(n, 'area')} {what}" for n, what in said if n)


class YoloObbWriter(YoloWriter):
    """Writes `yolo-obb/`: a line an object, `class x1 y1 x2 y2 x3 y3 x4 y4`, the smallest turned box."""

    folder = "yolo-obb"
    title = "YOLO OBB"

    def _pairs(self, geometries: NDArray[np.object_], size: NDArray[np.float64]) -> Pairs:
        corners = turned_boxes(geometries)
        low, high = corners.min(axis=1), corners.max(axis=1)
        middle = (low + high) / 2
        # Ultralytics drops a chip with a turned box that is wider than the chip, or whose middle lies off it.
        refused = ((high - low > size) | (middle < 0) | (middle > size)).any(axis=1)
        x0, y0, x1, y1 = shapely.bounds(geometries[refused]).reshape(-1, 4).T
        corners[refused] = np.stack((x0, y0, x1, y0, x1, y1, x0, y1), axis=1).reshape(-1, 4, 2)
        return corners, {"upright": int(refused.sum())}

    def _losses(self) -> tuple[str, ...]:
        upright = self.counts["upright"]
        if not upright:
            return ()
        return (
            (
                f"{self.title} takes no box larger than its chip: {many(upright, 'area')} got an upright box instead of "
                "a turned one."
            ),
        )
