"""OGC API Features: landing page, conformance, collections, queryables, schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.negotiate import CRS84_URI, crs_list, media_type, storage_crs, storage_edge
from geolabel.api.properties import SERVER_OWNED, SETTABLE
from geolabel.api.wire import GEOJSON, JSON, Json
from geolabel.cql import queryables
from geolabel.cql.queryables import GEOMETRY
from geolabel.geo import crs as crs_
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geolabel.attributes import Attribute
    from geolabel.cql import Queryable
    from geolabel.model import Bounds, Project

router = APIRouter(
    prefix="/api", tags=["collections"], dependencies=[Depends(known_parameters)], default_response_class=Json
)

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
SCHEMA = "application/schema+json"
TILESETS = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-map"
SCHEMES = "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes"
PROJJSON = "application/projjson+json"

_PART = "http://www.opengis.net/spec/ogcapi-features-"
_CQL2 = "http://www.opengis.net/spec/cql2/"

CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    *(f"{_PART}1/1.0/conf/{name}" for name in ("core", "oas30", "geojson")),
    f"{_PART}2/1.0/conf/crs",
    *(
        f"{_PART}3/1.0/conf/{name}"
        for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")
    ),
    *(f"{_PART}4/1.0/conf/{name}" for name in ("create-replace-delete", "update", "optimistic-locking-etags")),
    f"{_PART}5/1.0/conf/schemas",
    *(
        f"{_CQL2}1.0/conf/{name}"
        for name in (
            "cql2-text",
            "cql2-json",
            "basic-cql2",
            "advanced-comparison-operators",
            "case-insensitive-comparison",
            "basic-spatial-functions",
            "basic-spatial-functions-plus",
            "spatial-functions",
            "temporal-functions",
            "property-property",
        )
    ),
    *(
        f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}"
        for name in ("core", "tileset", "tilesets-list", "png", "jpeg", "tiff")
    ),
    *(
        f"http://www.opengis.net/spec/tms/2.0/conf/{name}"
        for name in (
            "tilematrixset",
            "tilesetmetadata",
            "json-tilematrixset",
            "json-tilematrixsetlimits",
            "json-tilesetmetadata",
        )
    ),
    # What basic-spatial-functions was called in the drafts: QGIS sends boxes to servers that say so.
    f"{_CQL2}0.0/conf/basic-spatial-operators",
)


@router.get("/", include_in_schema=False)
@router.get("")
def landing(context: ContextDep) -> Response:
    """Where everything is."""
    links = [
        _link(context, "/api", "self", JSON, "This page"),
        _link(context, "/api/openapi.json", "service-desc", OPENAPI, "The API as OpenAPI 3.0"),
        _link(context, "/api/docs", "service-doc", "text/html", "The API for people"),
        _link(context, "/api/conformance", "conformance", JSON, "Standards that the API follows"),
        _link(context, "/api/collections", "data", JSON, "The projects' labels"),
        _link(context, "/api/scenes", "scenes", JSON, "Imagery: the scenes, and their tiles"),
        _link(context, "/api/tileMatrixSets", SCHEMES, JSON, "Tile matrix sets in which scenes on Earth are served"),
        _link(context, "/", "alternate", "text/html", "The web map"),
    ]
    return Json(
        {"title": "geolabel", "description": "Land-use labels on satellite and aerial imagery.", "links": links}
    )


@router.get("/conformance")
def conformance() -> Response:
    """The conformance classes of OGC API Features and Tiles."""
    return Json({"conformsTo": CONFORMANCE})


@router.get("/collections")
def list_collections(context: ContextDep) -> Response:
    """One collection for each project."""
    collections = [collection(context, project) for project in context.store.projects(coverage=True)]
    crs = list(dict.fromkeys(uri for c in collections for uri in c["crs"])) or [CRS84_URI]
    links = [_link(context, "/api/collections", "self", JSON, "This page")]
    return Json({"links": links, "crs": crs, "collections": collections})


@router.get("/collections/{project}")
def get_collection(context: ContextDep, project: str) -> Response:
    """A project's labels: extent, CRSs, links."""
    return Json(collection(context, context.store.project(project)))


@router.get("/collections/{project}/crs")
def get_crs(
    context: ContextDep,
    project: str,
    accept: Annotated[str, Header(description="PROJJSON when it asks for JSON, WKT otherwise.")] = "",
) -> Response:
    """The definition of the storage CRS: WKT 2, or PROJJSON. It is the name of a CRS that has no code."""
    storage = storage_crs(context.store.project(project))
    if "json" in accept.lower():
        return Json(crs_.to_projjson(storage), media_type=PROJJSON, headers={"Vary": "Accept"})
    return Response(crs_.to_wkt(storage), media_type="text/plain; charset=utf-8", headers={"Vary": "Accept"})


@router.get("/collections/{project}/queryables")
def get_queryables(context: ContextDep, project: str) -> Response:
    """The properties that `items` can be filtered by, as JSON Schema."""
    project_ = context.store.project(project)
    properties = {GEOMETRY: _geometry(project_)}
    for name, queryable in queryables(project_).items():
        properties[name] = {"title": queryable.title, "description": queryable.description, **_type(queryable)}
    return _schema(context, project_, "queryables", properties, required=[])


