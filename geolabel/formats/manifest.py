"""What brings predictions home: manifest.json and chips.parquet. No clock, no path of this machine."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
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
        self._rows: list[dict[str, Any]] = []

    def add(self, row: bytes) -> None:
        """Take the next row, as `chip_row` gave it."""
        self._rows.append(orjson.loads(row))

    def parquet(self) -> bytes:
        """The whole file; without chips it has the columns and no rows."""
        stream = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(self._rows, schema=_SCHEMA), stream, compression="zstd")
        return stream.getvalue()


def chip_row(chip: Chip, *, scene_version: str, image: str, content: bytes, masks: Sequence[str]) -> bytes:
    """The row of a chip whose files have been written, as JSON.

    Args:
        chip: the chip.
        scene_version: of the chip's scene.
        image: path of its image, relative to the dataset.
        content: the bytes of that file.
        masks: paths of its masks, relative to the dataset.
    """
    low, high = _value_range(chip)
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
            "valid": float(chip.valid.mean()),
            "labels": len(chip.labels),
            "image": image,
            "masks": list(masks),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    )


def _value_range(chip: Chip) -> tuple[float | None, float | None]:
    values = chip.image if chip.valid.all() else chip.image[:, chip.valid]
    if np.iscomplexobj(values) or not values.size:
        return None, None
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if np.isfinite(low) and np.isfinite(high) else (None, None)


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
