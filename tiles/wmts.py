"""WMTS 1.0.0: the capabilities as XML, and requests in key-value pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tiles import crs
from tiles.errors import InvalidParameter
from tiles.layers import twice
from tiles.matrix import NATIVE
from tiles.parameters import read_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiles.layers import Layer, Tileset
    from tiles.matrix import MatrixSet

MEDIA_TYPE: Final = "application/xml"
FORMATS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/tiff": "tif"}
"""What is offered, and how the names of such tiles end."""

INFO_FORMAT: Final = "application/json"

_WMTS = "http://www.opengis.net/wmts/1.0"
_OWS = "http://www.opengis.net/ows/1.1"
_XLINK = "http://www.w3.org/1999/xlink"
_NAMES: Final = {
    "xmlns": _WMTS,
    "xmlns:ows": _OWS,
    "xmlns:xlink": _XLINK,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{_WMTS} http://schemas.opengis.net/wmts/1.0/wmtsGetCapabilities_response.xsd",
    "version": "1.0.0",
}
# Pixels of a raster that lies nowhere: x = column, y = -row.
_PIXELS: Final = (
    'ENGCRS["Pixels",EDATUM["Raster"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]'
)


@dataclass(frozen=True, slots=True)
class TileRequest:
    """A tile, or the values under one of its pixels, as asked for in key-value pairs.

    Attributes:
        layer: its id.
        tms: name of the tile matrix set.
        address: zoom level, column and row.
        fmt: how its name would end; None when values are asked for.
        pixel: (column, row) in the tile when values are asked for.
    """

    layer: str
    tms: str
    address: tuple[int, int, int]
    fmt: str | None
    pixel: tuple[int, int] | None


def read_request(query: Mapping[str, str]) -> TileRequest | None:
    """What a request asks for; None for the capabilities.

    Args:
        query: with names in lower case.

    Raises:
        InvalidParameter: a parameter is missing or cannot be used.
    """
    request = query.get("request", "GetCapabilities").lower()
    if request == "getcapabilities":
        return None  # also of a WMS: QGIS asks so until it sees what it got
    if query.get("service", "WMTS").upper() != "WMTS":
        raise InvalidParameter(f"SERVICE cannot be used: expected WMTS; got {query['service'][:32]!r}.")
    if request not in {"gettile", "getfeatureinfo"}:
        raise InvalidParameter(
            f"REQUEST cannot be used: expected GetCapabilities, GetTile or GetFeatureInfo; got {query['request'][:32]!r}."
        )
    wanted = ["layer", "tilematrixset", "tilematrix", "tilerow", "tilecol"]
    missing = [name.upper() for name in wanted if not query.get(name)]
    if missing:
        raise InvalidParameter(f"{missing[0]} is missing: expected {', '.join(name.upper() for name in wanted)}.")
    address = (
        read_number("TILEMATRIX", query["tilematrix"].rpartition(":")[2]),
        read_number("TILECOL", query["tilecol"]),
        read_number("TILEROW", query["tilerow"]),
    )
    if request == "getfeatureinfo":
        pixel = read_number("I", query.get("i", "")), read_number("J", query.get("j", ""))
        return TileRequest(query["layer"], query["tilematrixset"], address, None, pixel)
    media = query.get("format", "image/png")
    if media not in FORMATS:
        raise InvalidParameter(f"FORMAT cannot be used: expected one of {', '.join(FORMATS)}; got {media[:32]!r}.")
    return TileRequest(query["layer"], query["tilematrixset"], address, FORMATS[media], None)


def capabilities(layers: Sequence[Layer], url: str, title: str, *, values: bool = True) -> bytes:
    """The capabilities document.

    Args:
        layers: what is offered.
        url: where requests in key-value pairs go.
        title: of the service, as people read it.
        values: whether the values under a pixel can be asked for (GetFeatureInfo).
    """
    root = Element("Capabilities", _NAMES)
    identification = SubElement(root, "ows:ServiceIdentification")
    for name, text in (("Title", title), ("ServiceType", "OGC WMTS"), ("ServiceTypeVersion", "1.0.0")):
        _text(identification, f"ows:{name}", text)
    operations = SubElement(root, "ows:OperationsMetadata")
    for name in ("GetCapabilities", "GetTile", *(("GetFeatureInfo",) if values else ())):
        http = SubElement(SubElement(SubElement(operations, "ows:Operation", name=name), "ows:DCP"), "ows:HTTP")
        get = SubElement(http, "ows:Get", {"xlink:href": f"{url}&" if "?" in url else f"{url}?"})
        allowed = SubElement(SubElement(get, "ows:Constraint", name="GetEncoding"), "ows:AllowedValues")
        _text(allowed, "ows:Value", "KVP")
    contents = SubElement(root, "Contents")
    # Clients that are told nothing take the first; those with fine screens choose.
    layers = [replace(layer, tilesets=(*layer.tilesets, *_twice(layer.tilesets))) for layer in layers]
    for layer in layers:
        _layer(contents, layer, values=values)
    tilesets = [tileset for layer in layers for tileset in layer.tilesets]
    for matrices in {tileset.matrices.id: tileset.matrices for tileset in tilesets}.values():
        finest = max(max(tileset.limits) for tileset in tilesets if tileset.matrices.id == matrices.id)
        _matrix_set(contents, matrices, finest)
    SubElement(root, "ServiceMetadataURL", {"xlink:href": url})
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _twice(tilesets: Sequence[Tileset]) -> list[Tileset]:
    """In tiles of 512 pixels; but for a scene's own pixels, of which there are no more."""
    return [twice(tileset) for tileset in tilesets if tileset.matrices.id != NATIVE]


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text