@router.get("/collections/{project}/schema")
def get_schema(context: ContextDep, project: str) -> Response:
    """The properties of a label, as JSON Schema; the server's own are read-only."""
    project_ = context.store.project(project)
    known = queryables(project_)
    properties: dict[str, Any] = {
        "id": {"title": "Id", "type": "integer", "readOnly": True, "x-ogc-role": "id"},
        GEOMETRY: _geometry(project_),
    }
    attributes = {attribute.name: attribute for attribute in project_.attributes}
    for name in dict.fromkeys((*SETTABLE, *attributes, *SERVER_OWNED)):
        described: dict[str, Any] = {"title": name.replace("_", " ").capitalize(), "type": "string"}
        if name in known:
            described |= {"title": known[name].title, "description": known[name].description, **_type(known[name])}
        if name in attributes:
            described |= _range(attributes[name])
        if name in SERVER_OWNED:
            described["readOnly"] = True
        properties[name] = described | _TYPES.get(name, {})
    for position, member in enumerate(properties.values(), start=1):
        member["x-ogc-propertySeq"] = position
    return _schema(context, project_, "schema", properties, required=["class", GEOMETRY])


_TYPES: dict[str, dict[str, Any]] = {
    "confidence": {"minimum": 0, "maximum": 1},
    "area_m2": {"type": "number", "x-ogc-unit": "m2"},
    "length_m": {"type": "number", "x-ogc-unit": "m"},
    "external": {"type": "object"},
}
_KINDS = {"text": "string", "number": "number", "boolean": "boolean", "instant": "string"}


def _type(queryable: Queryable) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "integer" if queryable.whole else _KINDS[queryable.kind]}
    if queryable.kind == "instant" and not queryable.days:
        described["format"] = "date-time"
    if queryable.values:
        described["enum"] = list(queryable.values)
    return described


def _range(attribute: Attribute) -> dict[str, Any]:
    described = {"minimum": attribute.minimum, "maximum": attribute.maximum}
    return {name: value for name, value in described.items() if value is not None}


def _geometry(project: Project) -> dict[str, Any]:
    """A geometry of every type that the classes allow. QGIS makes an empty layer of the type that it finds here."""
    kinds = {kind for label_class in project.classes for kind in label_class.geometries}
    [kind] = kinds if len(kinds) == 1 else ["any"]
    named = {
        "polygon": "polygon-or-multipolygon",
        "line": "linestring-or-multilinestring",
        "point": "point-or-multipoint",
    }
    return {
        "title": "Geometry",
        "$ref": "https://geojson.org/schema/Geometry.json",
        "format": f"geometry-{named.get(kind, 'any')}",
        "x-ogc-role": "primary-geometry",
    }


def _schema(
    context: Context, project: Project, name: str, properties: dict[str, Any], *, required: list[str]
) -> Response:
    body: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": context.url(f"/api/collections/{project.id}/{name}"),
        "title": project.title,
        "type": "object",
        "properties": {n: {k: v for k, v in p.items() if v not in ([], "")} for n, p in properties.items()},
        "additionalProperties": False,
    }
    if required:
        body["required"] = required
    return Json(body, media_type=SCHEMA)


def collection(context: Context, project: Project) -> dict[str, Any]:
    """The collection document of a project."""
    at = f"/api/collections/{project.id}"
    storage, features = storage_crs(project), media_type(project)
    body: dict[str, Any] = {
        "id": project.id,
        "title": project.title,
        "description": f"Labels of the project {project.title}.",
        "itemType": "feature",
        "crs": [edge.uri for edge in crs_list(project, context.base)],
        "storageCrs": storage_edge(project, context.base).uri,
        "links": [
            _link(context, at, "self", JSON, project.title),
            _link(context, f"{at}/items", "items", features, "Labels as GeoJSON" if features == GEOJSON else "Labels"),
            _link(
                context, f"{at}/queryables", "http://www.opengis.net/def/rel/ogc/1.0/queryables", SCHEMA, "Queryables"
            ),
            _link(context, f"{at}/schema", "http://www.opengis.net/def/rel/ogc/1.0/schema", SCHEMA, "Schema"),
        ],
    }
    if features != GEOJSON:  # an extent is said in CRS84 and tiles are on the Earth: neither is here
        return body
    tiles = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
    body["links"].append(_link(context, f"{at}/tiles", tiles, JSON, "Vector tiles"))
    if project.scenes:
        mosaic = f"/api/projects/{project.id}/mosaic"
        body["links"].append(_link(context, f"{mosaic}/tiles", TILESETS, JSON, "Imagery: all scenes as one layer"))
    boxes = [scene.bounds for scene in map(context.store.scene, project.scenes) if scene.bounds is not None]
    if (labels := context.store.extent(project.id)) is not None:
        boxes.append(crs_.bounds_to(labels, storage, CRS84))
    if boxes:
        body["extent"] = {"spatial": {"bbox": [list(union(boxes))], "crs": CRS84_URI}}
    return body


def union(boxes: Sequence[Bounds]) -> Bounds:
    """The box in CRS84 around all; it crosses the antimeridian when one of them does and that is the shorter way."""
    south, north = min(b[1] for b in boxes), max(b[3] for b in boxes)
    if all(west <= east for west, _, east, _ in boxes):
        return min(b[0] for b in boxes), south, max(b[2] for b in boxes), north
    spans = [(west % 360, (east % 360) + (360 if east % 360 < west % 360 else 0)) for west, _, east, _ in boxes]
    west, east = min(s[0] for s in spans), max(s[1] for s in spans)
    if east - west >= 360:
        return -180.0, south, 180.0, north
    return (west + 180) % 360 - 180, south, (east + 180) % 360 - 180, north


def _link(context: Context, path: str, rel: str, media_type: str, title: str) -> dict[str, str]:
    return {"href": context.url(path), "rel": rel, "type": media_type, "title": title}
