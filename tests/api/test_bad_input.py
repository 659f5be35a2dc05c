from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api

X, Y = -84.480, 33.638
RING = [[X, Y], [X + 0.001, Y], [X + 0.001, Y + 0.001], [X, Y]]
POINT = {"type": "Point", "coordinates": [X, Y]}


def polygon(*rings: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {"class": "building", **properties}}


BOW_TIE = [[X, Y], [X + 0.001, Y + 0.001], [X + 0.001, Y], [X, Y + 0.001], [X, Y]]

# body, JSON pointer of the first error, part of the sentence
BODIES: list[tuple[Any, str, str]] = [
    ([], "", "Feature"),
    (None, "", "Feature"),
    ("text", "", "Feature"),
    ({}, "/type", "'Feature'"),
    ({"type": "FeatureCollection", "features": []}, "/type", "FeatureCollection"),
    ({"type": ["Feature"]}, "/type", "'Feature'"),
    ({"type": "Feature", "properties": {"class": "building"}}, "/geometry", "geometry"),
    ({"type": "Feature", "geometry": POINT}, "/properties", "class"),
    ({"type": "Feature", "geometry": POINT, "properties": None}, "/properties", "class"),
    ({"type": "Feature", "geometry": POINT, "properties": []}, "/properties", "class"),
    ({"type": "Feature", "geometry": POINT, "properties": {}}, "/properties/class", "'water'"),
    (feature(None), "/geometry", "null"),
    (feature([]), "/geometry", "list"),
    (feature({}), "/geometry/type", "Polygon"),
    (feature({"type": 7}), "/geometry/type", "7"),
    (feature({"type": ["Point"]}), "/geometry/type", "Point"),
    (feature({"type": {"a": 1}}), "/geometry/type", "Point"),
    (feature({"type": "Point"}), "/geometry", "coordinates"),
    (feature({"type": "Circle", "coordinates": [X, Y]}), "/geometry/type", "Circle"),
    (feature({"type": "GeometryCollection", "geometries": []}), "/geometry/type", "GeometryCollection"),
    (feature({"type": "Point", "coordinates": []}), "/geometry/coordinates", "position"),
    (feature({"type": "Point", "coordinates": [X]}), "/geometry/coordinates", "position"),
    (feature({"type": "Point", "coordinates": [X, Y, 1, 2]}), "/geometry/coordinates", "position"),
    (feature({"type": "Point", "coordinates": [X, "north"]}), "/geometry/coordinates/1", "number"),
    (feature({"type": "Point", "coordinates": [X, None]}), "/geometry/coordinates/1", "number"),
    (feature({"type": "Point", "coordinates": [True, Y]}), "/geometry/coordinates/0", "number"),
    (feature({"type": "Point", "coordinates": {"x": X}}), "/geometry/coordinates", "position"),
    (feature({"type": "Point", "coordinates": [1e300, 1e300]}), "/geometry/coordinates", "nowhere on Earth"),
    (feature({"type": "Point", "coordinates": [X, 10**30]}), "/geometry/coordinates", "nowhere on Earth"),
    (feature({"type": "LineString", "coordinates": [[X, Y]]}), "/geometry/coordinates", "at least 2"),
    (feature(polygon()), "/geometry/coordinates", "ring"),
    (feature(polygon([])), "/geometry/coordinates/0", "position"),
    (feature(polygon(RING[:3])), "/geometry/coordinates/0", "4"),
    (feature(polygon([*RING[:3], [X, Y + 1]])), "/geometry/coordinates/0", "ends where it starts"),
    (feature(polygon([*RING[:2], [X], RING[0]])), "/geometry/coordinates/0/2", "position"),
    (feature(polygon(BOW_TIE)), "/geometry/coordinates/0/0", f"crosses itself at ({X + 0.0005:g}"),
    (feature(polygon([[X, Y]] * 4)), "/geometry/coordinates/0/0", "too few"),
    (feature({"type": "MultiPolygon", "coordinates": [[RING[:3]]]}), "/geometry/coordinates/0/0", "4"),
    (feature(polygon(RING), **{"class": "lava"}), "/properties/class", "'building', 'road', 'tree', 'water'"),
    (feature(polygon(RING), **{"class": 5}), "/properties/class", "got 5"),
    (feature(polygon(RING), **{"class": None}), "/properties/class", "got None"),
    (feature(polygon(RING), **{"class": ["water"]}), "/properties/class", "got"),
    (feature(polygon(RING), **{"class": "road"}), "/geometry/type", "drawn as line"),
    (feature(POINT, **{"class": "water"}), "/geometry/type", "drawn as polygon"),
    (feature(polygon(RING), note=7), "/properties/note", "text"),
    (feature(polygon(RING), note="x" * 10_001), "/properties/note", "10000"),
    (feature(polygon(RING), note="a\0b"), "/properties/note", "NUL"),
    (feature(polygon(RING), status="asleep"), "/properties/status", "labelled"),
    (feature(polygon(RING), status={}), "/properties/status", "labelled"),
    (feature(polygon(RING), confidence=1.5), "/properties/confidence", "0 to 1"),
    (feature(polygon(RING), confidence=True), "/properties/confidence", "0 to 1"),
    (feature(polygon(RING), scene="kampala_z19_rgb"), "/properties/scene", "atlanta_pan"),
    (feature(polygon(RING), colour="red"), "/properties/colour", "no property"),
    (feature(polygon(RING), **{"a/b~c": 1}), "/properties/a~1b~0c", "no property"),
    ({**feature(polygon(RING)), "no\0te": 1}, "", "NUL"),
]


