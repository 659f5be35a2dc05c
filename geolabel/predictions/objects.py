"""Objects as flat arrays, on the pixel lattice that their chips share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


_NONE = np.empty(0, dtype=object)


@dataclass(slots=True)
class Objects:
    """Objects, each on one picture, or joined of pieces on several.

    Attributes:
        shapes: (n,) shapely objects.
        classes: (n,) names.
        scores: (n,) 0..1; NaN where nothing says.
        pointers: (n,) where the first piece is in the file.
        keys: (n,) what pieces of one thing have in common; None where nothing says.
        pictures: (n,) the pictures that each was seen on, as frozen sets of numbers.
        scenes: (n,) ids; empty where nothing says.
        boxes: bool (n,) whether a shape is an upright box and nothing else.
        columns: (n,) each, what else was said, by name.
    """

    shapes: NDArray[np.object_]
    classes: NDArray[np.object_]
    scores: NDArray[np.float64]
    pointers: NDArray[np.object_]
    keys: NDArray[np.object_]
    pictures: NDArray[np.object_]
    scenes: NDArray[np.object_]
    boxes: NDArray[np.bool_]
    columns: Mapping[str, NDArray[np.object_]]

    def __len__(self) -> int:
        return len(self.shapes)

    def take(self, rows: NDArray[Any]) -> Objects:
        """Those at these positions, or where a mask of bool is True."""
        return Objects(
            self.shapes[rows],
            self.classes[rows],
            self.scores[rows],
            self.pointers[rows],
            self.keys[rows],
            self.pictures[rows],
            self.scenes[rows],
            self.boxes[rows],
            {name: column[rows] for name, column in self.columns.items()},
        )


def joined(parts: Sequence[Objects]) -> Objects:
    """One after the other."""

    def column(name: str) -> NDArray[np.object_]:
        return np.concatenate([p.columns.get(name, np.full(len(p), None, dtype=object)) for p in parts])

    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    return Objects(
        shapes=np.concatenate([_NONE, *(p.shapes for p in parts)]),
        classes=np.concatenate([_NONE, *(p.classes for p in parts)]),
        scores=np.concatenate([np.empty(0), *(p.scores for p in parts)]),
        pointers=np.concatenate([_NONE, *(p.pointers for p in parts)]),
        keys=np.concatenate([_NONE, *(p.keys for p in parts)]),
        pictures=np.concatenate([_NONE, *(p.pictures for p in parts)]),
        scenes=np.concatenate([_NONE, *(p.scenes for p in parts)]),
        boxes=np.concatenate([np.empty(0, dtype=bool), *(p.boxes for p in parts)]),
        columns={name: column(name) for name in names},
    )


def objects(values: Sequence[Any]) -> NDArray[np.object_]:
    """(n,) of any Python objects: numpy would look into lists and sets."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def are_boxes(shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which shapes are upright boxes, (n,)."""
    flat = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
    result: NDArray[np.bool_] = (
        flat
        & (shapely.get_num_coordinates(shapes) == 5)
        & np.isclose(shapely.area(shapes), shapely.area(shapely.envelope(shapes)), rtol=1e-12)
    )
    return result
