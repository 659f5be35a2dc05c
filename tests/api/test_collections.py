from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Api


@pytest.fixture(scope="module")
def ogc(data: Path) -> dict[str, Any]:
    """The OpenAPI schemas of OGC API Features."""
    folder = data / "formats" / "ogcapi_features" / "core" / "openapi" / "schemas"
    return {file.stem: yaml.safe_load(file.read_text()) for file in folder.glob("*.yaml")}


def conforms(value: Any, schema: dict[str, Any], ogc: dict[str, Any], at: str = "") -> None:
    """Types and required members of the OGC schemas; enough of JSON Schema for what they say."""
    if "$ref" in schema:
        conforms(value, ogc[schema["$ref"].rsplit("/", 1)[-1].removesuffix(".yaml")], ogc, at)
        return
    types = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool}
    if "type" in schema:
        named = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, types[name]) for name in named if name), f"{at} is {value!r}, expected {named}"
    if "enum" in schema:
        assert value in schema["enum"], f"{at} is {value!r}"
    for name in schema.get("required", ()):
        assert name in value, f"{at} has no {name}"
    if isinstance(value, dict):
        for name, child in schema.get("properties", {}).items():
            if name in value:
                conforms(value[name], child, ogc, f"{at}/{name}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            conforms(item, schema["items"], ogc, f"{at}/{index}")


def test_the_documents_conform_to_the_schemas_of_ogc(api: Api, ogc: dict[str, Any]) -> None:
    api.add("atlanta", api.square(-84.48, 33.638))
    for path, name in (
        ("/api", "landingPage"),
        ("/api/conformance", "confClasses"),
        ("/api/collections", "collections"),
        ("/api/collections/atlanta", "collection"),
        ("/api/collections/atlanta/items", "featureCollectionGeoJSON"),
        ("/api/collections/atlanta/items/1", "featureGeoJSON"),
        ("/api/collections/nowhere/items/1", "exception"),
    ):
        document = api.client.get(path).json()
        if name == "exception":
            document["code"] = str(document["status"])  # RFC 9457 stands in for the OGC's own form
        conforms(document, {"$ref": f"{name}.yaml"}, ogc)


def test_every_link_leads_somewhere(api: Api) -> None:
    api.add("atlanta", api.square(-84.48, 33.638))
    seen, todo = set(), ["http://127.0.0.1:8000/api"]
    while todo:
        url = todo.pop()
        if url in seen:
            continue
        seen.add(url)
        answer = api.client.get(url)
        path = url.removeprefix("http://127.0.0.1:8000")
        assert answer.status_code == 200 or path in {"/", "/api/docs"}, url  # the bundle may not be built here
        if "json" not in answer.headers["Content-Type"]:
            continue
        document = answer.json()
        parts = [document, *document.get("collections", ()), *document.get("features", ())]
        for link in (link for part in parts for link in part.get("links", ())):
            todo.append(link["href"])
            if link["href"] == url:
                assert answer.headers["Content-Type"].split(";")[0] == link["type"].split(";")[0], url
    assert len(seen) > 15


def test_queryables_and_schema(api: Api) -> None:
    queryables = api("GET", "/api/collections/atlanta/queryables")
    assert queryables.headers["Content-Type"] == "application/schema+json"
    assert queryables.json()["properties"]["class"]["enum"] == ["building", "road", "tree", "water"]
    assert {"geometry", "class", "note", "status", "confidence", "scene", "version"} <= set(
        queryables.json()["properties"]
    )
    schema = api("GET", "/api/collections/atlanta/schema").json()
    served = api.add("atlanta", api.square(-84.48, 33.638)).json()["properties"]
    assert set(served) <= set(schema["properties"])
    read_only = {name for name, p in schema["properties"].items() if p.get("readOnly")}
    assert {"id", "source", "author", "created_at", "updated_at", "version", "area_m2"} <= read_only
    assert not {"class", "note", "status", "confidence", "scene"} & read_only


def test_a_workspace_without_projects(tmp_path: Path, start: Any) -> None:
    from geolabel.store.store import open_store

    open_store(tmp_path / "empty", create=True).close()
    api = start(tmp_path / "empty")
    assert api("GET", "/api/collections").json()["collections"] == []
    assert api("GET", "/api/projects").json() == {"projects": []}
    assert api("GET", "/api/scenes").json() == {"scenes": []}
    assert api("GET", "/healthz").json() == {"status": "ok"}


def test_there_must_be_a_workspace(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    from geolabel.app import create_app
    from geolabel.errors import NotFound
    from geolabel.settings import Settings

    with pytest.raises(NotFound, match="no workspace"), TestClient(create_app(Settings(workspace=tmp_path / "none"))):
        pass
