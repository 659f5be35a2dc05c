"""A STAC item as a scene: which of its files, what their bands are called, and when it was taken."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from geolabel.errors import InvalidInput, InvalidRaster
from tiles.allow import is_address
from tiles.errors import TilesError
from tiles.remote import remote
from tiles.settings import from_environment
from tiles.sources import SUFFIXES, find_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BYTES = 8 * 2**20
"""Largest item that is read."""

_SUFFIXES = (".json", ".geojson")
_TYPES = ("image/tiff", "image/jp2", "image/vnd.stac.geotiff")
_NO_DATA = {"thumbnail", "overview", "metadata", "visual", "cloud", "snow-ice", "data-mask", "saturation"}


@dataclass(frozen=True, slots=True)
class StacItem:
    """What an item says.

    Attributes:
        id: its own.
        files: paths or addresses of the chosen assets.
        names: of the assets, which become those of the bands.
        datetime: RFC 3339, or None.
        left: names of the raster assets that were not chosen.
    """

    id: str
    files: tuple[str, ...]
    names: tuple[str, ...]
    datetime: str | None
    left: tuple[str, ...]


def is_item(href: str) -> bool:
    """Whether a path or address is that of a STAC item, by its name."""
    return href.partition("?")[0].lower().endswith(_SUFFIXES)


def read_item(href: str, assets: Sequence[str] = ()) -> StacItem:
    """Read an item.

    Args:
        href: path or address of the item.
        assets: keys of the assets to take; when none are named, the data of the finest grid.

    Raises:
        InvalidRaster: it cannot be read, or is no item with rasters.
        InvalidInput: an asset that it does not have.
    """
    name = href.rpartition("/")[2]
    try:
        item = _parsed(_content(href))
        found = {key: asset for key, asset in item["assets"].items() if _is_raster(asset)}
        properties, id_ = dict(item["properties"]), str(item["id"])
    except TilesError as error:
        raise InvalidRaster(str(error)) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidRaster(f"{name!r} cannot be read as a STAC item: {reason}.") from error
    if not found:
        raise InvalidRaster(
            f"The STAC item {name!r} has no raster that could be a scene: expected an asset of type {', '.join(_TYPES)}."
        )
    for key in assets:
        if key not in found:
            raise InvalidInput(f"The STAC item {name!r} has no raster {key!r}: it has {', '.join(found)}.")
    chosen = tuple(assets) or _finest(found)
    moment = properties.get("datetime") or properties.get("start_datetime")
    return StacItem(
        id_,
        tuple(_place(href, str(found[key]["href"])) for key in chosen),
        chosen,
        moment if isinstance(moment, str) else None,
        tuple(key for key in found if key not in chosen),
    )


def _content(href: str) -> bytes:
    source = find_source(href)
    if source.size > MAX_BYTES:
        raise ValueError(f"it has {source.size:,} bytes, more than {MAX_BYTES:,}")
    if source.is_remote:
        return remote(from_environment()).contents(source.href, source.version).read(0, source.size)
    return Path(source.href).read_bytes()


def _parsed(content: bytes) -> dict[str, Any]:
    item = json.loads(content)
    if item["type"] != "Feature" or "stac_version" not in item:
        raise ValueError(f"expected an item (a Feature with a stac_version), got a {item['type']}")
    parsed: dict[str, Any] = item
    return parsed


def _is_raster(asset: Mapping[str, Any]) -> bool:
    kind = str(asset.get("type") or "").partition(";")[0].strip().lower()
    named = str(asset["href"]).partition("?")[0].lower().endswith(SUFFIXES)
    return kind in _TYPES or (not kind and named)


def _place(item: str, href: str) -> str:
    """Where an asset is; a relative one lies beside the item."""
    if is_address(href) or href.startswith("/"):
        return href
    if is_address(item):
        return urljoin(item, href)
    return str(Path(item).resolve().parent / href)


def _finest(found: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The assets with data on the finest grid; of several such grids, that with the most."""
    data = {key: asset for key, asset in found.items() if not _NO_DATA & set(asset.get("roles") or ())} or dict(found)
    grids: dict[tuple[float, str], list[str]] = {}
    for key, asset in data.items():
        grids.setdefault((_cell(asset), json.dumps(asset.get("proj:shape"))), []).append(key)
    finest = min(grids, key=lambda grid: (grid[0], -len(grids[grid])))
    return tuple(grids[finest])


def _cell(asset: Mapping[str, Any]) -> float:
    """Size of a pixel, in whatever units all assets of an item have in common; infinite when nothing says it."""
    described = [asset, *(asset.get("bands") or ()), *(asset.get("raster:bands") or ()), *(asset.get("eo:bands") or ())]
    transform = asset.get("proj:transform")
    if transform:
        return abs(float(transform[0])) or abs(float(transform[1]))
    for part in described:
        for name in ("gsd", "spatial_resolution", "raster:spatial_resolution"):
            if part.get(name):
                return float(part[name])
    return float("inf")
