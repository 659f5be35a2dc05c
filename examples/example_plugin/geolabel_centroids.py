"""A plugin: one more format. It writes the centre of every annotation of every chip as a row of CSV, in pixels."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import shapely

from geolabel.formats.base import ChipWriter, Format, Piece
from geolabel.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from geolabel.chips.build import Chip


@hookimpl
def register_formats(register: Callable[[Format], None]) -> None:
    register(Format("centroids", "pixel", "centres in pixels, as CSV", writer="geolabel_centroids:CentroidWriter"))


class CentroidWriter(ChipWriter):
    """Writes `centroids.csv`: chip, annotation, class, x, y."""

    def begin(self) -> None:
        self.context.files.open("centroids.csv").write(csv_bytes([["chip", "annotation", "class", "x", "y"]]))

    def write(self, chip: Chip) -> Piece:
        labels = chip.labels
        centres = shapely.centroid(labels.geometries)
        rows = [
            [chip.name, annotation, self.context.class_of(class_id).name, f"{centre.x:.3f}", f"{centre.y:.3f}"]
            for annotation, class_id, centre in zip(labels.ids, labels.class_ids, centres, strict=True)
        ]
        return Piece(lines={"centroids.csv": csv_bytes(rows)})


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
