"""An R*Tree of SQLite packed in one go: full nodes of neighbours, written into the tables that hold the tree.

Inserting a million boxes one by one takes ten seconds, this takes one, and queries find less to read. The format is that
of `sqlite3/ext/rtree/rtree.c`; the order is Leutenegger's sort-tile-recursive, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from numpy.typing import NDArray

_CELL = np.dtype([("id", ">i8"), ("box", ">f4", 4)])
_HEADER = 4  # depth of the tree (in the root) and number of cells, 2 bytes each
_ROOT = 1
_PAIRS = 400  # rows in a statement: 800 numbers, and no SQLite takes fewer than 999


@dataclass(frozen=True, slots=True)
class _Level:
    """The nodes of one depth: cells in order, `per_node` in each."""

    ids: NDArray[np.int64]
    boxes: NDArray[np.float32]
    nodes: int


def pack(connection: sqlite3.Connection, name: str, ids: NDArray[np.int64], bounds: NDArray[np.float64]) -> None:
    """Fill an R*Tree, whatever it held before.

    Args:
        connection: in a write transaction.
        name: of the virtual table, two-dimensional.
        ids: (n,), none twice.
        bounds: (n, 4) min x, min y, max x, max y; finite.
    """
    size = _node_size(connection, name)
    for table in ("node", "parent", "rowid"):
        connection.execute(f'DELETE FROM "{name}_{table}"')  # noqa: S608 (a project's id is a slug)
    boxes = outward(bounds)
    # A root without cells is what an empty tree has; more rows than that are numbered below.
    per_node = (size - _HEADER) // _CELL.itemsize
    levels = list(_levels(ids, boxes, _order(bounds, per_node), per_node))
    first = _first_nodes(levels)
    for depth, level in enumerate(levels):
        root = depth == len(levels) - 1
        blobs = _nodes(level, per_node, size, len(levels) - 1 if root else 0)
        connection.executemany(
            f'INSERT INTO "{name}_node" VALUES (?, ?)',  # noqa: S608
            zip(range(first[depth], first[depth] + level.nodes), blobs, strict=True),
        )
        owners = first[depth] + np.arange(len(level.ids)) // per_node
        if depth == 0:
            by_id = np.argsort(
                level.ids, kind="stable"
            )  # rows in the order of their key are appended, not searched for
            _insert_pairs(connection, f"{name}_rowid", level.ids[by_id], owners[by_id])
        else:
            children = np.arange(first[depth - 1], first[depth - 1] + len(level.ids))
            _insert_pairs(connection, f"{name}_parent", children, owners)


def _insert_pairs(
    connection: sqlite3.Connection, table: str, keys: NDArray[np.int64], values: NDArray[np.int64]
) -> None:
    """Rows of two numbers, many in a statement."""
    pairs = np.column_stack((keys, values))
    for start in range(0, len(pairs), _PAIRS):
        some = pairs[start : start + _PAIRS]
        places = ", ".join(["(?, ?)"] * len(some))
        connection.execute(f'INSERT INTO "{table}" VALUES {places}', some.ravel().tolist())  # noqa: S608


def outward(bounds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Boxes as an R*Tree has them, float32 (n, 4) min x, max x, min y, max y, none smaller than it was."""
    result = np.empty((len(bounds), 4), dtype=np.float32)
    for column, source, towards in ((0, 0, -np.inf), (1, 2, np.inf), (2, 1, -np.inf), (3, 3, np.inf)):
        near = bounds[:, source].astype(np.float32)
        short = near > bounds[:, source] if towards < 0 else near < bounds[:, source]
        result[:, column] = np.where(short, np.nextafter(near, np.float32(towards)), near)
    return result


def _node_size(connection: sqlite3.Connection, name: str) -> int:
    """Bytes of a node: every tree has a root of the full size from its creation on."""
    size: int = connection.execute(f'SELECT length(data) FROM "{name}_node" WHERE nodeno = 1').fetchone()[0]  # noqa: S608
    return size


def _order(bounds: NDArray[np.float64], per_node: int) -> NDArray[np.int64]:
    """Neighbours beside each other: slices by x, each ordered by y."""
    count = len(bounds)
    x, y = bounds[:, 0] + bounds[:, 2], bounds[:, 1] + bounds[:, 3]
    per_slice = per_node * max(1, int(np.ceil(np.sqrt(np.ceil(count / per_node)))))
    slices = np.empty(count, dtype=np.int64)
    slices[np.argsort(x, kind="stable")] = np.arange(count) // per_slice
    return np.lexsort((y, slices))


def _levels(
    ids: NDArray[np.int64], boxes: NDArray[np.float32], order: NDArray[np.int64], per_node: int
) -> Iterator[_Level]:
    """From the leaves up to the root."""
    cells, ids = boxes[order], ids[order]
    while True:
        nodes = max(1, -(-len(ids) // per_node))
        yield _Level(ids, cells, nodes)
        if nodes == 1:
            return
        starts = np.arange(0, len(ids), per_node)
        cells = np.column_stack(
            [pick.reduceat(cells[:, c], starts) for c, pick in enumerate((np.minimum, np.maximum) * 2)]
        )
        ids = np.arange(nodes)  # which node below; its number is known once all levels are


def _first_nodes(levels: list[_Level]) -> list[int]:
    """The number of the first node of each level; the root is 1."""
    first, free = [0] * len(levels), _ROOT
    for depth in range(len(levels) - 1, -1, -1):
        first[depth] = free
        free += levels[depth].nodes
        if depth < len(levels) - 1:
            levels[depth + 1].ids[:] = first[depth] + np.arange(levels[depth].nodes)
    return first


def _nodes(level: _Level, per_node: int, size: int, depth: int) -> Iterator[bytes]:
    cells = np.zeros(level.nodes * per_node, dtype=_CELL)
    cells["id"][: len(level.ids)] = level.ids
    cells["box"][: len(level.ids)] = level.boxes
    raw, width = cells.tobytes(), per_node * _CELL.itemsize
    rest = bytes(size - _HEADER - width)
    for node in range(level.nodes):
        count = min(per_node, len(level.ids) - node * per_node)
        yield depth.to_bytes(2, "big") + count.to_bytes(2, "big") + raw[node * width : (node + 1) * width] + rest
