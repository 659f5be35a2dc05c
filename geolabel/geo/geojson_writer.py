"""The text of GeoJSON geometries put together in compiled code, from the text of all their positions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.geo.ragged import Ragged

_COMMA, _OPEN, _CLOSE, _END = 44, 91, 93, 125


def write_texts(shapes: Ragged, positions: bytes, heads: Sequence[bytes]) -> list[bytes]:
    """The geometries of shapes (n,), none of them NONE, as text.

    Args:
        shapes: what the brackets go by.
        positions: of all vertices in order, as a list: `[[1.0,2.0],[3.0,4.0]]`.
        heads: by kind, what a geometry begins with: `{"type":"Point","coordinates":`.
    """
    ends = np.cumsum([0, *map(len, heads)])
    joined = np.frombuffer(b"".join(heads), dtype=np.uint8)
    room = len(positions) + len(shapes) * (max(map(len, heads)) + 6) + 3 * (len(shapes.rings) + len(shapes.parts))
    out = np.empty(room, dtype=np.uint8)
    begins = np.zeros(len(shapes) + 1, dtype=np.int64)
    text = np.frombuffer(positions, dtype=np.uint8)
    _write(text, joined, ends, shapes.kinds, shapes.rings, shapes.parts, shapes.shapes, out, begins)
    whole = out[: begins[-1]].tobytes()
    return [whole[begin:end] for begin, end in pairwise(begins.tolist())]


def warm_up() -> None:
    """Compile what is here, or load it when it was compiled before."""
    text, numbers = np.frombuffer(b"[]", np.uint8), np.zeros(1, dtype=np.int64)
    _write(text, text, numbers, np.empty(0, np.int8), numbers, numbers, numbers, np.empty(9, np.uint8), numbers.copy())


@compiled
def _write(
    text: NDArray[np.uint8],
    heads: NDArray[np.uint8],
    head_ends: NDArray[np.int64],
    kinds: NDArray[np.int8],
    rings: NDArray[np.int64],
    parts: NDArray[np.int64],
    shapes: NDArray[np.int64],
    out: NDArray[np.uint8],
    begins: NDArray[np.int64],
) -> None:
    at, to = 1, 0
    for shape in range(len(kinds)):
        kind = kinds[shape]
        head = heads[head_ends[kind] : head_ends[kind + 1]]
        out[to : to + len(head)] = head
        to += len(head)
        # A list of parts, each of them a list of rings: what a kind does not have is left out.
        of_parts, of_rings = kind == 6, kind in (3, 5, 6)
        if of_parts:
            out[to] = _OPEN
            to += 1
        for part in range(shapes[shape], shapes[shape + 1]):
            if part > shapes[shape]:
                out[to] = _COMMA
                to += 1
            if of_rings:
                out[to] = _OPEN
                to += 1
            for ring in range(parts[part], parts[part + 1]):
                if ring > parts[part]:
                    out[to] = _COMMA
                    to += 1
                until = _after(text, at, rings[ring + 1] - rings[ring])
                if kind != 0:
                    out[to] = _OPEN
                    to += 1
                out[to : to + until - at] = text[at:until]
                to += until - at
                at = until + 1
                if kind != 0:
                    out[to] = _CLOSE
                    to += 1
            if of_rings:
                out[to] = _CLOSE
                to += 1
        if of_parts:
            out[to] = _CLOSE
            to += 1
        out[to] = _END
        to += 1
        begins[shape + 1] = to


@compiled
def _after(text: NDArray[np.uint8], at: int, count: int) -> int:
    """Where so many positions end."""
    while count > 0:
        if text[at] == _CLOSE:
            count -= 1
        at += 1
    return at
