"""CRS negotiation of OGC API Features Part 2: URIs and axis order outside, names and (x, y) inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geolabel.api.wire import GEOJSON, JSON, Refused, bad_parameter
from geolabel.errors import InvalidCRS, Problem
from geolabel.geo import crs as crs_
from geolabel.geo.geometry import swap_axes
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.model import Bounds, Project

CRS84_URI = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CRS84H_URI = "http://www.opengis.net/def/crs/OGC/0/CRS84h"
_ALWAYS = (CRS84, "EPSG:4326", "EPSG:3857")


@dataclass(frozen=True, slots=True)
class EdgeCRS:
    """A CRS as a client speaks it.

    Attributes:
        crs: the name that geolabel uses inside.
        uri: what the client calls it.
        swaps: whether the client gives y (north, latitude) first.
    """

    crs: str
    uri: str
    swaps: bool

    def turn(self, geometry: BaseGeometry) -> BaseGeometry:
        """Between the client's axis order and (x, y), either way."""
        return swap_axes(geometry) if self.swaps else geometry

    def turn_all(self, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
        """The same for (n,) geometries."""
        if not self.swaps:
            return geometries
        return np.array([*map(swap_axes, geometries), None], dtype=object)[:-1]


def storage_crs(project: Project) -> str:
    """The CRS that a project's labels rest in; the pixel grid of its scene when they have no place on any map."""
    return project.crs or crs_.PIXELS


def media_type(project: Project) -> str:
    """What a collection's features are served as: GeoJSON is on the Earth, other features only look like it."""
    return GEOJSON if crs_.on_earth(storage_crs(project)) else JSON


def crs_list(project: Project, base: str) -> list[EdgeCRS]:
    """The CRSs that a collection is served in, the default first.

    On the Earth that is CRS84, then its own, then two that every client knows; elsewhere it is its own and no other.
    """
    storage = storage_crs(project)
    if not crs_.on_earth(storage):
        return [_edge(storage, project, base)]
    names = [CRS84, storage, *(name for name in _ALWAYS[1:] if name != storage)]
    return [_edge(name, project, base) for name in dict.fromkeys(names)]


def storage_edge(project: Project, base: str) -> EdgeCRS:
    """The storage CRS as clients speak it."""
    return _edge(storage_crs(project), project, base)


def _edge(name: str, project: Project, base: str) -> EdgeCRS:
    uri = crs_.to_uri(name)
    if uri is None:  # a CRS without a code has no axis order but its own: x, y
        return EdgeCRS(name, f"{base}/api/collections/{project.id}/crs", swaps=False)
    return EdgeCRS(name, uri, crs_.swaps_axes(name))


def requested(project: Project, base: str, given: str | None, parameter: str) -> EdgeCRS:
    """The CRS of a `crs` or `bbox-crs` parameter; the first of the collection's list (CRS84) when there is none.

    Raises:
        Refused: 400, it is not in the collection's list.
    """
    served = crs_list(project, base)
    if given is None:
        return served[0]
    for edge in served:
        if given == edge.uri:
            return edge
    try:
        name = crs_.normalise(given.strip("[]"))
    except InvalidCRS:
        name = None
    for edge in served:
        if name == edge.crs:
            return edge
    known = ", ".join(edge.uri for edge in served)
    raise bad_parameter(parameter, f"the collection {project.id} is served in {known}; got {given!r:.120}")


def of_content(project: Project, base: str, header: str | None) -> EdgeCRS:
    """The CRS of a body, from its `Content-Crs` header; CRS84 when there is none.

    Raises:
        Refused: 400, the header cannot be read, or its CRS is not in the collection's list.
    """
    if header is None:
        return requested(project, base, None, "Content-Crs")
    uri = header.strip()
    if uri.startswith("<") and uri.endswith(">"):
        uri = uri[1:-1]
    return requested(project, base, uri, "Content-Crs")


def read_bbox(text: str, edge: EdgeCRS) -> list[Bounds]:
    """Read a `bbox` parameter.

    Args:
        text: four numbers, or six with heights, in the CRS's own axis order.
        edge: the CRS of the numbers.

    Returns:
        One box, or two when it crosses the antimeridian (west > east), as (min x, min y, max x, max y) in `edge.crs`.

    Raises:
        Refused: 400.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in {4, 6} or not np.isfinite(numbers).all():
        raise bad_parameter(
            "bbox", f"expected four numbers (or six, with heights) separated by commas, got {text!r:.120}"
        )
    if len(numbers) == 6:
        numbers = [numbers[0], numbers[1], numbers[3], numbers[4]]
    west, south, east, north = (numbers[i] for i in ((1, 0, 3, 2) if edge.swaps else (0, 1, 2, 3)))
    if south > north:
        raise bad_parameter("bbox", f"its lower edge {south:g} lies above its upper edge {north:g}")
    geographic = crs_.is_geographic(edge.crs)
    if geographic and (south < -90 or north > 90):
        raise bad_parameter("bbox", f"latitudes run from -90 to 90, got {south:g} to {north:g}")
    if geographic and west <= east and (west < -180 or east > 180):  # a map that was panned around the Earth
        if east - west >= 360:
            return [(-180.0, south, 180.0, north)]
        west, east = (west + 180) % 360 - 180, (east + 180) % 360 - 180
    if west <= east:
        return [(west, south, east, north)]
    if not geographic:
        raise bad_parameter("bbox", f"its left edge {west:g} lies right of its right edge {east:g}")
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def refuse_old_crs_member(value: object, edge: EdgeCRS) -> None:
    """GeoJSON of 2008 named its CRS inside; refuse a name that contradicts the request rather than misplace the label.

    Raises:
        Refused: 422.
    """
    if not isinstance(value, dict) or value.get("crs") is None:
        return
    member = value["crs"]
    name = member.get("properties", {}).get("name") if isinstance(member, dict) else None
    try:
        agrees = isinstance(name, str) and crs_.same(crs_.normalise(name), edge.crs)
    except InvalidCRS:
        agrees = False
    if not agrees:
        message = f"the body names the CRS {name!r:.120} and the request says {edge.uri}; use the header Content-Crs"
        raise Refused(422, f"The label's place is not sure: {message}.", [Problem("/crs", message)])
