"""Coordinate reference systems: the way from one to another, always x before y, and the names that standards know."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

LONLAT: Final = "OGC:CRS84"
"""Longitude and latitude, in this order."""

_KNOWN_URIS: Final = {
    "OGC:CRS84": ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "urn:ogc:def:crs:OGC:1.3:CRS84"),
}


@lru_cache(maxsize=256)
def transformer(source: str, target: str) -> Transformer:
    """From one CRS to another, x before y.

    Raises:
        CRSError, ProjError: there is no way between them.
    """
    # Kept per pair; pyproj gives every thread its own copy inside.
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=256)
def read(name: str) -> CRS:
    """A CRS by its name or WKT."""
    return CRS.from_user_input(name)


def is_geographic(name: str) -> bool:
    """Whether its coordinates are longitudes and latitudes, in degrees."""
    return bool(read(name).is_geographic)


@lru_cache(maxsize=256)
def is_cylindrical(name: str) -> bool:
    """Whether x follows from the longitude alone and y from the latitude alone: geographic, or Mercator's."""
    crs = read(name)
    operation = crs.coordinate_operation
    return bool(crs.is_geographic) or bool(
        operation and "mercator" in operation.method_name.lower() and "transverse" not in operation.method_name.lower()
    )


@lru_cache(maxsize=256)
def on_earth(name: str) -> bool:
    """Whether there is a way from it to longitude and latitude on Earth."""
    try:
        transformer(name, LONLAT)
    except ProjError:
        return False
    return True


@lru_cache(maxsize=256)
def north_first(name: str) -> bool:
    """Whether its authority writes the northing or latitude first."""
    axes = read(name).axis_info
    # By name: at a pole both may point north, or south.
    return bool(axes) and any(word in axes[0].name.lower() for word in ("northing", "latitude"))


@lru_cache(maxsize=256)
def uri(name: str) -> str | None:
    """`http://www.opengis.net/def/crs/EPSG/0/32636`, or None for a CRS without a code."""
    parts = _parts(name)
    if name in _KNOWN_URIS:
        return _KNOWN_URIS[name][0]
    return None if parts is None else f"http://www.opengis.net/def/crs/{parts[0]}/0/{parts[1]}"


@lru_cache(maxsize=256)
def urn(name: str) -> str | None:
    """`urn:ogc:def:crs:EPSG::32636`, or None for a CRS without a code."""
    parts = _parts(name)
    if name in _KNOWN_URIS:
        return _KNOWN_URIS[name][1]
    return None if parts is None else f"urn:ogc:def:crs:{parts[0]}::{parts[1]}"


def _parts(name: str) -> tuple[str, str] | None:
    match = re.fullmatch(r"([A-Z]+):([A-Za-z0-9]+)", name)
    return None if match is None else (match[1], match[2])


def reason(error: Exception) -> str:
    """PROJ's own sentence, without the names of its functions and its hints on environment variables."""
    text = re.split(r"proj_\w+: ", str(error))[-1]
    return text.split(". You may")[0].rstrip(".) ") + (")" if "(" in text else "")


@lru_cache(maxsize=256)
def metres(name: str) -> float:
    """How many metres one unit of a CRS is; a degree at the equator, as the OGC counts. 1 where it does not say."""
    crs = read(name)
    factor = float(crs.axis_info[0].unit_conversion_factor or 1.0) if crs.axis_info else 1.0
    # Of angles, the factor is that to radians.
    return factor * (crs.ellipsoid.semi_major_metre if crs.ellipsoid else 1.0) if crs.is_geographic else factor
