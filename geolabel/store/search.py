"""Annotations found: by a filter, and by where they are, tested on their exact geometry.

The database chooses by its index and by what the filter compiles to; geometries come out in bulk as arrays, and those
that the index does not decide about are tested there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from geolabel.batches import BATCH_COLUMNS, LabelBatch
from geolabel.errors import InvalidInput
from geolabel.geo.areas import Area
from geolabel.geo.placed import Placed, join
from geolabel.geo.ragged import NO_SHAPES
from geolabel.store import layers
from geolabel.store.dialect import spatial
from geolabel.store.forms import FLAT, OBJECTS
from geolabel.store.layers import visible
from geolabel.store.limits import check_box, check_time, limited
from geolabel.store.remembered import remembered
from geolabel.store.states import to_annotation
from geolabel.store.tables import MAX_KEY
from geolabel.store.where import condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Connection, Row

    from geolabel.cql import Where
    from geolabel.model import Annotation, Bounds, Status
    from geolabel.store.forms import Form, Shapes
    from geolabel.store.layers import Layer

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
    areas: Sequence[Area] | None = None,
    where: Where | None = None,
    seconds: float | None = None,
) -> list[Annotation]:
    """Annotations by id. See Store.query."""
    layer = layers.find(connection, project)
    columns = tuple(layer.table.c)
    pages = _pages(
        connection,
        layer,
        columns,
        OBJECTS,
        bbox=bbox,
        class_name=class_name,
        status=status,
        after=after,
        limit=limit,
        areas=areas,
        where=where,
        seconds=seconds,
    )
    names = [column.name for column in columns]
    return [
        to_annotation(dict(zip(names, row, strict=True)), geometry, layer)
        for rows, geometries in pages
        for row, geometry in zip(rows, geometries, strict=True)
    ]


def _pages(
    connection: Connection,
    layer: Layer,
    columns: tuple[ColumnElement[Any], ...],
    form: Form[Shapes],
    *,
    bbox: Bounds | None = None,
    class_name: str | None = None,
    status: Status | None = None,
    after: int = 0,
    limit: int | None = None,
    areas: Sequence[Area] | None = None,
    where: Where | None = None,
    seconds: float | None = None,
) -> Iterator[tuple[list[Row[Any]], Shapes]]:
    """Annotations by id in bulk, for those who write them out without making objects of them.

    Args:
        connection: that reads.
        layer: whose.
        columns: that are wanted, `geom` among them.
        form: of the shapes.
        bbox: see Store.query, also for what follows.
        class_name: only those of this class.
        status: only those that stand there.
        after: only ids above this one.
        limit: at most so many; None for all.
        areas: only those that meet one of them.
        where: only those that a filter chooses.
        seconds: how long it may take.

    Yields:
        Rows, with the columns in their order, and their shapes in the CRS of the layer.
    """
    if limit is not None and limit < 0:
        raise InvalidInput(f"A limit is 0 or more, got {limit}.")
    areas = _areas(connection, layer, bbox, areas)
    if limit == 0 or after >= MAX_KEY or areas == ():
        return
    wanted = [*_filters(connection, layer, class_name, status, where), layer.table.c.id > max(after, 0)]
    left = limit
    with limited(connection, seconds) as deadline:
        for found, shapes in _hits(
            connection, layer, wanted, form, areas=areas, columns=columns, limit=limit, deadline=deadline
        ):
            if left is not None and len(found) >= left:
                yield found[:left], form.take(shapes, np.arange(left))
                return
            yield found, shapes
            left = None if left is None else left - len(found)


def rows(connection: Connection, project: str, columns: Sequence[str], **wanted: Any) -> tuple[list[Row[Any]], Placed]:
    """Annotations by id as tuples. See Store.rows."""
    layer = layers.find(connection, project)
    chosen = (*(layer.table.c[name] for name in columns), layer.table.c.geom)
    found: list[Row[Any]] = []
    parts = [Placed(NO_SHAPES)]
    for some, shapes in _pages(connection, layer, chosen, FLAT, **wanted):
        found += some
        parts.append(shapes)
    return found, join(parts)


def count(
    connection: Connection,
    project: str,
    *,
    bbox: Bounds | None,
    class_name: str | None,
    status: Status | None,
    areas: Sequence[Area] | None = None,
    where: Where | None = None,
    seconds: float | None = None,
) -> int:
    """How many annotations a query without a limit would give. See Store.count."""
    layer = layers.find(connection, project)
    areas = _areas(connection, layer, bbox, areas)
    if areas == ():
        return 0
    wanted = _filters(connection, layer, class_name, status, where)
    total = sa.select(sa.func.count()).select_from(layer.table)
    with limited(connection, seconds) as deadline:
        if areas is None:
            return connection.execute(total.where(*wanted)).scalar_one()
        # Most lie inside: only the shapes across the edge need a look at their geometry.
        side, table = spatial(connection), layer.table
        inside = sa.or_(sa.false(), *(side.within(table, a.inner) for a in areas if a.inner is not None))
        sure = connection.execute(total.where(*wanted, inside)).scalar_one()
        edge = sa.or_(
            *(
                side.overlapping(table, a.bounds) if a.inner is None else side.crossing(table, a.bounds, a.inner)
                for a in areas
                if a.bounds is not None
            )
        )
        wanted.append(edge if len(areas) == 1 else edge & ~inside)
        columns, size = (layer.table.c.geom,), _ROWS_AT_ONCE
        parts = _parts(connection, layer, wanted, OBJECTS, columns=columns, size=size, deadline=deadline)
        return sure + sum(int(np.count_nonzero(OBJECTS.meets(areas, shapes))) for _, shapes in parts)


def extent(connection: Connection, project: str) -> Bounds | None:
    """The box around all annotations. See Store.extent."""
    return _extent(connection, layers.find(connection, project))


def _extent(connection: Connection, layer: Layer) -> Bounds | None:
    table = layer.table
    return remembered(connection, ("extent", table.name), lambda: spatial(connection).extent(connection, table))


def batches(
    connection: Connection, project: str, *, bbox: Bounds | None, size: int, where: Where | None = None
) -> Iterator[LabelBatch]:
    """Annotations as arrays, by id. See Store.batches."""
    if size < 1:
        raise InvalidInput(f"A batch holds at least one annotation, got the size {size}.")
    layer = layers.find(connection, project)
    columns = (
        layer.table.c.id,
        layer.table.c["class"],
        layer.table.c.geom,
        *(layer.table.c[n] for n in (*BATCH_COLUMNS, *(a.name for a in layer.project.attributes))),
    )
    areas = _areas(connection, layer, bbox, None)
    names = [column.name for column in columns]
    wanted = _filters(connection, layer, None, None, where)
    for rows, geometries in _hits(connection, layer, wanted, OBJECTS, areas=areas, columns=columns, size=size):
        if rows:
            yield _batch(rows, names, geometries, layer)


def _batch(
    rows: Sequence[Sequence[Any]], names: Sequence[str], geometries: NDArray[np.object_], layer: Layer
) -> LabelBatch:
    columns = {
        name: np.array(values, dtype=object) for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }
    kept = (*BATCH_COLUMNS, *(a.name for a in layer.project.attributes))
    return LabelBatch(
        columns["id"].astype(np.int64), columns["class"], geometries, {name: columns[name] for name in kept}
    )


def _filters(
    connection: Connection, layer: Layer, class_name: str | None, status: Status | None, where: Where | None
) -> list[ColumnElement[bool]]:
    wanted = visible(layer)
    if class_name is not None:
        # PostgreSQL does not even compare with what no text can hold.
        wanted.append(sa.false() if "\0" in class_name else layer.table.c["class"] == class_name)
    if status is not None:
        wanted.append(layer.table.c.status == str(status))
    if where is not None:
        wanted.append(condition(where, layer.table, spatial(connection), layer.srs_id))
    return wanted


def _areas(
    connection: Connection, layer: Layer, bbox: Bounds | None, areas: Sequence[Area] | None
) -> tuple[Area, ...] | None:
    """Where to look; None for everywhere, as with a box that holds the whole layer; () for nowhere.

    Raises:
        InvalidInput: a box that is none.
    """
    if bbox is not None:
        check_box(bbox)
        areas = (Area(bbox, None, "", ""),)
    if areas is None:
        return None
    extent = _extent(connection, layer)
    if any(a.bounds is None or (extent is not None and a.box is None and _holds(a.bounds, extent)) for a in areas):
        return None
    return tuple(areas)


def _holds(outer: Bounds, inner: Bounds) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def _hits(
    connection: Connection,
    layer: Layer,
    wanted: list[ColumnElement[bool]],
    form: Form[Shapes],
    *,
    areas: tuple[Area, ...] | None,
    columns: tuple[ColumnElement[Any], ...],
    size: int = _ROWS_AT_ONCE,
    limit: int | None = None,
    deadline: float | None = None,
) -> Iterator[tuple[list[Row[Any]], Shapes]]:
    """Rows and their shapes in order of id, at most `size` at a time; areas are tested on the exact geometry."""
    if areas is not None:
        near = (spatial(connection).overlapping(layer.table, area.bounds) for area in areas if area.bounds is not None)
        wanted = [*wanted, sa.or_(*near)]
        limit, size = None, size if limit is None else min(limit, size)
    for rows, shapes in _parts(
        connection, layer, wanted, form, columns=columns, size=size, limit=limit, deadline=deadline
    ):
        hit = None if areas is None else form.meets(areas, shapes)
        if hit is None or hit.all():
            yield list(rows), shapes
        else:
            yield (
                [row for row, is_hit in zip(rows, hit.tolist(), strict=True) if is_hit],
                form.take(shapes, np.flatnonzero(hit)),
            )


def _parts(
    connection: Connection,
    layer: Layer,
    wanted: list[ColumnElement[bool]],
    form: Form[Shapes],
    *,
    columns: tuple[ColumnElement[Any], ...],
    size: int,
    limit: int | None = None,
    deadline: float | None = None,
) -> Iterator[tuple[Sequence[Row[Any]], Shapes]]:
    select = sa.select(*columns).where(*wanted).order_by(layer.table.c.id).limit(limit)
    options = {} if limit is not None and limit <= size else {"yield_per": size}
    with connection.execute(select, execution_options=options) as result:
        shape = [column.name for column in columns].index("geom")
        for rows in result.partitions(size):
            yield rows, form.decode(spatial(connection), [row[shape] for row in rows])
            check_time(deadline)
