"""Coordinate reference systems; with `geolabel.geo.operations` the only module that imports pyproj.

A CRS is a string everywhere else: `EPSG:32636`, `OGC:CRS84`, or WKT when no code says the same. Coordinates are always
(x, y), easting or longitude first, whatever order the authority lists its axes in; `swaps_axes` tells an edge that must
speak the authority's order.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError

from geolabel.errors import InvalidCRS
from geolabel.geo.antimeridian import unroll
from geolabel.geo.boxes import image_box
from geolabel.geo.edges import densify, longest_step, may_bend
from geolabel.geo.measure import Rings, small_areas
from geolabel.geo.operations import way
from geolabel.geo.seam import end_of
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geolabel.model import Bounds

METRES_PER_DEGREE = 111_319.49079327358
"""One degree of the equator of WGS 84, in metres."""

PIXELS = (
    'ENGCRS["Pixel grid",EDATUM["Outer corner of the first pixel"],CS[Cartesian,2],'
    'AXIS["column (x)",columnPositive,ORDER[1],LENGTHUNIT["pixel",1]],'
    'AXIS["row (y)",rowPositive,ORDER[2],LENGTHUNIT["pixel",1]]]'
)
"""The ground of a project without a place on any: continuous pixels of its scene, x to the right, y down (WKT2)."""

_FARTHEST = 1e9
"""Metres, or pixels: what lies farther off is on no planet and in no raster; PROJ would wind it around."""

_CELL = 20_000.0
"""Metres: how finely places are told apart when it is asked whether edges bend there."""

_CODE = re.compile(r"(?P<authority>EPSG|ESRI|IAU_2015|OGC):(?P<code>[A-Za-z0-9]{1,12})\Z", re.IGNORECASE)
_URI = re.compile(
    r"(?:https?://www\.opengis\.net/def/crs/(?P<a1>[A-Za-z_]+)/(?P<v1>[^/]*)/(?P<c1>[A-Za-z0-9]+)"
    r"|urn:ogc:def:crs:(?P<a2>[A-Za-z_]+):(?P<v2>[^:]*):(?P<c2>[A-Za-z0-9]+))/?\Z",
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
        authority, version, code = (match[f"{part}1"] or match[f"{part}2"] for part in "avc")
        text = f"IAU_2015:{code}" if (authority.upper(), version) == ("IAU", "2015") else f"{authority}:{code}"
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


def on_earth(crs: str) -> bool:
    """Whether the CRS lies on the Earth: a transformation to WGS 84 exists."""
    return one_body(crs, CRS84)


def one_body(one: str, other: str) -> bool:
    """Whether two CRSs lie on the same celestial body; a pixel grid lies on none."""
    radii = _radius(one), _radius(other)
    # PROJ refuses to cross celestial bodies only when both are named; the radius tells them apart always.
    return None not in radii and abs(radii[0] - radii[1]) < 0.003 * max(radii)  # type: ignore[operator, type-var]


@lru_cache(maxsize=256)
def _radius(crs: str) -> float | None:
    ellipsoid = _crs(crs).ellipsoid
    return None if ellipsoid is None else float(ellipsoid.semi_major_metre)


def body(crs: str) -> str:
    """What the CRS lies on, as people say it."""
    return "Earth" if on_earth(crs) else f"the ground of {label(crs)}"


@lru_cache(maxsize=256)
def area_of_use(crs: str) -> Bounds | None:
    """Longitudes and latitudes that the CRS was made for; west > east crosses the antimeridian. None when nothing says."""
    area = _crs(crs).area_of_use
    return None if area is None else (area.west, area.south, area.east, area.north)


@lru_cache(maxsize=256)
def geodetic(crs: str) -> str | None:
    """The CRS of longitudes and latitudes under a CRS; None for a pixel grid."""
    base = _crs(crs).geodetic_crs
    return None if base is None else normalise(str(base.to_wkt("WKT2_2019")))


def same_datum(one: str, other: str) -> bool:
    """Whether the longitudes and latitudes under two CRSs mean the same."""
    base, other_base = geodetic(one), geodetic(other)
    return base is not None and other_base is not None and same(base, other_base)


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
    if match is None:
        return None
    authority, _, version = match["authority"].partition("_")
    return f"http://www.opengis.net/def/crs/{authority}/{version or 0}/{match['code']}"


def to_wkt(crs: str) -> str:
    """The definition as WKT 2 (2019)."""
    return str(_crs(crs).to_wkt("WKT2_2019"))


def to_projjson(crs: str) -> dict[str, Any]:
    """The definition as PROJJSON."""
    return dict(_crs(crs).to_json_dict())


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
    moved = way(_anchor(source), _anchor(target), xy)(xy)
    if is_geographic(source) and is_geographic(target):  # PROJ brings longitudes into [-180, 180]
        with np.errstate(invalid="ignore"):
            moved[:, 0] += 360 * np.round((xy[:, 0] - moved[:, 0]) / 360)
    return moved


@lru_cache(maxsize=256)
def _anchor(name: str) -> str:
    """One name for all CRSs that mean longitude and latitude of WGS 84, so that they share their operations."""
    return CRS84 if same(name, CRS84) else name


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
        (n,) shapely objects in `target`; the same objects when both CRSs mean the same. Degrees are continuous across
        the antimeridian (179 to 181); `geolabel.geo.antimeridian.cut` brings them into [-180, 180].

    Raises:
        InvalidCRS: a coordinate that the target cannot hold (not finite, or not coming back), with its place.
    """
    if same(source, target) or len(geometries) == 0:
        return geometries

    def image(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return transform_coordinates(xy, source, target)

    geometries = densify_for(geometries, source, target, tolerance)
    result = np.array(geometries, dtype=object)
    has_z = shapely.has_z(result)
    for chosen, dimensions in ((~has_z, 2), (has_z, 3)):
        if not chosen.any():
            continue
        part = result[chosen]
        coordinates = shapely.get_coordinates(part, include_z=dimensions == 3)
        moved = image(coordinates[:, :2])
        _refuse_lost(coordinates[:, :2], moved, source, target, round_trip)
        result[chosen] = shapely.set_coordinates(part.copy(), np.column_stack((moved, coordinates[:, 2:])))
    return unroll(result, geometries, image) if is_geographic(target) and not is_geographic(source) else result


def densify_for(
    geometries: NDArray[np.object_], source: str, target: str, tolerance: float | None
) -> NDArray[np.object_]:
    """Add vertices to shapes in `source` with an edge whose image in `target` bends by more than `tolerance`.

    Args:
        geometries: (n,) shapely objects, in `source`.
        source: their CRS.
        target: where they are to go.
        tolerance: in units of `target`; None adds nothing.

    Returns:
        (n,) shapely objects, still in `source`; the very objects where nothing bends.
    """
    if tolerance is None or same(source, target):
        return geometries

    def image(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return transform_coordinates(xy, source, target)

    def longest() -> float:
        return longest_step(*shapely.get_coordinates(geometries, return_index=True))

    if is_geographic(target) and stay_straight(shapely.bounds(geometries), longest, source, target, tolerance):
        return geometries
    end = end_of(target, degrees=is_geographic(target))
    return densify(geometries, image, tolerance, period=None if end is None else 2 * end)


def stay_straight(
    bounds: NDArray[np.float64], longest: Callable[[], float], source: str, target: str, tolerance: float | None
) -> bool:
    """Whether no edge of some shapes bends by more than the tolerance on its way to degrees, which a quick look can tell.

    Args:
        bounds: (n, 4) of the shapes, in `source`, which is projected.
        longest: gives what no edge is longer than.
        source: their CRS.
        target: a geographic CRS.
        tolerance: in degrees; None for any.
    """
    if tolerance is None:
        return True
    if np.isnan(bounds).all():  # nothing but empty shapes
        return True
    low, high = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
    if not np.isfinite((low, high)).all():
        return False
    # The place in whole cells, so that what was found out for one view holds for those beside it.
    cell = _CELL / unit_metres(source)
    place = (*(np.floor(low / cell) * cell).tolist(), *(np.ceil(high / cell) * cell).tolist())

    def bends(length: float) -> bool:
        step = 2.0 ** (math.ceil(4 * math.log2(length)) / 4) if length > 0 else 0.0
        return _may_bend(place, step, source, target, tolerance)

    # No edge is longer than its shape is across, and that is known at once.
    return not bends(float(np.hypot(*(bounds[:, 2:] - bounds[:, :2]).max(axis=0)))) or not bends(longest())


@lru_cache(maxsize=4096)
def _may_bend(place: Bounds, longest: float, source: str, target: str, tolerance: float) -> bool:
    def image(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return transform_coordinates(xy, source, target)

    return may_bend(place, longest, image, tolerance, 1e6 / unit_metres(source))


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


def refuse_nowhere(geometries: NDArray[np.object_], crs: str) -> None:
    """Refuse shapes with a coordinate that is no place: no client could be shown them, nor what lies beside them.

    Raises:
        InvalidCRS: a point without longitude and latitude, or far off any raster; the sentence says which.
    """
    xy = shapely.get_coordinates(geometries)
    bad = ~(np.abs(xy) * unit_metres(crs) <= _FARTHEST).all(axis=1)
    base = geodetic(crs)
    if base is not None:
        degrees = transform_coordinates(xy, crs, CRS84 if on_earth(crs) else base)
        bad |= ~((np.abs(degrees[:, 0]) <= 360) & (np.abs(degrees[:, 1]) <= 90 + 1e-9))
    if bad.any():
        x, y = xy[int(np.argmax(bad))]
        where = "nowhere on the Earth" if on_earth(crs) else f"nowhere on {body(crs)}"
        raise InvalidCRS(
            f"The point ({x:.12g}, {y:.12g}) of {label(crs)} is {where} ({int(bad.sum())} of {len(xy)} points). "
            "Check the CRS of the labels and the order of x and y.",
        )


@lru_cache(maxsize=1024)  # the extent of a project is asked for with every viewport
def bounds_to(bounds: Bounds, source: str, target: str) -> Bounds:
    """The box in `target` that holds the box in `source`; a geographic result with west > east crosses the antimeridian.

    Raises:
        InvalidCRS: the target cannot hold the box.
    """
    if same(source, target):
        west, south, east, north = bounds
        return (west, south, east - 360 if east > 180 >= west else east, north) if is_geographic(target) else bounds
    if is_geographic(source) and bounds[0] > bounds[2]:
        bounds = (bounds[0], bounds[1], bounds[2] + 360.0, bounds[3])
    moved = image_box(bounds, lambda xy: transform_coordinates(xy, source, target), degrees=is_geographic(target))
    if moved is None:
        raise InvalidCRS(f"The box {bounds} of {label(source)} has no place in {label(target)}.")
    return moved


def _geodesic(geometries: NDArray[np.object_], crs: str) -> tuple[NDArray[np.object_], Geod] | None:
    base, geod = geodetic(crs), _crs(crs).get_geod()
    return None if base is None or geod is None else (transform_geometries(geometries, crs, base), geod)


def ground_area(geometries: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """Area on the ellipsoid in m2, holes subtracted, (n,); 0 for lines and points, NaN where there is no ellipsoid.

    Source: Karney 2013, through PROJ.
    """
    return ground_area_of(Rings.of(geometries), lambda rows: geometries[rows], crs)


def ground_area_of(
    rings: Rings, shapes: Callable[[NDArray[np.int64]], NDArray[np.object_]], crs: str
) -> NDArray[np.float64]:
    """The same for rings, which need not become shapes for it unless they are large.

    Args:
        rings: in the CRS.
        shapes: gives the shapes of some numbers, in the CRS.
        crs: of both.
    """
    base, geod = geodetic(crs), _crs(crs).get_geod()
    if base is None or geod is None:
        return np.full(rings.count, np.nan)
    degrees = rings.xy if same(crs, base) else transform_coordinates(rings.xy, crs, base)
    areas = replace(rings, xy=degrees).small_areas(geod.a, geod.f)
    # What is large, crosses the antimeridian or cannot be there at all.
    rest = np.flatnonzero(np.isnan(areas))
    if len(rest):
        areas[rest] = _areas(transform_geometries(shapes(rest), crs, base), geod)
    return areas


def ellipsoid(crs: str) -> tuple[float, float] | None:
    """Semi-major axis in metres and flattening; None where there is no ellipsoid."""
    geod = _crs(crs).get_geod()
    return None if geod is None else (geod.a, geod.f)


def area_of_degrees(degrees: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """The same for shapes that are in longitudes and latitudes already, continuous ones, on the ellipsoid of a CRS."""
    geod = _crs(crs).get_geod()
    return np.full(len(degrees), np.nan) if geod is None else _areas(degrees, geod)


def _areas(degrees: NDArray[np.object_], geod: Geod) -> NDArray[np.float64]:
    areas = small_areas(degrees, geod.a, geod.f)
    for index in np.flatnonzero(np.isnan(areas)):
        areas[index] = abs(geod.geometry_area_perimeter(shapely.orient_polygons(degrees[index]))[0])
    return areas


def ground_length(geometries: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """Length of lines, or of all rings of polygons, on the ellipsoid in metres, (n,); 0 for points.

    On a pixel grid, which has no ellipsoid, it is in pixels.
    """
    ground = _geodesic(geometries, crs)
    if ground is None:
        return np.asarray(shapely.length(geometries))
    degrees, geod = ground
    return np.array([geod.geometry_length(g) if not g.is_empty else 0.0 for g in degrees])
