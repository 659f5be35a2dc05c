"""What QGIS 3.40 sends when it opens, edits and saves a layer of labels, word for word, against a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely

from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

ITEMS = "/api/collections/atlanta/items"
UTM16 = "http://www.opengis.net/def/crs/EPSG/0/32616"
AGENT = {"User-Agent": "Mozilla/5.0 QGIS/34006/Debian", "Accept-Encoding": "gzip, deflate", "Accept-Language": "en,*"}
RING = [
    [733650.1200000001, 3725150.43],
    [733671.4399999999, 3725149.81],
    [733672.0900000001, 3725170.27],
    [733650.7, 3725171.04],
    [733650.1200000001, 3725150.43],
]


def polygon(ring: list[list[float]]) -> dict[str, Any]:
    return {"coordinates": [ring], "type": "Polygon"}


def send(server: httpx.Client, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
    return server.request(method, path, content=content, headers={**AGENT, **headers})


@pytest.fixture
def label(workspace: Path) -> int:
    with open_store(workspace) as store:
        [made] = store.create("atlanta", [NewAnnotation(shapely.Polygon(RING), "building")])
    return made.id


def test_qgis_finds_that_a_layer_can_be_edited(label: int, server: httpx.Client) -> None:
    allowed = send(server, "OPTIONS", ITEMS).headers["Allow"]
    assert "POST" in allowed
    # When there is no label yet, QGIS asks about this one.
    for id_ in (label, "unknown_id"):
        allowed = send(server, "OPTIONS", f"{ITEMS}/{id_}").headers["Allow"]
        assert {"PUT", "PATCH", "DELETE"} <= set(allowed.split(", "))


def test_qgis_adds_a_label(server: httpx.Client) -> None:
    fields = ("area_m2", "author", "confidence", "created_at", "note", "scene", "source", "status", "updated_at")
    properties = dict.fromkeys((*fields, "version")) | {"class": "building"}
    body = {"geometry": polygon(RING), "properties": properties, "type": "Feature"}
    headers = {"Content-Type": "application/geo+json", "Content-Crs": UTM16}
    made = send(server, "POST", ITEMS, body, **headers)
    assert made.status_code == 201, made.text
    # QGIS up to 3.40.6 finds no other spelling, reports a failure, and a second try makes the label twice.
    [location] = [value.decode() for name, value in made.headers.raw if name == b"Location"]
    at = location.removeprefix(f"{server.base_url}".rstrip("/"))
    assert at == f"{ITEMS}/{made.json()['id']}"
    read = send(server, "GET", at, Accept="application/geo+json, application/json").json()
    assert read["properties"]["status"] == "labelled"
    assert read["properties"]["source"] == "api"


def test_qgis_changes_and_deletes_a_label(label: int, server: httpx.Client, workspace: Path) -> None:
    at = f"{ITEMS}/{label}"
    moved = [RING[0], [733673.6899999999, 3725149.81], *RING[2:]]
    patches: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"geometry": polygon(moved)}, {"Content-Crs": UTM16}),
        ({"properties": {"class": "water", "confidence": 0.5}}, {}),
        ({"properties": {"note": "Grüße aus QGIS"}}, {}),
        ({"properties": {"note": None}}, {}),
    ]
    for version, (body, headers) in enumerate(patches, start=2):
        answer = send(server, "PATCH", at, body, **{"Content-Type": "application/merge-patch+json", **headers})
        assert answer.status_code == 200, answer.text
        assert answer.json()["properties"]["version"] == version
    with open_store(workspace) as store:
        stored = shapely.get_coordinates(store.annotation("atlanta", label).geometry)
    assert np.array_equal(stored, moved)
    assert send(server, "DELETE", at).status_code == 204
    history = send(server, "GET", f"{at}/history").json()["history"]
    assert [step["operation"] for step in history] == ["create", *["update"] * 4, "delete"]


def test_qgis_does_not_keep_what_changes(label: int, server: httpx.Client) -> None:
    for path in ("/api", "/api/collections", "/api/collections/atlanta", f"{ITEMS}?limit=1", f"{ITEMS}/{label}"):
        assert send(server, "GET", path).headers["Cache-Control"] == "no-cache"