@pytest.mark.parametrize(("body", "pointer", "words"), BODIES)
def test_a_body_that_cannot_be_a_label(api: Api, body: Any, pointer: str, words: str) -> None:
    sent = {"content": json.dumps(body), "headers": {"Content-Type": "application/geo+json"}}
    refused = api("POST", api.items("atlanta"), 422, **sent)
    assert refused.headers["Content-Type"] == "application/problem+json"
    problem = refused.json()
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"] == pointer
    assert words in problem["detail"] + problem["errors"][0]["message"]
    assert api("GET", api.items("atlanta")).json()["numberMatched"] == 0
    at = api("POST", api.items("atlanta"), 201, json=feature(polygon(RING))).headers["Location"]
    api("PUT", at, 422, **sent)
    assert api("GET", at).headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"type": "Feature",}',
        b'{"type": "Feature", "geometry": {"type": "Point", "coordinates": [NaN, 1]}}',
        b'{"type": "Feature", "geometry": {"type": "Point", "coordinates": [Infinity, 1]}}',
        b'{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1e999, 1]}}',
        b'{"type": "Feature", "properties": {"class": "\\ud800"}}',
        b'{"type": "Feature", "properties": {"class": "\xff"}}',
        b"[" * 100_000,
        b"\x00",
    ],
)
def test_what_is_not_json(api: Api, raw: bytes) -> None:
    for method, path in (
        ("POST", api.items("atlanta")),
        ("POST", "/api/projects"),
        ("PATCH", "/api/projects/atlanta"),
        ("POST", "/api/scenes"),
        ("POST", "/api/projects/atlanta/exports"),
    ):
        refused = api(method, path, 422, content=raw, headers={"Content-Type": "application/json"}).json()
        assert "not JSON" in refused["detail"]


def test_all_problems_are_listed_at_once(api: Api) -> None:
    body = feature(polygon(RING), **{"class": "lava"}, status="asleep", confidence=-1, colour="red")
    pointers = [e["pointer"] for e in api("POST", api.items("atlanta"), 422, json=body).json()["errors"]]
    names = ("class", "status", "confidence", "colour")
    assert sorted(pointers) == sorted(f"/properties/{name}" for name in names)


def test_a_patch_that_cannot_be_used(api: Api) -> None:
    at = api("POST", api.items("atlanta"), 201, json=feature(polygon(RING))).headers["Location"]
    for body, pointer in (
        ([], ""),
        ({"type": "Polygon"}, "/type"),
        ({"id": 77}, "/id"),
        ({"geometry": None}, "/geometry"),
        ({"geometry": POINT, "properties": {"class": "water"}}, "/geometry/type"),
        ({"properties": None}, "/properties"),
        ({"properties": {"class": "road"}}, "/geometry/type"),
        ({"properties": {"class": None}}, "/properties/class"),
    ):
        refused = api("PATCH", at, 422, json=body).json()
        assert refused["errors"][0]["pointer"] == pointer, body
    assert api("GET", at).headers["ETag"] == '"1"'


def test_policies_for_invalid_shapes(api: Api) -> None:
    api("PATCH", "/api/projects/atlanta", json={"on_invalid": "repair"})
    repaired = api("POST", api.items("atlanta"), 201, json=feature(polygon(BOW_TIE))).json()
    assert repaired["geometry"]["type"] == "MultiPolygon"
    refused = api("POST", api.items("atlanta"), 422, json=feature(polygon([[X, Y]] * 4))).json()
    assert "cannot be kept" in refused["detail"]
    api("PATCH", "/api/projects/atlanta", json={"on_invalid": "skip"})
    api("POST", api.items("atlanta"), 422, json=feature(polygon(BOW_TIE)))


def test_a_body_over_the_limit(workspace: Path, start: Callable[..., Api]) -> None:
    api = start(workspace, max_body_mb=1)
    headers = {"Content-Type": "application/json"}
    for path in (api.items("atlanta"), "/api/projects/atlanta/imports"):
        refused = api("POST", path, 413, content=b" " * 1_000_001, headers=headers).json()
        assert "1 MB" in refused["detail"]
        chunks = (b" " * 100_000 for _ in range(11))  # no Content-Length
        api("POST", path, 413, content=chunks, headers=headers)
    assert not list((api.app.state.store.folder / "imports").glob("*"))


@pytest.mark.parametrize("value", [math.pi * 1e-300, 5e-324, -0.0])
def test_tiny_numbers_pass(api: Api, value: float) -> None:
    made = api("POST", api.items("atlanta"), 201, json=feature(POINT, confidence=abs(value), **{"class": "tree"}))
    assert json.loads(made.text)["properties"]["confidence"] == abs(value)
