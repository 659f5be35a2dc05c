from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

if TYPE_CHECKING:
    from conftest import Api

ITEMS = "/api/collections/{project}/items"


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    answer = api("GET", "/api/openapi.json")
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi+json;version=3.0"
    described: dict[str, Any] = answer.json()
    return described


def test_it_is_valid_openapi_3_0(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.0.")
    assert [str(error.message) for error in OpenAPIV30SpecValidator(document).iter_errors()] == []


def test_every_route_is_described(document: dict[str, Any]) -> None:
    routes = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if method in {"get", "post", "put", "patch", "delete"}
    }
    assert {
        ("GET", "/healthz"),
        ("GET", "/api"),
        ("GET", "/api/conformance"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/scenes"),
        ("POST", "/api/scenes"),
        ("GET", "/api/scenes/{scene}"),
        ("GET", "/api/scenes/{scene}/tiles/{tms}/{z}/{x}/{y}.{fmt}"),
        ("GET", "/api/scenes/{scene}/{tms}/tilejson.json"),
        ("GET", "/api/projects"),
        ("POST", "/api/projects"),
        ("GET", "/api/projects/{project}"),
        ("PATCH", "/api/projects/{project}"),
        ("DELETE", "/api/projects/{project}"),
        ("POST", "/api/projects/{project}/imports"),
        ("POST", "/api/projects/{project}/exports"),
        ("GET", "/api/collections"),
        ("GET", "/api/collections/{project}"),
        ("GET", "/api/collections/{project}/queryables"),
        ("GET", "/api/collections/{project}/schema"),
        ("GET", ITEMS),
        ("POST", ITEMS),
        ("GET", f"{ITEMS}/{{id}}"),
        ("PUT", f"{ITEMS}/{{id}}"),
        ("PATCH", f"{ITEMS}/{{id}}"),
        ("DELETE", f"{ITEMS}/{{id}}"),
        ("GET", f"{ITEMS}/{{id}}/history"),
        ("GET", "/api/jobs/{id}"),
        ("DELETE", "/api/jobs/{id}"),
        ("GET", "/api/jobs/{id}/result"),
    } <= routes


def test_what_ogc_clients_look_for(document: dict[str, Any]) -> None:
    items = document["paths"][ITEMS]["get"]
    parameters = {p["name"]: p for p in items["parameters"]}
    assert {"bbox", "bbox-crs", "crs", "limit", "datetime", "class", "status"} <= set(parameters)
    assert parameters["bbox"]["schema"]["items"] == {"type": "number"}
    assert parameters["bbox"]["explode"] is False
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 10000, "default": 1000}
    assert "application/geo+json" in items["responses"]["200"]["content"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in {"post", "put", "patch"}:
                assert operation["requestBody"]["content"], (method, path)
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation.get("summary"), (method, path)
    assert document["servers"] == [{"url": "http://127.0.0.1:8000"}]


def test_no_words_of_3_1_are_left(document: dict[str, Any]) -> None:
    def walk(node: Any, path: str) -> None:
        if isinstance(node, dict):
            assert "const" not in node, path
            assert not isinstance(node.get("type"), list), path
            assert node.get("type") != "null", path
            assert "$defs" not in node, path
            for key, child in node.items():
                walk(child, f"{path}/{key}")
        elif isinstance(node, list):
            for index, child in enumerate(node):
                walk(child, f"{path}/{index}")

    walk(document, "")
