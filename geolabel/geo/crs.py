"""Coordinate reference systems: the only module that imports pyproj.

A CRS is a string everywhere else: `EPSG:32636`, `OGC:CRS84`, or WKT when no code says the same. Coordinates are always
(x, y), easting or longitude first, whatever order the authority lists its axes in; `swaps_axes` tells an edge that must
speak the authority's order.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError, ProjError

from geolabel.errors import InvalidCRS
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.model import Bounds

METRES_PER_DEGREE = 111_319.49079327358
"""One degree of the equator of WGS 84, in metres."""

_CODE = re.compile(r"(?P<authority>EPSG|ESRI|IAU_2015|OGC):(?P<code>[A-Za-z0-9]{1,12})\Z", re.IGNORECASE)
_URI = re.compile(
    r"(?:https?://www\.opengis\.net/def/crs/(?P<a1>[A-Za-z_]+)/[^/]*/(?P<c1>[A-Za-z0-9]+)"
    r"|urn:ogc:def:crs:(?P<a2>[A-Za-z_]+):[^:]*:(?P<c2>[A-Za-z0-9]+))/?\Z",
    re.IGNORECASE,
)
_WKT = re.compile(r"\s*(?:[A-Z]+CRS|[A-Z]+CS|COMPD_CS)\s*[\[(]", re.IGNORECASE)
_MAX_WKT = 20_000


@lru_cache(maxsize=256)
def _crs(name: str) -> CRS:
    try:
        return CRS.from_user_input(name)
    except CRSError as error:
        raise InvalidCRS(f"The CRS {_short(name)} is not known: {_first_line(error)}") from error


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    try:
        return Transformer.from_crs(_crs(source), _crs(target), always_xy=True)
    except ProjError as error:
        raise InvalidCRS(f"No way leads from {_short(source)} to {_short(target)}: {_first_line(error)}") from error


def _short(name: str) -> str:
    return name if len(name) <= 60 else repr(name[:57] + "...")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


@lru_cache(maxsize=256)
def normalise(text: str) -> str:
    """Bring any usual spelling of a CRS to the one that geolabel uses.

    Args:
        text: `EPSG:n`, another authority's code, an OGC URI or URN, or WKT.

    Returns:
        `OGC:CRS84`, `EPSG:n`, another `AUTHORITY:code`, or WKT2 on one line when no code says the same.

    Raises:
        InvalidCRS: the text is none of these, or the CRS has no x and y.
    """
    if match := _URI.match(text.strip()):
        text = f"{match['a1'] or match['a2']}:{match['c1'] or match['c2']}"
    if match := _CODE.match(text.strip()):
        name = f"{match['authority']}:{match['code']}".upper()
    elif _WKT.match(text) and len(text) <= _MAX_WKT:
        name = text
    else:
        raise InvalidCRS(f"The CRS {_short(text)!r} cannot be read: expected 'EPSG:n', an OGC URI or WKT.")
    crs = _crs(name)
    if len(crs.axis_info) < 2 or crs.is_vertical or crs.is_geocentric:
        raise InvalidCRS(f"The CRS {_short(text)!r} has no horizontal axes; expected a projected or a geographic CRS.")
    if name == CRS84:
        return CRS84
    authority = crs.to_authority(min_confidence=90)
    if authority:
        code = ":".join(authority)
        if _crs(code).equals(crs, ignore_axis_order=True):
            return CRS84 if code == "OGC:CRS84" else code
    return str(crs.to_wkt("WKT2_2019"))


def label(crs: str) -> str:
    """The short name for people: the code, or the name inside the WKT."""
    return crs if _CODE.match(crs) else str(_crs(crs).name)


def same(one: str, other: str) -> bool:
    """Whether x and y mean the same in both (EPSG:4326 and OGC:CRS84 do)."""
    return one == other or _same(one, other)


@lru_cache(maxsize=512)
def _same(one: str, other: str) -> bool:
    return bool(_crs(one).equals(_crs(other), ignore_axis_order=True))


def is_geographic(crs: str) -> bool:
    """Whether coordinates are degrees of longitude and latitude."""
    return bool(_crs(crs).is_geographic)


@lru_cache(maxsize=256)
def on_earth(crs: str) -> bool:
    """Whether the CRS lies on the Earth: a transformation to WGS 84 exists."""
    body = _crs(crs).ellipsoid
    # PROJ refuses to cross celestial bodies only when both are named; the radius tells them apart always.
    return body is not None and abs(body.semi_major_metre - 6_378_137.0) < 20_000.0


@lru_cache(maxsize=256)
def swaps_axes(crs: str) -> bool:
    """Whether the authority lists y before x (EPSG:4326 does): the order that OGC API Features uses at the edge."""
    crs_ = _crs(crs)
    geodetic = crs_.geodetic_crs
    if crs_.is_geographic or geodetic is None:
        return crs_.axis_info[0].direction in {"north", "south"}
    # PROJ knows the conventions (also of polar grids, whose two axes both point north): ask it on a point with x != y.
    x, y = 500_000.0, 200_000.0
    plain = Transformer.from_crs(crs_, geodetic, always_xy=False).transform(x, y)
    ordered = Transformer.from_crs(crs_, geodetic, always_xy=True).transform(x, y)
    geodetic_swaps = geodetic.axis_info[0].direction in {"north", "south"}
    unswapped = tuple(reversed(plain)) if geodetic_swaps else tuple(plain)
    return not np.allclose(unswapped, ordered, rtol=0, atol=1e-9)


@lru_cache(maxsize=256)
def unit_metres(crs: str) -> float:
    """Length of one unit of the CRS in metres; for degrees, along the equator."""
    crs_ = _crs(crs)
    if crs_.is_geographic:
        return METRES_PER_DEGREE
    return float(crs_.axis_info[0].unit_conversion_factor)


def to_uri(crs: str) -> str | None:
    """The OGC URI of a CRS that has a code; None for WKT."""
    if crs == CRS84:
        return "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    match = _CODE.match(crs)
    return f"http://www.opengis.net/def/crs/{match['authority']}/0/{match['code']}" if match else None


def definition(crs: str) -> tuple[str, int | None, str]:
    """What a GeoPackage records: organisation, code in it (None for a CRS without one), and WKT.

    WKT is version 1 where the CRS can be said in it (what OGC 12-128 asks for), version 2 otherwise.
    """
    crs_ = _crs(crs)
    match = _CODE.match(crs)
    code = int(match["code"]) if match and match["code"].isdigit() else None
    try:
        wkt = crs_.to_wkt("WKT1_GDAL")
    except CRSError:
        wkt = crs_.to_wkt("WKT2_2019")
    return (match["authority"] if match else "NONE", code, wkt)


def transform_coordinates(xy: NDArray[np.float64], source: str, target: str) -> NDArray[np.float64]:
    """Transform coordinates.

    Args:
        xy: (n, 2), x first, in `source`.
        source: CRS of `xy`.
        target: CRS wanted.

    Returns:
        (n, 2), x first, in `target`; `xy` itself when both CRSs mean the same. Points that the target cannot hold
        come back as infinity.
    """
    if same(source, target):
        return xy
    x, y = _transformer(source, target).transform(xy[:, 0], xy[:, 1])
    return np.column_stack((x, y))


def transform_geometries(
    geometries: NDArray[np.object_],
    source: str,
    target: str,
    *,
    tolerance: float | None = None,
    round_trip: float | None = None,
) -> NDArray[np.object_]:
    """Transform shapes; Z is kept as it is.

    Args:
        geometries: (n,) shapely objects, in `source`.
        source: their CRS.
        target: CRS wanted.
        tolerance: in units of `target`: a straight edge whose image bends by more gets vertices added first.
            None adds none.
        round_trip: in units of `target`: refuse coordinates that do not come back to where they were within this.

    Returns:
        (n,) shapely objects in `target`; the same objects when both CRSs mean the same.

    Raises:
        InvalidCRS: a coordinate that the target cannot hold (not finite, or not coming back), with its place.
    """
    if same(source, target) or len(geometries) == 0:
        return geometries
    if tolerance is not None:
        geometries = _densify(geometries, source, target, tolerance)
    result = np.array(geometries, dtype=object)
    has_z = shapely.has_z(result)
    for chosen, dimensions in ((~has_z, 2), (has_z, 3)):
        if not chosen.any():
            continue
        part = result[chosen]
        coordinates = shapely.get_coordinates(part, include_z=dimensions == 3)
        moved = transform_coordinates(coordinates[:, :2], source, target)
        _refuse_lost(coordinates[:, :2], moved, source, target, round_trip)
        result[chosen] = shapely.set_coordinates(part.copy(), np.column_stack((moved, coordinates[:, 2:])))
    return result


def _refuse_lost(
    given: NDArray[np.float64],
    moved: NDArray[np.float64],
    source: str,
    target: str,
    round_trip: float | None,
) -> None:
    bad = ~(np.isfinite(moved[:, 0]) & np.isfinite(moved[:, 1]))
    if round_trip is not None and not bad.any():
        back = transform_coordinates(moved, target, source)
        limit = round_trip * unit_metres(target) / unit_metres(source)
        delta = np.abs(back - given)
        if is_geographic(source):  # 180 and -180 are one meridian
            delta[:, 0] = np.minimum(delta[:, 0], np.abs(delta[:, 0] - 360.0))
            at_pole = np.abs(given[:, 1]) > 90.0 - 1e-9
            delta[at_pole, 0] = 0.0
        bad = ~((delta[:, 0] <= limit) & (delta[:, 1] <= limit))
    if bad.any():
        x, y = given[int(np.argmax(bad))]
        raise InvalidCRS(
            f"The point ({x:.12g}, {y:.12g}) of {label(source)} has no place in {label(target)}: {int(bad.sum())} of "
            f"{len(bad)} points lie too far outside its area. Check the CRS of the labels and the order of x and y.",
        )


def refuse_off_earth(geometries: NDArray[np.object_], crs: str) -> None:
    """Refuse shapes with a coordinate that is nowhere on the Earth: no client could be shown them, nor what lies beside them.

    Raises:
        InvalidCRS: a point without longitude and latitude, with its place.
    """
    xy = shapely.get_coordinates(geometries)
    degrees = transform_coordinates(xy, crs, CRS84)
    bad = ~((np.abs(degrees[:, 0]) <= 360) & (np.abs(degrees[:, 1]) <= 90 + 1e-9))
    if bad.any():
        x, y = xy[int(np.argmax(bad))]
        raise InvalidCRS(
            f"The point ({x:.12g}, {y:.12g}) of {label(crs)} is nowhere on the Earth ({int(bad.sum())} of {len(xy)} points). "
            "Check the CRS of the labels and the order of x and y.",
        )


def _densify(geometries: NDArray[np.object_], source: str, target: str, tolerance: float) -> NDArray[np.object_]:
    """Add vertices to the shapes with an edge whose image bends by more than `tolerance` (units of `target`)."""
    lines, owner = _linework(geometries)
    if len(lines) == 0:
        return geometries
    xy, line = shapely.get_coordinates(lines, return_index=True)
    inner = line[:-1] == line[1:]
    start, end = xy[:-1][inner], xy[1:][inner]
    if len(start) == 0:
        return geometries
    begin = transform_coordinates(start, source, target)
    finish = transform_coordinates(end, source, target)
    bend = np.zeros(len(start))
    with np.errstate(invalid="ignore"):  # points without an image are refused where the result is read
        if is_geographic(target):
            finish = _beside(finish, begin)
        for share in (0.25, 0.5, 0.75):
            image = transform_coordinates(start + share * (end - start), source, target)
            if is_geographic(target):
                image = _beside(image, begin)
            chord = begin + share * (finish - begin)
            bend = np.maximum(bend, np.hypot(*(image - chord).T))
    edge_owner = owner[line[:-1][inner]]
    # A smooth edge cut in n bends n squared times less; a quarter of an edge more keeps the estimate safe.
    pieces = np.ceil(np.sqrt(np.where(np.isfinite(bend), bend, 0.0) / tolerance) * 1.25)
    needed = pieces > 1
    if not needed.any():
        return geometries
    longest = np.full(len(geometries), np.inf)
    lengths = np.hypot(*(end - start).T)
    np.minimum.at(longest, edge_owner[needed], lengths[needed] / pieces[needed])
    chosen = np.isfinite(longest) & (longest > 0)
    result = np.array(geometries, dtype=object)
    result[chosen] = shapely.segmentize(result[chosen], longest[chosen])
    return result


def _beside(degrees: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same points with longitudes within half a turn of the others': crossing the antimeridian is no bend."""
    turns = np.round((others[:, 0] - degrees[:, 0]) / 360.0)
    return degrees + np.column_stack((turns * 360.0, np.zeros(len(degrees))))