def _layer(contents: Element, layer: Layer, *, values: bool) -> None:
    element = SubElement(contents, "Layer")
    _text(element, "ows:Title", layer.title)
    # The box of WMTS does not go across the antimeridian; without it clients go by those of the sets.
    if layer.bounds is not None and layer.bounds[0] <= layer.bounds[2]:
        west, south, east, north = layer.bounds
        box = SubElement(element, "ows:WGS84BoundingBox")
        _text(box, "ows:LowerCorner", f"{west!r} {south!r}")
        _text(box, "ows:UpperCorner", f"{east!r} {north!r}")
    _text(element, "ows:Identifier", layer.id)
    for tileset in layer.tilesets:
        _box(element, tileset)
    style = SubElement(element, "Style", isDefault="true")
    _text(style, "ows:Identifier", "default")
    formats = {media: fmt for media, fmt in FORMATS.items() if fmt in layer.formats}
    for media in formats:
        _text(element, "Format", media)
    if values:
        _text(element, "InfoFormat", INFO_FORMAT)
    for tileset in layer.tilesets:
        link = SubElement(element, "TileMatrixSetLink")
        _text(link, "TileMatrixSet", tileset.matrices.id)
        _limits(link, tileset.limits)
    for media, fmt in formats.items():
        template = layer.template.replace("{format}", fmt)
        SubElement(element, "ResourceURL", format=media, resourceType="tile", template=template)


def _box(element: Element, tileset: Tileset) -> None:
    name, (west, south, east, north) = tileset.matrices.crs, tileset.box
    urn = None if name is None else crs.urn(name)
    if name is not None and urn is not None:
        low, high = ((south, west), (north, east)) if crs.north_first(name) else ((west, south), (east, north))
        box = SubElement(element, "ows:BoundingBox", crs=urn)
        _text(box, "ows:LowerCorner", f"{low[0]!r} {low[1]!r}")
        _text(box, "ows:UpperCorner", f"{high[0]!r} {high[1]!r}")


def _limits(link: Element, limits: Mapping[int, tuple[int, int, int, int]]) -> None:
    several = SubElement(link, "TileMatrixSetLimits")
    for z, (left, right, top, bottom) in limits.items():
        one = SubElement(several, "TileMatrixLimits")
        _text(one, "TileMatrix", str(z))
        for name, value in (("MinTileRow", top), ("MaxTileRow", bottom), ("MinTileCol", left), ("MaxTileCol", right)):
            _text(one, name, str(value))


def _matrix_set(contents: Element, matrices: MatrixSet, finest: int) -> None:
    """A set down to the level where all detail is there: GDAL opens the last that is named, at its full size."""
    element = SubElement(contents, "TileMatrixSet")
    _text(element, "ows:Identifier", matrices.id)
    name = matrices.crs
    _text(element, "ows:SupportedCRS", _PIXELS if name is None else crs.urn(name) or name)
    swapped = name is not None and crs.north_first(name)
    for level in (level for level in matrices.levels if level.z <= finest and not level.wider):
        one = SubElement(element, "TileMatrix")
        _text(one, "ows:Identifier", str(level.z))
        _text(one, "ScaleDenominator", repr(level.denominator))
        corner = (level.top, level.left) if swapped else (level.left, level.top)
        _text(one, "TopLeftCorner", f"{corner[0]!r} {corner[1]!r}")
        sizes = {"TileWidth": level.size, "TileHeight": level.size}
        for tag, value in {**sizes, "MatrixWidth": level.columns, "MatrixHeight": level.rows}.items():
            _text(one, tag, str(value))
