"""Every operation of the API description with arguments of all kinds: an answer or a reason, never a failure."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

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
        for west in (-84.48, -84.478):
            ring = [[west, 33.638], [west + 0.001, 33.638], [west + 0.001, 33.639], [west, 33.638]]
            body = {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {"class": "building", "note": "it's 50% off"},
            }
            assert running.post(ITEMS, json=body).status_code == 201
        yield running


def check(response: Any) -> None:
    assert response.status_code < 500, f"{response.request.method} {response.request.url}: {response.text}"
    if response.status_code >= 400 and response.request.method != "HEAD":
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["detail"]


texts = st.text(max_size=20) | st.sampled_from(
    ["", "atlanta", "kampala", "atlanta.coverage", "building", "1", "0", "-1", "9" * 40, "nan", "1e999", "true", "null", "../..",
     "%00", "2020-01-01", "2020-01-01/..", "../2020", "-180,-90,180,90", "1,2,3", "179,-10,-179,10", "0,0,0,0", "png", "mvt",
     "WebMercatorQuad", "http://www.opengis.net/def/crs/EPSG/0/32616", "http://www.opengis.net/def/crs/EPSG/0/4326", "EPSG:4326",
     "cql2-json", "cql2-text", "class='building'", "S_INTERSECTS(geometry,BBOX(-180,-90,180,90))", "1,2", "viridis", "B1+B2"]
)  # fmt: skip


def operations(client: TestClient) -> list[tuple[str, list[str]]]:
    """Paths that can be read, and the names of their query parameters."""
    described = client.get("/api/openapi.json").json()["paths"]
    return [
        (path, [p["name"] for p in methods["get"].get("parameters", ()) if p["in"] == "query"])
        for path, methods in described.items()
        if "get" in methods and not path.endswith("/events")
    ]


def fuzz(client: TestClient, data: st.DataObject) -> None:
    path, names = data.draw(st.sampled_from(operations(client)))
    while "{" in path:
        name = path[path.index("{") : path.index("}") + 1]
        likely = {"{project}": ["atlanta"], "{id}": ["1"], "{scene}": ["atlanta_pan"], "{tms}": ["WebMercatorQuad"]}
        value = data.draw(texts | st.sampled_from(likely.get(name, ["1"])))
        path = path.replace(name, quote(value.encode("utf-8", "replace"), safe=""), 1)
    query = data.draw(st.dictionaries(st.sampled_from([*names, "x"]), texts, max_size=3)) if names else {}
    pairs = "&".join(f"{n}={quote(v.encode('utf-8', 'surrogatepass'), safe='')}" for n, v in query.items())
    method = data.draw(st.sampled_from(["GET", "GET", "HEAD", "OPTIONS"]))
    check(client.request(method, f"{path or '/'}?{pairs}"))


relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@relaxed
@given(data=st.data())
def test_every_operation_answers_whatever_it_is_asked(client: TestClient, data: st.DataObject) -> None:
    fuzz(client, data)


pieces = st.sampled_from(
    [
        "(",
        ")",
        ",",
        "=",
        "<>",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "AND",
        "OR",
        "NOT",
        "LIKE",
        "BETWEEN",
        "IN",
        "IS",
        "NULL",
        "CASEI(",
        "S_INTERSECTS(",
        "S_WITHIN(",
        "S_TOUCHES(",
        "T_AFTER(",
        "T_DURING(",
        "DATE(",
        "INTERVAL(",
        "BBOX(",
        "POINT(",
        "geometry",
        "class",
        "note",
        "confidence",
        "id",
        "valid_from",
        "created_at",
        "'x'",
        "'..'",
        "1",
        "2.5",
        "1e308",
        "-84.479",
        "33.6385",
        "TRUE",
        "'2020-01-01'",
        "NULL",
        "'it''s'",
        "'%50\\%%'",
    ]
)
likely = st.sampled_from(
    ["class = 'building'", "note LIKE '%50\\%%'", "id IN (1, 2)", "confidence IS NULL", "id * 1e308 * 1e308 > 1", "id / 0 = 1",
     "S_INTERSECTS(geometry, BBOX(-180, -90, 180, 90))", "S_TOUCHES(geometry, POINT(-84.479 33.6385))",
     "S_CROSSES(geometry, LINESTRING(-84.5 33.6, -84.4 33.7))", "S_INTERSECTS(geometry, POINT(1e308 1e308))",
     "S_WITHIN(geometry, POLYGON((-85 33, -84 33, -84 34, -85 33)))", "created_at > DATE('2020-01-01')",
     "T_INTERSECTS(INTERVAL(valid_from, valid_to), DATE('2020-01-01'))", "S_EQUALS(geometry, BBOX(170, -80, -170, 80))"]
)  # fmt: skip
sentences = st.recursive(
    likely | st.lists(pieces, min_size=1, max_size=8).map(" ".join),
    lambda inner: st.builds("({} AND {})".format, inner, inner) | st.builds("NOT ({})".format, inner),
    max_leaves=4,
)
crss = st.sampled_from(
    [None, "http://www.opengis.net/def/crs/EPSG/0/32616", "http://www.opengis.net/def/crs/EPSG/0/4326", "x"]
)


def ask(client: TestClient, text: str, crs: str | None) -> None:
    query = {"filter": text, **({"filter-crs": crs} if crs else {})}
    answer = client.get(ITEMS, params=query)
    check(answer)
    assert answer.status_code in {200, 400}


@relaxed
@given(text=sentences, crs=crss)
def test_every_filter_is_answered(client: TestClient, text: str, crs: str | None) -> None:
    ask(client, text, crs)


@pytest.mark.soak
@settings(relaxed, max_examples=20_000)
@given(text=sentences, crs=crss)
def test_twenty_thousand_filters_are_answered(client: TestClient, text: str, crs: str | None) -> None:
    ask(client, text, crs)