def _linework(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Rings and lines of the shapes, and which shape each belongs to."""
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    kinds = shapely.get_type_id(parts)
    is_polygon, is_line = kinds == 3, (kinds == 1) | (kinds == 2)
    rings, ring_owner = shapely.get_rings(parts[is_polygon], return_index=True)
    lines = np.concatenate([rings, parts[is_line]])
    return lines, np.concatenate([part_owner[is_polygon][ring_owner], part_owner[is_line]]).astype(np.int64)


def bounds_to(bounds: Bounds, source: str, target: str) -> Bounds:
    """The box in `target` that holds the box in `source`; a geographic result with west > east crosses the antimeridian.

    Raises:
        InvalidCRS: the target cannot hold the box.
    """
    if same(source, target):
        return bounds
    try:
        moved = _transformer(source, target).transform_bounds(*bounds, densify_pts=21)
    except ProjError as error:
        moved = (math.inf,) * 4
        reason: Exception | None = error
    else:
        reason = None
    if not all(map(math.isfinite, moved)):
        raise InvalidCRS(f"The box {bounds} of {label(source)} has no place in {label(target)}.") from reason
    return moved


def _geodesic(geometries: NDArray[np.object_], crs: str) -> tuple[NDArray[np.object_], Geod]:
    crs_ = _crs(crs)
    geod = crs_.get_geod()
    if geod is None or crs_.geodetic_crs is None:
        raise InvalidCRS(f"The CRS {label(crs)} has no ellipsoid, so nothing can be measured on its ground.")
    return transform_geometries(geometries, crs, str(crs_.geodetic_crs.to_wkt())), geod


def ground_area(geometries: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """Area on the ellipsoid in m2, holes subtracted, (n,); 0 for lines and points. Source: Karney 2013, through PROJ."""
    degrees, geod = _geodesic(geometries, crs)
    oriented: Any = shapely.orient_polygons(degrees)
    return np.array([abs(geod.geometry_area_perimeter(g)[0]) if not g.is_empty else 0.0 for g in oriented])


def ground_length(geometries: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """Length of lines, or of all rings of polygons, on the ellipsoid in metres, (n,); 0 for points."""
    degrees, geod = _geodesic(geometries, crs)
    return np.array([geod.geometry_length(g) if not g.is_empty else 0.0 for g in degrees])
