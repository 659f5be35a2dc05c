"""OGC API Tiles: tile matrix sets, lists of tilesets and their metadata, as JSON objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tiles import crs, matrix
from tiles.desk import MEDIA_TYPES
from tiles.layers import crs_uri, definition

if TYPE_CHECKING:
    from tiles.layers import Layer, Tileset
    from tiles.matrix import Level, MatrixSet

TILESETS: Final = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-map"
SCHEME: Final = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
_JSON: Final = "application/json"
_CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


def tile_matrix_sets(url: str) -> dict[str, Any]:
    """The list of those that everybody knows.

    Args:
        url: of the list.
    """
    sets = [matrix.find(name) for name in matrix.names()]
    return {
        "tileMatrixSets": [
            {
                "id": one.id,
                "title": one.title,
                "uri": definition(one.id),
                "crs": crs_uri(one),
                "links": [_link(f"{url}/{one.id}", "self", f"The tile matrix set {one.id}")],
            }
            for one in sets
        ],
        "links": [_link(url, "self", "This page")],
    }


def tile_matrix_set(matrices: MatrixSet, uri: str) -> dict[str, Any]:
    """The definition of a set, after OGC 17-083r4.

    Args:
        matrices: the set.
        uri: of its definition.
    """
    name = matrices.crs
    axes = ["x", "y"] if name is None else [axis.abbrev for axis in crs.read(name).axis_info[:2]]
    return {
        "id": matrices.id,
        "title": matrices.title,
        "uri": uri,
        "crs": _crs(matrices),
        "orderedAxes": axes,
        "tileMatrices": [
            _matrix(level, swapped=name is not None and crs.north_first(name)) for level in matrices.levels
        ],
    }


def _crs(matrices: MatrixSet) -> Any:
    if matrices.crs is None:
        return {
            "referenceSystem": {
                "type": "Pixels",
                "description": "x = column, y = -row, from the outer corner of the first pixel",
            }
        }
    return crs_uri(matrices) or {"wkt": crs.read(matrices.crs).to_json_dict()}


def _matrix(level: Level, *, swapped: bool) -> dict[str, Any]:
    wider = [{"coalesce": count, "minTileRow": first, "maxTileRow": last} for first, last, count in level.wider]
    return {
        "id": str(level.z),
        "scaleDenominator": level.denominator,
        "cellSize": level.cell,
        "cornerOfOrigin": "topLeft",
        "pointOfOrigin": [level.top, level.left] if swapped else [level.left, level.top],
        "tileWidth": level.size,
        "tileHeight": level.size,
        "matrixWidth": level.columns,
        "matrixHeight": level.rows,
        **({"variableMatrixWidths": wider} if wider else {}),
    }


def tilesets(layer: Layer, url: str, schemes: str) -> dict[str, Any]:
    """The list of a picture's tilesets.

    Args:
        layer: the picture.
        url: of the list.
        schemes: URL of the list of tile matrix sets.
    """
    return {
        "tilesets": [_summary(layer, tileset, f"{url}/{tileset.matrices.id}", schemes) for tileset in layer.tilesets],
        "links": [_link(url, "self", "This page")],
    }


def tileset(layer: Layer, one: Tileset, url: str, schemes: str) -> dict[str, Any]:
    """The metadata of a tileset.

    Args:
        layer: the picture.
        one: of its tilesets.
        url: of this document.
        schemes: URL of the list of tile matrix sets.
    """
    document = _summary(layer, one, url, schemes)
    names = {"{TileMatrix}": "{tileMatrix}", "{TileCol}": "{tileCol}", "{TileRow}": "{tileRow}"}
    for fmt in layer.formats:
        media = MEDIA_TYPES[fmt]
        template = layer.tile_url(one.matrices.id, fmt)
        for theirs, ours in names.items():
            template = template.replace(theirs, ours)
        document["links"].append({**_link(template, "item", f"Tiles as {media}", media), "templated": True})
    document["tileMatrixSetLimits"] = [
        {"tileMatrix": str(z), "minTileRow": top, "maxTileRow": bottom, "minTileCol": left, "maxTileCol": right}
        for z, (left, right, top, bottom) in one.limits.items()
    ]
    if layer.bounds is not None:
        west, south, east, north = layer.bounds
        document["boundingBox"] = {"lowerLeft": [west, south], "upperRight": [east, north], "crs": _CRS84}
    return document


def _summary(layer: Layer, one: Tileset, url: str, schemes: str) -> dict[str, Any]:
    native = one.matrices.id == matrix.NATIVE
    scheme = one.uri if native else f"{schemes}/{one.matrices.id}"
    return {
        "title": layer.title,
        "dataType": "map",
        "crs": _crs(one.matrices),
        "tileMatrixSetId": one.matrices.id,
        "tileMatrixSetURI": one.uri,
        "links": [_link(url, "self", "This tileset"), _link(scheme, SCHEME, "How its tiles lie")],
    }


def _link(href: str, rel: str, title: str, media: str = _JSON) -> dict[str, Any]:
    return {"href": href, "rel": rel, "type": media, "title": title}
