"""WebDataset: tar files that are read from front to back, with a chip's image, class mask and labels side by side."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import orjson
import shapely

from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.images import geotiff

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip
    from geolabel.formats.base import Context

SHARD = 2000
"""Chips of the plan that a shard is made of; those of each split are in a file of their own."""


class WebDatasetWriter(ChipWriter):
    """Writes `webdataset/{split}-{shard}.tar`: of each chip `{chip}.tif` (or png, jpg, npy), `{chip}.mask.tif` and `{chip}.json`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._shards: set[str] = set()

    def write(self, chip: Chip) -> Piece:
        """The members of a chip."""
        image = self.context.files.read(self.context.image_path(chip))
        assert image is not None
        names = {c.id: c.name for c in self.context.project.classes}
        labels = chip.labels
        attributes = [a.name for a in self.context.project.attributes if a.name in chip.columns]
        described = {
            "chip": chip.name,
            "scene": chip.scene,
            "crs": chip.grid.crs,
            "transform": list(chip.grid.transform),
            "labels": [
                {
                    "annotation": annotation,
                    "class": names[class_id],
                    "class_id": class_id,
                    "truncated": truncated,
                    "attributes": {name: chip.columns[name][row] for name in attributes},
                    "geometry": orjson.Fragment(shapely.to_geojson(shape)),
                }
                for row, (annotation, class_id, truncated, shape) in enumerate(
                    zip(
                        labels.ids.tolist(),
                        labels.class_ids.tolist(),
                        labels.truncated.tolist(),
                        labels.geometries,
                        strict=True,
                    )
                )
            ],
        }
        # A key ends at the first dot.
        key = chip.name.replace(".", "_")
        members = {
            f"{key}.{self.context.spec.image_format}": image,
            f"{key}.mask.tif": geotiff(chip.semantic[np.newaxis], chip.grid, nodata=chip.ignore),
            f"{key}.json": orjson.dumps(described),
        }
        return Piece(lines={_shard(chip.split, chip.number - 1): b"".join(map(_member, members, members.values()))})

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Put the members behind those of the chips before."""
        self._shards.update(piece.lines)
        super().add(chip, piece)

    def close(self) -> tuple[str, ...]:
        """End the tar files."""
        for shard in sorted(self._shards):
            self.context.files.open(shard).write(bytes(2 * tarfile.BLOCKSIZE))
        return ()


def _shard(split: str, number: int) -> str:
    return f"webdataset/{split}-{number // SHARD:06d}.tar"


def _member(name: str, content: bytes) -> bytes:
    """A member as it stands in a tar file, without owner and clock."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    stream = io.BytesIO()
    stream.write(info.tobuf(tarfile.PAX_FORMAT))
    stream.write(content)
    stream.write(bytes(-len(content) % tarfile.BLOCKSIZE))
    return stream.getvalue()
