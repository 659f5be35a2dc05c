"""`/api/openapi.json`: FastAPI describes itself in OpenAPI 3.1; OGC clients read 3.0.

Bodies are decoded by the endpoints themselves (strictly, in their threads), so they are described here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Response
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from geolabel.api.changesets import Revert
from geolabel.api.collections import OPENAPI
from geolabel.api.context import ContextDep, known_parameters
from geolabel.api.events import There
from geolabel.api.items import DEFAULT_LIMIT, MAX_LIMIT
from geolabel.api.jobs import NewExport
from geolabel.api.operations import Operation
from geolabel.api.projects import NewProject, ProjectPatch
from geolabel.api.scenes import NewScene, ScenePatch
from geolabel.api.snapshots import NewSnapshot
from geolabel.api.uploads import ImportUpload
from geolabel.api.wire import GEOJSON, JSON, MERGE_PATCH, PROBLEM, ZIP, Json

if TYPE_CHECKING:
    from fastapi import FastAPI

_ITEMS = "/api/collections/{project}/items"
_MODELS = (
    ImportUpload,
    NewExport,
    NewProject,
    NewScene,
    NewSnapshot,
    Operation,
    ProjectPatch,
    Revert,
    ScenePatch,
    There,
)
_OPTIONAL = ("Revert", "NewSnapshot")

_BODIES: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("/api/scenes", "post"): ("NewScene", (JSON,)),
    ("/api/projects", "post"): ("NewProject", (JSON,)),
    ("/api/projects/{project}", "patch"): ("ProjectPatch", (JSON, MERGE_PATCH)),
    ("/api/scenes/{scene}", "patch"): ("ScenePatch", (JSON, MERGE_PATCH)),
    ("/api/projects/{project}/exports", "post"): ("NewExport", (JSON,)),
    ("/api/projects/{project}/imports", "post"): ("Labels", (GEOJSON, JSON, ZIP)),
    ("/api/projects/{project}/uploads/{upload}/import", "post"): ("ImportUpload", (JSON,)),
    ("/api/projects/{project}/predictions", "post"): ("Predictions", (JSON, GEOJSON, ZIP)),
    ("/api/collections/{project}/batch", "post"): ("Batch", (JSON,)),
    ("/api/collections/{project}/people/{person}", "put"): ("There", (JSON,)),
    ("/api/collections/{project}/operations/{operation}", "post"): ("Operation", (JSON,)),
    ("/api/collections/{project}/changesets/{number}/revert", "post"): ("Revert", (JSON,)),
    ("/api/collections/{project}/snapshots", "post"): ("NewSnapshot", (JSON,)),
    (_ITEMS, "post"): ("Feature", (GEOJSON, JSON)),
    (f"{_ITEMS}/{{id}}", "put"): ("Feature", (GEOJSON, JSON)),
    (f"{_ITEMS}/{{id}}", "patch"): ("FeaturePatch", (MERGE_PATCH, GEOJSON, JSON)),
}
"""Schema and media types of each body, by path and method."""

_ANSWERS: dict[tuple[str, str], tuple[str, str]] = {
    (_ITEMS, "get"): ("200", "Page"),
    (_ITEMS, "post"): ("201", "Feature"),
    **{(f"{_ITEMS}/{{id}}", method): ("200", "Feature") for method in ("get", "put", "patch")},
}
"""Status and schema of an answer in GeoJSON, by path and method."""

_GEOMETRY = {
    "type": "object",
    "required": ["type", "coordinates"],
    "properties": {
        "type": {
            "type": "string",
            "enum": ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"],
        },
        "coordinates": {"type": "array", "items": {}},
    },
}
_FEATURE = {
    "type": {"type": "string", "enum": ["Feature"]},
    "geometry": {"$ref": "#/components/schemas/Geometry"},
    "properties": {"type": "object", "description": "See `schema` of the collection: `class` first."},
}
_FEATURES = {
    "type": {"type": "string", "enum": ["FeatureCollection"]},
    "features": {"type": "array", "items": {"$ref": "#/components/schemas/Feature"}},
}
_VERSION = {"id": {"type": "integer"}, "version": {"type": "integer"}}
_SCHEMAS: dict[str, Any] = {
    "Labels": {"description": "GeoJSON, or a file in the pixels of chips (see `format`), or a zip of such files."},
    "Predictions": {"description": "COCO results, GeoJSON, or a zip of files in any format that is read."},
    "Geometry": _GEOMETRY,
    "Feature": {"type": "object", "required": ["type", "geometry", "properties"], "properties": _FEATURE},
    "FeaturePatch": {"type": "object", "properties": _FEATURE},
    "FeatureCollection": {
        "type": "object",
        "required": ["type", "features"],
        "properties": _FEATURES,
    },
    "Page": {
        "type": "object",
        "required": ["type", "features", "links", "timeStamp", "numberReturned"],
        "properties": {
            **_FEATURES,
            "links": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["href", "rel"],
                    "properties": {name: {"type": "string"} for name in ("href", "rel", "type", "title")},
                },
            },
            "timeStamp": {"type": "string", "format": "date-time"},
            "numberReturned": {"type": "integer", "minimum": 0},
            "numberMatched": {
                "type": "integer",
                "minimum": 0,
                "description": "On all pages; left out when counting takes too long.",
            },
        },
    },
    "Batch": {
        "type": "object",
        "properties": {
            "create": {"type": "array", "items": {"$ref": "#/components/schemas/Feature"}},
            "update": {
                "type": "array",
                "items": {"type": "object", "required": ["id"], "properties": {**_VERSION, **_FEATURE}},
            },
            "delete": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": _VERSION}},
            "comment": {"type": "string"},
            "borders": {
                "type": "boolean",
                "default": False,
                "description": "Vertices on a neighbour's vertex take its stored doubles.",
            },
        },
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "message"],
                    "properties": {"pointer": {"type": "string"}, "message": {"type": "string"}},
                },
            },
        },
    },
}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "bbox": {
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
    },
    "limit": {
        "style": "form",
        "explode": False,
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    },
    "datetime": {"style": "form", "explode": False, "schema": {"type": "string"}},
    "filter-lang": {"schema": {"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"}},
    **{name: {"schema": {"type": "string", "format": "uri"}} for name in ("crs", "bbox-crs", "filter-crs")},
}
"""Parameters of `items`, as OGC API Features writes them."""

_BY_PROPERTY: dict[str, Any] = {
    "name": "properties",
    "in": "query",
    "required": False,
    "description": "Only labels with these values: any property of `queryables`, as in `?version=1&confidence=0.5`.",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "style": "form",
    "explode": True,
}


def add_route(app: FastAPI) -> None:
    """Serve the description of the application as it is once all routes are there."""

    @cache
    def build() -> dict[str, Any]:
        return document(app)

    router = APIRouter(tags=["server"], dependencies=[Depends(known_parameters)])

    @router.get("/api/openapi.json", response_class=Json)
    def openapi(context: ContextDep) -> Response:
        """This description."""
        return Json({**build(), "servers": [{"url": context.base}]}, media_type=OPENAPI)

    app.include_router(router)


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.0 document of an application."""
    full = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.0.3",
        description=app.description,
        routes=app.routes,
    )
    _, models = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    kept = full.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        kept.pop(name, None)
    full["components"] = {"schemas": {**kept, **models["$defs"], **_SCHEMAS}}
    for path, operations in full["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    described: dict[str, Any] = _to_3_0(full)
    return described


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    refused = {"schema": {"$ref": "#/components/schemas/Problem"}}
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {"description": "Refused, with the reason.", "content": {PROBLEM: refused}}
    if (path, method) in _BODIES:
        name, media_types = _BODIES[path, method]
        schema = {"schema": {"$ref": f"#/components/schemas/{name}"}}
        operation["requestBody"] = {"required": name not in _OPTIONAL, "content": dict.fromkeys(media_types, schema)}
    if (path, method) in _ANSWERS:
        status, name = _ANSWERS[path, method]
        operation["responses"][status]["content"] = {GEOJSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    if path == _ITEMS:
        for parameter in operation.get("parameters", ()):
            parameter.update(_PARAMETERS.get(parameter["name"], {}))
        if method == "get":
            operation["parameters"].append(_BY_PROPERTY)


def _to_3_0(value: Any) -> Any:
    """JSON Schema of 3.1 in the words of 3.0: `nullable` for the type null, `enum` for `const`."""
    if isinstance(value, list):
        return [_to_3_0(item) for item in value]
    if not isinstance(value, dict):
        return value
    node = {key: _to_3_0(item) for key, item in value.items()}
    choices = node.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del node["anyOf"]
        node["nullable"] = True
        if len(rest) > 1:
            node["anyOf"] = rest
        elif "$ref" in rest[0]:
            node["allOf"] = rest
        else:
            node.update(rest[0])
    if "const" in node and not isinstance(node["const"], dict):
        node["enum"] = [node.pop("const")]
    return node
