"""A project as it was at a change set: the rows that are still current, and what history kept of the others.

A state is there at change set N when it was made by then and replaced only later: `changeset <= N < until`. So reading
the past costs a look at what has changed since, and replays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import sqlalchemy as sa

from geolabel.batches import BATCH_COLUMNS, LabelBatch
from geolabel.errors import InvalidInput, NotFound
from geolabel.geo.areas import Area
from geolabel.moments import read_moment
from geolabel.store import layers, search
from geolabel.store.dialect import spatial
from geolabel.store.history import last_changeset, missing
from geolabel.store.layers import visible
from geolabel.store.limits import check_box, limited
from geolabel.store.pastrows import ROWS_AT_ONCE, filters, hidden_at, sources, states
from geolabel.store.states import attributes_in, to_annotation, to_annotations
from geolabel.store.tables import MAX_KEY, changesets, snapshots

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Connection, FromClause

    from geolabel.cql import Where
    from geolabel.model import Annotation, Bounds, Status
    from geolabel.store.layers import Layer
    from geolabel.store.pastrows import Hit


def changeset_at(connection: Connection, project: str, moment: str | int) -> int:
    """The last change set of a moment. See Store.changeset_at."""
    layer = layers.find(connection, project)
    if isinstance(moment, str) and not (moment.isascii() and moment.isdecimal()):
        named = sa.select(snapshots.c.changeset).where(snapshots.c.project == layer.key, snapshots.c.name == moment)
        found: int | None = connection.execute(named).scalar()
        return _at_time(connection, layer, moment) if found is None else found
    last = last_changeset(connection)
    if not 0 <= int(moment) <= last:
        raise InvalidInput(f"There is no change set {int(moment)}: the last one is {last}, and 0 is before the first.")
    return int(moment)


def _at_time(connection: Connection, layer: Layer, moment: str) -> int:
    try:
        instant = read_moment(moment)
    except InvalidInput as error:
        raise InvalidInput(
            f"A moment in the past of {layer.project.id!r} is a time such as 2024-05-01T12:00:00Z, the number of a "
            f"change set, or the name of a snapshot; got {moment!r:.80}.",
        ) from error
    c = changesets.c
    until = c.at <= (instant if "T" in instant else f"{instant}T23:59:59.999Z")  # a date is its whole day
    last = sa.select(sa.func.max(sa.func.coalesce(c.seen_from, c.number))).where(
        c.project == layer.key, until, c.published
    )
    return connection.execute(last).scalar() or 0


def find(connection: Connection, project: str, annotation_id: int, *, at: int) -> Annotation:
    """One annotation as it was. See Store.annotation."""
    layer = layers.find(connection, project)
    if not 0 < annotation_id <= MAX_KEY:
        raise missing(layer, annotation_id)
    for table, columns, wanted in sources(connection, layer, at):
        row = connection.execute(sa.select(*columns).where(table.c.id == annotation_id, *wanted)).mappings().first()
        if row is not None:
            return to_annotations(connection, [row], layer)[0]
    raise NotFound(f"There was no annotation {annotation_id} in project {layer.project.id!r} at change set {at}.")


def query(
    connection: Connection,
    project: str,
    *,
    at: int,
    bbox: Bounds | None,
    class_name: str | None,
    status: Status | None,
    after: int,
    limit: int | None,
    areas: Sequence[Area] | None = None,
    where: Where | None = None,
    seconds: float | None = None,
) -> list[Annotation]:
    """Annotations by id, as they were. See Store.query."""
    if limit is not None and limit < 0:
        raise InvalidInput(f"A limit is 0 or more, got {limit}.")
    layer = layers.find(connection, project)
    with limited(connection, seconds) as deadline:
        hits = states(
            connection,
            layer,
            at,
            areas=_areas(bbox, areas),
            class_name=class_name,
            status=status,
            after=after,
            limit=limit,
            where=where,
            deadline=deadline,
        )
        return [to_annotation(row, geometry, layer) for _, row, geometry in hits]


def count(
    connection: Connection,
    project: str,
    *,
    at: int,
    bbox: Bounds | None,
    class_name: str | None,
    status: Status | None,
    areas: Sequence[Area] | None = None,
    where: Where | None = None,
    seconds: float | None = None,
) -> int:
    """How many annotations a query without a limit would give. See Store.count."""
    layer = layers.find(connection, project)
    areas = _areas(bbox, areas)
    with limited(connection, seconds) as deadline:
        if areas is not None or where is not None:
            chosen: dict[str, Any] = {"class_name": class_name, "status": status, "where": where}
            return sum(1 for _ in states(connection, layer, at, areas=areas, deadline=deadline, **chosen))
        return sum(
            connection.execute(
                sa.select(sa.func.count()).select_from(table).where(*wanted, *filters(table, class_name, status))
            ).scalar_one()
            for table, _, wanted in sources(connection, layer, at)
        )


def extent(connection: Connection, project: str, *, at: int) -> Bounds | None:
    """The box around all annotations, as they were. See Store.extent."""
    layer = layers.find(connection, project)
    now = spatial(connection).extent(connection, layer.table)
    c = layer.table.c
    since = sa.or_(c.changeset > at, c.changeset.in_(hidden_at(connection, at)))
    newer = _box(connection, layer.table, [since, *visible(layer)])
    boxes = []
    for table, _, wanted in sources(connection, layer, at):
        # What came since lies inside: then the older ones reach as far as all do.
        if table is layer.table and (newer is None or (now is not None and _inside(newer, now))):
            boxes.append(now)
        else:
            boxes.append(_box(connection, table, wanted))
    found = [box for box in boxes if box is not None]
    return _total(np.array(found)) if found else None


def _box(connection: Connection, table: FromClause, wanted: list[ColumnElement[bool]]) -> Bounds | None:
    select = sa.select(table.c.geom).where(*wanted)
    parts = connection.execute(select, execution_options={"yield_per": ROWS_AT_ONCE}).scalars().partitions()
    boxes = [shapely.total_bounds(spatial(connection).decode(list(blobs))) for blobs in parts]
    return _total(np.array(boxes)) if boxes else None


def _total(boxes: NDArray[np.float64]) -> Bounds:
    low, high = boxes.min(axis=0).tolist(), boxes.max(axis=0).tolist()
    return low[0], low[1], high[2], high[3]


def _inside(box: Bounds, outer: Bounds) -> bool:
    return outer[0] < box[0] and outer[1] < box[1] and outer[2] > box[2] and outer[3] > box[3]


def batches(
    connection: Connection, project: str, *, at: int, bbox: Bounds | None, size: int, where: Where | None = None
) -> Iterator[LabelBatch]:
    """Annotations as arrays, as they were. See Store.batches."""
    if size < 1:
        raise InvalidInput(f"A batch holds at least one annotation, got the size {size}.")
    layer = layers.find(connection, project)
    if last_changeset(connection, project) <= at:
        yield from search.batches(connection, project, bbox=bbox, size=size, where=where)
        return
    part: list[Hit] = []
    for hit in states(connection, layer, at, areas=_areas(bbox, None), where=where):
        part.append(hit)
        if len(part) == size:
            yield _batch(part, layer)
            part = []
    if part:
        yield _batch(part, layer)


def _batch(part: list[Hit], layer: Layer) -> LabelBatch:
    """States as arrays; attributes that they had are there beside those of the schema of today."""
    rows = [row for _, row, _ in part]
    values = [attributes_in(row, layer) for row in rows]
    attributes = dict.fromkeys([*(a.name for a in layer.project.attributes), *(n for some in values for n in some)])
    columns = {n: np.array([row[n] for row in rows], dtype=object) for n in BATCH_COLUMNS}
    return LabelBatch(
        ids=np.array([row["id"] for row in rows], dtype=np.int64),
        class_names=np.array([row["class"] for row in rows], dtype=object),
        geometries=np.array([*(geometry for _, _, geometry in part), None], dtype=object)[:-1],
        columns=columns | {n: np.array([some.get(n) for some in values], dtype=object) for n in attributes},
    )


def _areas(bbox: Bounds | None, areas: Sequence[Area] | None) -> Sequence[Area] | None:
    """Where to look; None for everywhere."""
    if bbox is not None:
        check_box(bbox)
        areas = [Area(bbox, None, "", "")]
    return None if areas is None or any(area.bounds is None for area in areas) else areas
