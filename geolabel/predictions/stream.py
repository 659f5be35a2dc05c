"""Objects in the project's CRS -> the stream of labels that an import takes."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.formats.base import Features, LabelStream, odd_shapes
from geolabel.geo import crs as crs_
from geolabel.geo.ragged import from_shapely
from geolabel.model import Status

if TYPE_CHECKING:
    from collections.abc import Generator

    from geolabel.predictions.objects import Objects

_ROWS = 10_000


def labels_of(found: Objects, name: str, crs: str | None) -> LabelStream:
    """Labels as the file has them; their ids are their places in it.

    Args:
        found: objects in the project's CRS, at least one.
        name: of the file.
        crs: the project's.
    """
    columns = {**{n: list(c) for n, c in found.columns.items()}, "class": list(found.classes)}
    if not np.isnan(found.scores).all():
        columns["confidence"] = [None if np.isnan(s) else float(s) for s in found.scores]
    return _stream(found, columns, list(found.pointers), name, crs)


def suggestions_of(found: Objects, name: str, crs: str | None) -> LabelStream:
    """Suggestions of a model; the same object of the same model has the same id, in whichever file it comes.

    Args:
        found: objects in the project's CRS, at least one.
        name: of the file.
        crs: the project's.
    """
    columns = {
        "class": list(found.classes),
        "status": [Status.SUGGESTED.value] * len(found),
        "confidence": [None if np.isnan(s) else float(s) for s in found.scores],
        "scene": [scene or None for scene in found.scenes],
    }
    return _stream(found, columns, _ids(found), name, crs)


def _ids(found: Objects) -> list[str]:
    seen: Counter[str] = Counter()
    ids = []
    for wkb, class_name, score in zip(shapely.to_wkb(found.shapes), found.classes, found.scores.tolist(), strict=True):
        own = hashlib.sha256(f"{class_name}\0{score!r}\0".encode() + wkb).hexdigest()[:24]
        seen[own] += 1
        ids.append(own if seen[own] == 1 else f"{own}.{seen[own]}")
    return ids


def _stream(
    found: Objects, columns: dict[str, list[object]], ids: list[str], name: str, crs: str | None
) -> LabelStream:
    def batches() -> Generator[Features]:
        for start in range(0, len(found), _ROWS):
            part = slice(start, start + _ROWS)
            shapes = from_shapely(found.shapes[part])
            yield Features(
                shapes=shapes,
                odd=odd_shapes(found.shapes[part], shapes.kinds),
                unreadable={},
                columns={name: column[part] for name, column in columns.items()},
                numbers=found.pointers[part].tolist(),
                ids=ids[part],
                share=min(1.0, part.stop / len(found)),
            )

    return LabelStream(name, crs or crs_.PIXELS, batches())
