"""YOLO as Ultralytics reads it: boxes, outlines or turned boxes, a text file a chip, in shares of the chip's size."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import shapely
import yaml

from geolabel.formats.areas import Areas, many
from geolabel.formats.boxes import turned_boxes
from geolabel.formats.consumer import link_image, pictures
from geolabel.formats.images import write_file
from geolabel.formats.keyhole import one_ring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context


class YoloWriter:
    """Writes `yolo/`: a line an object, `class cx cy w h`."""

    folder: ClassVar[str] = "yolo"
    title: ClassVar[str] = "YOLO"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._index = {c.id: index for index, c in enumerate(context.project.classes)}
        self._areas = Areas(self.title)
        self._notes = self._write_yaml()

    def add(self, chip: Chip) -> tuple[str, ...]:
        """Write the labels of a chip, an empty file when it has none, and link its image."""
        inside = f"{chip.split}/{chip.name}"
        link_image(self._context, chip, f"{self.folder}/images/{inside}.{self._context.spec.image_format}")
        chosen = self._areas.of(chip)
        size = np.array((chip.grid.width, chip.grid.height), dtype=np.float64)
        lines = [
            f"{self._index[class_id]} {' '.join(map(repr, (pairs / size).ravel().tolist()))}\n"
            for class_id, pairs in zip(
                chip.labels.class_ids[chosen].tolist(), self._pairs(chip.labels.geometries[chosen], size), strict=True
            )
        ]
        write_file(self._context.out / self.folder / f"labels/{inside}.txt", "".join(lines).encode())
        return ()

    def close(self) -> tuple[str, ...]:
        """Say what YOLO could not hold."""
        return (*self._areas.sentences(), *self._losses(), *self._notes, *pictures(self._context, self.title))

    def _pairs(self, geometries: NDArray[np.object_], size: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
        """Each shape as (k, 2) numbers in pixels, x or width first; `size` is the chip's width and height."""
        del size
        bounds = shapely.bounds(geometries).reshape(-1, 2, 2)
        return np.stack((bounds.mean(axis=1), bounds[:, 1] - bounds[:, 0]), axis=1)

    def _losses(self) -> tuple[str, ...]:
        return ()

    def _write_yaml(self) -> tuple[str, ...]:
        """Write `data.yaml`. It names no `path`: without one, paths are relative to the file."""
        context = self._context
        for split in context.splits:
            (context.out / self.folder / "images" / split).mkdir(parents=True)
        # Ultralytics refuses a data.yaml without `train` or `val`.
        named = {key: key if key in context.splits else context.splits[0] for key in ("train", "val")}
        named |= {split: split for split in context.splits}
        content = {key: f"images/{split}" for key, split in named.items()}
        names = dict(enumerate(c.name for c in context.project.classes))
        text = yaml.safe_dump({**content, "names": names}, sort_keys=False, allow_unicode=True)
        write_file(context.out / self.folder / "data.yaml", text.encode())
        return tuple(
            f"{self.folder}/data.yaml must name a split {key!r} and there is none: it names {split!r} in its place."
            for key, split in named.items()
            if key != split
        )


class YoloSegWriter(YoloWriter):
    """Writes `yolo-seg/`: a line an object, `class x1 y1 x2 y2 ...`, its outline."""

    folder = "yolo-seg"
    title = "YOLO segment"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._holed = self._parted = 0

    def _pairs(self, geometries: NDArray[np.object_], size: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
        del size
        parts, owner = shapely.get_parts(geometries, return_index=True)
        self._holed += len(np.unique(owner[shapely.get_num_interior_rings(parts) > 0]))
        self._parted += int((shapely.get_num_geometries(geometries) > 1).sum())
        return map(one_ring, geometries)

    def _losses(self) -> tuple[str, ...]:
        said = (
            (self._holed, "with holes cut open: a bridge of no width leads to each hole."),
            (self._parted, "of several parts joined to one outline by bridges of no width."),
        )
        return tuple(f"{self.title} holds one outline an object: {many(n, 'area')} {what}" for n, what in said if n)


class YoloObbWriter(YoloWriter):
    """Writes `yolo-obb/`: a line an object, `class x1 y1 x2 y2 x3 y3 x4 y4`, the smallest turned box."""

    folder = "yolo-obb"
    title = "YOLO OBB"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._upright = 0

    def _pairs(self, geometries: NDArray[np.object_], size: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
        corners = turned_boxes(geometries)
        low, high = corners.min(axis=1), corners.max(axis=1)
        middle = (low + high) / 2
        # Ultralytics drops a chip with a turned box that is wider than the chip, or whose middle lies off it.
        refused = ((high - low > size) | (middle < 0) | (middle > size)).any(axis=1)
        self._upright += int(refused.sum())
        x0, y0, x1, y1 = shapely.bounds(geometries[refused]).reshape(-1, 4).T
        corners[refused] = np.stack((x0, y0, x1, y0, x1, y1, x0, y1), axis=1).reshape(-1, 4, 2)
        return corners

    def _losses(self) -> tuple[str, ...]:
        if not self._upright:
            return ()
        return (
            (
                f"{self.title} takes no box larger than its chip: {many(self._upright, 'area')} got an upright box instead of "
                "a turned one."
            ),
        )
