"""Annotations found: by class and status, and by where they are, tested on their exact geometry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import sqlalchemy as sa
from shapely.geometry import LineString, Point

from geolabel.errors import InvalidInput
from geolabel.model import BATCH_COLUMNS, LabelBatch
from geolabel.store import projects
from geolabel.store.dialect import spatial
from geolabel.store.projects import visible
from geolabel.store.states import to_annotation
from geolabel.store.tables import MAX_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import ColumnElement, Connection, RowMapping

    from geolabel.model import Annotation, Bounds, Status
    from geolabel.store.projects import Layer

_ROWS_AT_ONCE = 10_000


def query(
    connection: Connection,
    project: str,
    *,
    bbox: Bounds | None,
    class_name: str | None,
    status: Status | None,
    after: int,
    limit: int | None,
) -> list[Annotation]:
    """Annotations by id. See Store.query."""
    if limit is not None and limit < 0:
        raise InvalidInput(f"A limit is 0 or more, got {limit}.")
    layer = projects.find(connection, project)
    if limit == 0 or after >= MAX_KEY:
        return []
    wanted = [*_filters(layer, class_name, status), layer.table.c.id > max(after, 0)]
    found: list[Annotation] = []
    size = _ROWS_AT_ONCE if limit is None else min(limit, _ROWS_AT_ONCE)
    for rows, geometries in _hits(connection, layer, wanted, bbox=bbox, columns=tuple(layer.table.c), size=size):
        found += [to_annotation(row, geometry, layer) for row, geometry in zip(rows, geometries, strict=True)]
        if limit is not None and len(found) >= limit:
            break
    return found[:limit]


def count(
    connection: Connection,
    project: str,
    *,
    bbox: Bounds | None,
    class_name: str | None,
    status: Status | None,
) -> int:
    """How many annotations a query without a limit would give. See Store.count."""
    layer = projects.find(connection, project)
    wanted = _filters(layer, class_name, status)
    total = sa.select(sa.func.count()).select_from(layer.table).where(*wanted)
    if bbox is None or _holds_all(connection, layer, bbox):
        return connection.execute(total).scalar_one()
    # Most lie inside: only the shapes across the edge need a look at their geometry.
    inside = connection.execute(total.where(spatial(connection).within(layer.table, bbox))).scalar_one()
    wanted.append(spatial(connection).crossing(layer.table, bbox))
    edge = sa.select(layer.table.c.geom).where(*wanted)
    geometries = spatial(connection).decode(connection.execute(edge).scalars().all())
    return inside + int(np.count_nonzero(shapely.intersects(area_of(bbox), geometries)))


def extent(connection: Connection, project: str) -> Bounds | None:
    """The box around all annotations. See Store.extent."""
    layer = projects.find(connection, project)
    return spatial(connection).extent(connection, layer.table)


def batches(connection: Connection, project: str, *, bbox: Bounds | None, size: int) -> Iterator[LabelBatch]:
    """Annotations as arrays, by id. See Store.batches."""
    if size < 1:
        raise InvalidInput(f"A batch holds at least one annotation, got the size {size}.")
    layer = projects.find(connection, project)
    columns = (
        layer.table.c.id,
        layer.table.c["class"],
        layer.table.c.geom,
        *(layer.table.c[n] for n in BATCH_COLUMNS),
    )
    for rows, geometries in _hits(connection, layer, visible(layer), bbox=bbox, columns=columns, size=size):
        if rows:
            yield to_batch(rows, geometries)


def to_batch(rows: Sequence[RowMapping], geometries: NDArray[np.object_]) -> LabelBatch:
    """Rows with the columns of one state to arrays."""
    return LabelBatch(
        ids=np.array([row["id"] for row in rows], dtype=np.int64),
        class_names=np.array([row["class"] for row in rows], dtype=object),
        geometries=geometries,
        columns={n: np.array([row[n] for row in rows], dtype=object) for n in BATCH_COLUMNS},
    )


def _filters(layer: Layer, class_name: str | None, status: Status | None) -> list[ColumnElement[bool]]:
    wanted = visible(layer)
    if class_name is not None:
        wanted.append(layer.table.c["class"] == class_name)
    if status is not None:
        wanted.append(layer.table.c.status == str(status))
    return wanted


def _hits(
    connection: Connection,
    layer: Layer,
    wanted: list[ColumnElement[bool]],
    *,
    bbox: Bounds | None,
    columns: tuple[ColumnElement[Any], ...],
    size: int,
) -> Iterator[tuple[list[RowMapping], NDArray[np.object_]]]:
    """Rows and their geometries in order of id, `size` at a time; the box is tested on the exact geometry."""
    select = sa.select(*columns).where(*wanted).order_by(layer.table.c.id)
    area = None
    if bbox is not None and not _holds_all(connection, layer, bbox):
        area = area_of(bbox)
        select = select.where(spatial(connection).overlapping(layer.table, bbox))
    result = connection.execute(select, execution_options={"yield_per": size})
    for rows in result.mappings().partitions():
        geometries = spatial(connection).decode([row["geom"] for row in rows])
        if area is None:
            yield list(rows), geometries
        else:
            hit = shapely.intersects(area, geometries)
            yield [row for row, is_hit in zip(rows, hit, strict=True) if is_hit], geometries[hit]


def _holds_all(connection: Connection, layer: Layer, bbox: Bounds) -> bool:
    """Whether a box holds the whole layer, as that of a map zoomed far out does: then it need not be tested.

    Raises:
        InvalidInput: a box that is none.
    """
    check_box(bbox)
    extent = spatial(connection).extent(connection, layer.table)
    return extent is not None and bool(
        bbox[0] <= extent[0] and bbox[1] <= extent[1] and bbox[2] >= extent[2] and bbox[3] >= extent[3]
    )


def check_box(bbox: Bounds) -> None:
    """Refuse what is no box.

    Raises:
        InvalidInput: not four finite numbers, or the largest before the smallest.
    """
    if len(bbox) != 4 or not all(map(math.isfinite, bbox)) or bbox[0] > bbox[2] or bbox[1] > bbox[3]:
        raise InvalidInput(
            f"A box is (min x, min y, max x, max y) in finite numbers of the project's CRS, got {tuple(bbox)}.",
        )


def area_of(bbox: Bounds) -> BaseGeometry:
    """A box as a shape to test with; one without width or height is a line or a point."""
    low, high = bbox[:2], bbox[2:]
    if low == high:
        area: BaseGeometry = Point(low)
    elif low[0] == high[0] or low[1] == high[1]:
        area = LineString([low, high])
    else:
        area = shapely.box(*bbox)
    shapely.prepare(area)
    return area
