"""A batch that keeps borders: what a client put on a neighbour's vertex rests on it, to the last bit.

A client reads a vertex in its own CRS and gives it back in that CRS: on the way there and back the last bits are lost. For a
label's own vertices they are restored when it is read (`geolabel.geo.vertices`); here for those of its neighbours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.geo import crs as crs_
from geolabel.geo.borders import SAME_M, new_vertices, weld
from geolabel.store.batch import Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.api.features import View
    from geolabel.model import Annotation
    from geolabel.store.store import Store

MAX_WELDED = 1000
_MAX_NEIGHBOURS = 1000
_VERSIONS = 20


def welded(store: Store, view: View, batch: Batch, current: dict[int, Annotation]) -> Batch:
    """The same batch, its shapes on the vertices of the labels that they touch.

    Args:
        store: where the neighbours are.
        view: of the project.
        batch: read, not yet written.
        current: what it changes and deletes, by id: their vertices hold, too.
    """
    same = SAME_M / crs_.unit_metres(view.storage)
    before = [annotation.geometry for annotation in current.values()]

    def on_borders(shape: BaseGeometry, id_: int | None = None) -> BaseGeometry:
        west, south, east, north = shape.bounds
        box = (west - same, south - same, east + same, north + same)
        near = store.query(view.project.id, bbox=box, limit=_MAX_NEIGHBOURS)
        anchors = _vertices([*before, *(a.geometry for a in near)])
        if id_ is not None and len(new_vertices(_array([shape]), _array([*before, *(a.geometry for a in near)]))):
            # What was moved may be moved back: an undo finds the doubles of an earlier version.
            past = store.history(view.project.id, id_)[-_VERSIONS:]
            anchors = np.concatenate([anchors, _vertices([change.annotation.geometry for change in past])])
        within = (anchors >= (box[0], box[1])).all(axis=1) & (anchors <= (box[2], box[3])).all(axis=1)
        return weld(shape, anchors[within], same)

    return Batch(
        [replace(new, geometry=on_borders(new.geometry)) for new in batch.create],
        [
            edit
            if edit.new is None or edit.new.geometry is None
            else replace(edit, new=replace(edit.new, geometry=on_borders(edit.new.geometry, edit.id)))
            for edit in batch.update
        ],
        batch.delete,
    )


def _array(shapes: list[BaseGeometry]) -> NDArray[np.object_]:
    return np.array([*shapes, None], dtype=object)[:-1]


def _vertices(shapes: list[BaseGeometry]) -> NDArray[np.float64]:
    return shapely.get_coordinates(_array(shapes))
