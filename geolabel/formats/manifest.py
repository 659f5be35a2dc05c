"""What brings predictions home: manifest.json and chips.parquet. No clock, no path of this machine."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
import rasterio
import shapely

import geolabel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geolabel.chips.build import Chip
    from geolabel.chips.plan import Plan

FORMAT_VERSION = 1

_SCHEMA = pa.schema(
    [
        ("chip", pa.string()),
        ("scene", pa.string()),
        ("scene_version", pa.string()),
        ("split", pa.string()),
        ("col", pa.int64()),
        ("row", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("crs", pa.string()),
        ("transform", pa.list_(pa.float64())),
        ("bands", pa.list_(pa.int32())),
        ("value_min", pa.float64()),
        ("value_max", pa.float64()),
        ("coverage", pa.string()),
        ("valid", pa.float64()),
        ("labels", pa.int64()),
        ("image", pa.string()),
        ("masks", pa.list_(pa.string())),
        ("sha256", pa.string()),
    ]
)


class ChipTable:
    """`chips.parquet`: one row a chip, in the order of the plan."""

    def __init__(self) -> None:
        self._rows = io.BytesIO()

    def add(self, row: bytes) -> None:
        """Take the next row, as `chip_row` gave it."""
        self._rows.write(row + b"\n")

    def parquet(self) -> bytes:
        """The whole file; without chips it has the columns and no rows."""
        stream = io.BytesIO()
        pq.write_table(self._table(), stream, compression="zstd")
        return stream.getvalue()

    def _table(self) -> pa.Table:
        """Not from Python's objects: for these pyarrow loads pandas, which takes half a second."""
        if not self._rows.tell():
            return _SCHEMA.empty_table()
        self._rows.seek(0)
        how = pj.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="error")
        return pj.read_json(self._rows, parse_options=how).select(_SCHEMA.names).combine_chunks()


def chip_row(
    chip: Chip,
    moments: Sequence[list[float] | None],
    *,
    scene_version: str,
    image: str,
    content: bytes,
    masks: Sequence[str],
) -> bytes:
    """The row of a chip whose files have been written, as JSON.

    Args:
        chip: the chip.
        moments: of its bands (see `facts.moments_of`).
        scene_version: of the chip's scene.
        image: path of its image, relative to the dataset.
        content: the bytes of that file.
        masks: paths of its masks, relative to the dataset.
    """
    low, high = _value_range(chip, moments)
    return orjson.dumps(
        {
            "chip": chip.name,
            "scene": chip.scene,
            "scene_version": scene_version,
            "split": chip.split,
            "col": chip.window[0],
            "row": chip.window[1],
            "width": chip.grid.width,
            "height": chip.grid.height,
            "crs": chip.grid.crs,
            "transform": list(chip.grid.transform),
            "bands": list(chip.bands),
            "value_min": low,
            "value_max": high,
            "coverage": chip.coverage,
            "valid": float(np.count_nonzero(chip.valid) / chip.valid.size),
            "labels": len(chip.labels),
            "image": image,
            "masks": list(masks),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    )


def _value_range(chip: Chip, moments: Sequence[list[float] | None]) -> tuple[float | None, float | None]:
    """Smallest and largest value of all bands, where the chip has data; None when there is no order, or no end to them."""
    known = [part for part in moments if part is not None]
    if np.iscomplexobj(chip.sight) or not known:
        return None, None
    if chip.sight.dtype.kind == "f" and np.isinf(chip.sight[:, chip.valid]).any():
        return None, None
    return min(part[3] for part in known), max(part[4] for part in known)


def manifest(
    plan: Plan, *, formats: Sequence[str], chips: dict[str, int], snapshot: Mapping[str, Any]
) -> dict[str, Any]:
    """What `manifest.json` says.

    Args:
        plan: project, scenes and spec.
        formats: names, in the order asked for.
        chips: how many by split.
        snapshot: the state that was exported (see `ExportReport`).
    """
    project = plan.project
    return {
        "format_version": FORMAT_VERSION,
        "project": project.id,
        "title": project.title,
        "crs": project.crs,
        "unlabelled": project.unlabelled,
        "snapshot": dict(snapshot),
        "formats": list(formats),
        "chip_spec": plan.spec.to_json(),
        "classes": [
            {
                "id": c.id,
                "name": c.name,
                "color": c.color,
                "parent": c.parent,
                "kind": c.kind,
                "priority": c.priority,
            }
            for c in project.classes
        ],
        "scenes": [
            {
                "id": s.id,
                "file": Path(s.href).name,
                "version": s.version,
                "datetime": s.datetime,
                "crs": s.grid.crs,
                "transform": list(s.grid.transform),
                "width": s.grid.width,
                "height": s.grid.height,
                "bands": [
                    {"index": b.index, "name": b.name, "dtype": b.dtype, "nodata": _number(b.nodata)} for b in s.bands
                ],
                "synthetic": s.synthetic,
            }
            for s in plan.scenes
        ],
        "chips": chips,
        "software": {
            "geolabel": geolabel.__version__,
            "gdal": rasterio.__gdal_version__,
            "geos": shapely.geos_version_string,
            "rasterio": rasterio.__version__,
            "numpy": np.__version__,
            "pyarrow": pa.__version__,
        },
    }


def _number(value: float | None) -> float | str | None:
    """JSON has no NaN."""
    return value if value is None or np.isfinite(value) else str(value)
