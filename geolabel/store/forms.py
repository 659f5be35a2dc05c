"""The two forms in which shapes come out of a database: an object for each, or all of them as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from geolabel.compiled import when_ready
from geolabel.geo.placed import Placed
from geolabel.geo.ragged import Ragged, from_shapely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from geolabel.geo.areas import Area
    from geolabel.store.dialect import Spatial

Shapes = TypeVar("Shapes")

_WORTH_COMPILED = 40_000
"""Bytes of shapes from which on those that are read later are worth compiled code."""


def _decode_flat(side: Spatial, blobs: Sequence[bytes]) -> Ragged:
    reader = when_ready("geolabel.geo.wkb_reader", worth=sum(map(len, blobs)) >= _WORTH_COMPILED)
    found: Ragged | None = reader.read_wkb(blobs) if reader else None
    return from_shapely(side.decode(blobs)) if found is None else found


@dataclass(frozen=True, slots=True)
class Form(Generic[Shapes]):
    """How shapes come out of the database.

    Attributes:
        decode: what the geometry column gives to shapes (n,).
        meets: which of them meet one of some areas, (n,).
        take: those at some positions.
    """

    decode: Callable[[Spatial, Sequence[bytes]], Shapes]
    meets: Callable[[Sequence[Area], Shapes], NDArray[np.bool_]]
    take: Callable[[Shapes, NDArray[np.int64]], Shapes]


def _any(hits: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    together: NDArray[np.bool_] = np.logical_or.reduce(list(hits))
    return together


OBJECTS: Form[NDArray[np.object_]] = Form(
    lambda side, blobs: side.decode(blobs),
    lambda areas, shapes: _any(area.meets(shapes) for area in areas),
    lambda shapes, rows: shapes[rows],
)
FLAT: Form[Placed] = Form(
    lambda side, blobs: Placed(_decode_flat(side, blobs)),
    lambda areas, shapes: _any(area.meets_flat(shapes) for area in areas),
    lambda shapes, rows: shapes.take(rows),
)
