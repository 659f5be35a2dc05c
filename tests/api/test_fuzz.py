from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geolabel.app import create_app
from geolabel.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ITEMS = "/api/collections/atlanta/items"


@pytest.fixture(scope="module")
def client(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = shutil.copytree(template, tmp_path_factory.mktemp("fuzz") / "ws")
    app = create_app(Settings(workspace=folder))
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as running:
        ring = [[-84.48, 33.638], [-84.479, 33.638], [-84.479, 33.639], [-84.48, 33.638]]
        body = {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"class": "building"},
        }
        assert running.post(ITEMS, json=body).status_code == 201
        yield running


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
numbers = (
    st.floats(-181, 181)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-84.48, 33.638, 0, 180, -180, 90, -90, 1e308, 5e-324, 10**40])
)
positions = st.lists(numbers, min_size=1, max_size=4) | json_values
rings = st.lists(positions, max_size=6).map(lambda ring: [*ring, *ring[:1]]) | json_values
geometries = (
    st.builds(lambda c: {"type": "Point", "coordinates": c}, positions)
    | st.builds(lambda c: {"type": "LineString", "coordinates": c}, st.lists(positions, max_size=5))
    | st.builds(lambda c: {"type": "Polygon", "coordinates": c}, st.lists(rings, max_size=3))
    | st.builds(
        lambda t, c: {"type": t, "coordinates": c},
        st.sampled_from(["MultiPoint", "MultiLineString", "MultiPolygon", "Point", "Polygon"]),
        st.lists(st.lists(rings, max_size=2), max_size=3),
    )
    | json_values
)
property_names = st.sampled_from(
    ["class", "note", "status", "confidence", "scene", "version", "area_m2", "created_at", "author", "x"]
)
properties = (
    st.dictionaries(property_names, json_values, max_size=4).map(lambda p: {"class": "building", **p}) | json_values
)
features = (
    st.builds(lambda g, p: {"type": "Feature", "geometry": g, "properties": p}, geometries, properties) | json_values
)
crss = st.sampled_from(
    [None, "<http://www.opengis.net/def/crs/EPSG/0/32616>", "<http://www.opengis.net/def/crs/EPSG/0/3857>", "x"]
)


def check(response: Any) -> None:
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        problem = response.json()
        assert response.headers["Content-Type"] == "application/problem+json"
        assert problem["status"] == response.status_code
        assert problem["detail"]


def encoded(value: Any) -> bytes:
    """JSON as Python writes it: also with lone surrogates and integers of any length."""
    import json

    return json.dumps(value).encode()


relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(body=features, crs=crss, method=st.sampled_from(["POST", "PUT", "PATCH"]))
def test_no_body_breaks_the_labels(client: TestClient, body: Any, crs: str | None, method: str) -> None:
    headers = {"Content-Type": "application/geo+json"} | ({"Content-Crs": crs} if crs else {})
    url = ITEMS if method == "POST" else f"{ITEMS}/1"
    check(client.request(method, url, content=encoded(body), headers=headers))


@relaxed
@given(
    body=json_values
    | st.dictionaries(
        st.sampled_from(["title", "name", "scenes", "classes", "crs", "on_invalid", "formats", "chips", "href"]),
        json_values | st.lists(st.dictionaries(st.sampled_from(["name", "id", "color", "size"]), json_values)),
    ),
    route=st.sampled_from(
        [
            ("POST", "/api/projects"),
            ("PATCH", "/api/projects/swellendam"),
            ("POST", "/api/scenes"),
            ("POST", "/api/projects/swellendam/exports"),
        ]
    ),
)
def test_no_body_breaks_the_rest(client: TestClient, body: Any, route: tuple[str, str]) -> None:
    check(client.request(*route, content=encoded(body), headers={"Content-Type": "application/json"}))


@relaxed
@given(raw=st.binary(max_size=200), method=st.sampled_from(["POST", "PUT", "PATCH"]))
def test_no_bytes_break_it(client: TestClient, raw: bytes, method: str) -> None:
    url = ITEMS if method == "POST" else f"{ITEMS}/1"
    check(client.request(method, url, content=raw, headers={"Content-Type": "application/json"}))


texts = st.text(max_size=30) | st.lists(st.floats(), min_size=3, max_size=7).map(lambda v: ",".join(map(str, v)))


@relaxed
@given(
    query=st.dictionaries(st.sampled_from(["bbox", "bbox-crs", "crs", "limit", "after", "class", "datetime"]), texts)
)
def test_no_query_breaks_it(client: TestClient, query: dict[str, str]) -> None:
    try:
        check(client.get(ITEMS, params=query))
    except UnicodeEncodeError:  # the client cannot send it
        return


@relaxed
@given(boxes=st.tuples(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90)))
def test_every_box_on_earth_is_answered(client: TestClient, boxes: tuple[float, float, float, float]) -> None:
    west, south, east, north = boxes
    south, north = sorted((south, north))
    answer = client.get(ITEMS, params={"bbox": f"{west},{south},{east},{north}"})
    assert answer.status_code == 200


@relaxed
@given(value=st.text(max_size=20), name=st.sampled_from(["If-Match", "If-None-Match", "Content-Crs"]))
def test_no_header_breaks_it(client: TestClient, value: str, name: str) -> None:
    try:
        raw = value.encode("latin-1")
    except UnicodeEncodeError:
        return
    body = b'{"properties": {"note": null}}'
    headers = {b"Content-Type": b"application/json", name.encode(): raw}
    check(client.patch(f"{ITEMS}/1", content=body, headers=headers))
    check(client.get(f"{ITEMS}/1", headers={name.encode(): raw}))
