"""A plugin: one more format. It writes the centre of every annotation of every chip as a row of CSV, in pixels."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import shapely

from geolabel.formats.base import Format
from geolabel.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context


@hookimpl
def register_formats(register: Callable[[Format], None]) -> None:
    register(Format("centroids", "pixel", "centres in pixels, as CSV", writer="geolabel_centroids:CentroidWriter"))


class CentroidWriter:
    """Writes `centroids.csv`: chip, annotation, class, x, y."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._file = (context.out / "centroids.csv").open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        self._rows.writerow(["chip", "annotation", "class", "x", "y"])

    def add(self, chip: Chip) -> tuple[str, ...]:
        labels = chip.labels
        centres = shapely.centroid(labels.geometries)
        for annotation, class_id, centre in zip(labels.ids, labels.class_ids, centres, strict=True):
            name = self._context.class_of(class_id).name
            self._rows.writerow([chip.name, annotation, name, f"{centre.x:.3f}", f"{centre.y:.3f}"])
        return ()

    def close(self) -> tuple[str, ...]:
        self._file.close()
        return ()
