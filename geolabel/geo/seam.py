"""Shapes that a client was given cut at the antimeridian (or drew so) become one again.

A cut shape has parts that meet where the client's CRS begins and ends: at 180 and -180 degrees, or at the two edges of a
world map. On the ground that is one meridian, so the parts are joined there, in a CRS that does not end there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_ENDS = {"EPSG:3857": 20_037_508.342789244}


def end_of(crs: str, *, degrees: bool) -> float | None:
    """The x at which a CRS of the whole world ends (it begins at its negative); None for other CRSs."""
    return 180.0 if degrees else _ENDS.get(crs)


def snapped(xy: NDArray[np.float64], half: NDArray[np.float64], end: float) -> NDArray[np.int8]:
    """Which vertices lie on the end of the CRS: 1 on its east, -1 on its west, 0 elsewhere, (n,).

    Args:
        xy: (n, 2).
        half: (n,) half of the last decimal that each is written with.
        end: see `end_of`.
    """
    near = np.abs(np.abs(xy[:, 0]) - end) <= half
    return np.where(near, np.sign(xy[:, 0]), 0).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Joined:
    """A shape made of the vertices of another.

    Attributes:
        geometry: in the CRS of the coordinates that it was joined in.
        vertex: (m,) for each of its vertices the index of the vertex that it was, or -1 for a new one.
    """

    geometry: BaseGeometry
    vertex: NDArray[np.int64]


def join(geometry: BaseGeometry, side: NDArray[np.int8], turn: float) -> Joined:
    """Join the parts of a shape that meet at the end of a CRS.

    Args:
        geometry: in a CRS that does not end there, (n vertices).
        side: (n,) of each vertex, whether it lay on the east (1) or west (-1) end of the CRS that it came from.
        turn: what is to be added to the x of a part on the west end, so that it lies beside its neighbour in the east; 0
            where that is so already.

    Returns:
        The shape; parts that meet nothing stay as they are, and so does the order of their vertices.
    """
    every = np.arange(len(side))
    if not ((side > 0).any() and (side < 0).any()):
        return Joined(geometry, every)
    match geometry:
        case Polygon() | MultiPolygon():
            return _join_polygons(geometry, side, turn)
        case MultiLineString():
            return _join_lines(geometry, side, turn)
    return Joined(geometry, every)


def _join_polygons(geometry: BaseGeometry, side: NDArray[np.int8], turn: float) -> Joined:
    parts: NDArray[np.object_] = shapely.get_parts(geometry)
    owner = np.repeat(np.arange(len(parts)), shapely.get_num_coordinates(parts))
    east = np.bincount(owner[side > 0], minlength=len(parts)) > 1
    west = np.bincount(owner[side < 0], minlength=len(parts)) > 1
    if turn:
        # A part that reaches both ends goes all around the Earth: in degrees it stays as it is.
        east, west = east & ~west, west & ~east
        for index in np.flatnonzero(west):
            parts[index] = _shifted(parts[index], turn)
    meeting = east | west
    if not east.any() or not west.any():
        return Joined(geometry, np.arange(len(side)))
    known = shapely.get_coordinates(parts[meeting])
    sound = shapely.make_valid(parts[meeting], method="structure")
    made = [part for part in shapely.get_parts(shapely.union_all(sound)) if part.geom_type == "Polygon"]
    if turn:  # what lies wholly in the west goes home
        made = [_shifted(part, -turn) if part.bounds[0] >= turn / 2 else part for part in made]
        home = np.column_stack((known[:, 0] - turn, known[:, 1]))
        known = np.concatenate([known, home])
    vertices = np.flatnonzero(np.isin(owner, np.flatnonzero(meeting)))
    rest = [(part, np.flatnonzero(owner == i)) for i, part in enumerate(parts) if not meeting[i]]
    joined = [(part, _among(shapely.get_coordinates(part), known, vertices)) for part in made]
    pieces = sorted(joined + rest, key=lambda piece: _first(piece[1]))
    polygons = [part for part, _ in pieces]
    shape = polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
    return Joined(shape, np.concatenate([index for _, index in pieces]))


def _first(index: NDArray[np.int64]) -> int:
    return int(index[index >= 0].min()) if (index >= 0).any() else np.iinfo(np.int64).max


def _shifted(geometry: BaseGeometry, turn: float) -> BaseGeometry:
    moved: BaseGeometry = shapely.transform(
        geometry, lambda xyz: xyz + np.eye(1, xyz.shape[1]) * turn, include_z=geometry.has_z
    )
    return moved


def _among(xy: NDArray[np.float64], known: NDArray[np.float64], vertices: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each coordinate the vertex that it is, or -1; `known` may hold each vertex several times over."""
    _, ids = np.unique(np.concatenate([known, xy]), axis=0, return_inverse=True)
    ids = ids.ravel()
    first = np.full(ids.max() + 1, -1, dtype=np.int64)
    first[ids[: len(known)][::-1]] = np.arange(len(known))[::-1]
    found = first[ids[len(known) :]]
    return np.where(found >= 0, vertices[found % len(vertices)], -1)


def _join_lines(geometry: MultiLineString, side: NDArray[np.int8], turn: float) -> Joined:
    """Lines are joined in their order: where one ends at one end of the CRS and the next goes on at the other."""
    ends = np.cumsum([shapely.get_num_coordinates(line) for line in geometry.geoms])
    chains: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []
    offset = 0.0
    for line, stop in zip(geometry.geoms, ends, strict=True):
        xyz = shapely.get_coordinates(line, include_z=geometry.has_z)
        index = np.arange(stop - len(xyz), stop)
        before = side[chains[-1][1][-1]] if chains else 0
        goes_on = before != 0 and side[index[0]] == -before
        step = float(before) * turn
        if goes_on and np.array_equal(chains[-1][0][-1, :2], xyz[0, :2] + (offset + step, 0)):
            offset += step
            xyz[:, 0] += offset
            chains[-1] = (np.concatenate([chains[-1][0], xyz[1:]]), np.concatenate([chains[-1][1], index[1:]]))
        else:
            offset = 0.0
            chains.append((xyz, index))
    lines = [LineString(xyz) for xyz, _ in chains]
    shape = lines[0] if len(lines) == 1 else MultiLineString(lines)
    return Joined(shape, np.concatenate([index for _, index in chains]))
