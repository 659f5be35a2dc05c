"""What goes wrong inside is told to people outside without paths, SQL or secrets."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from geolabel.classes import make_classes
from geolabel.model import Project
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

CANARY = "canary7f3a"
NEVER = (
    CANARY,
    "Traceback",
    "SELECT ",
    "INSERT ",
    "sqlite3",
    "sqlalchemy",
    "psycopg",
    "site-packages",
    "workspace.gpkg",
)
LAND = "/api/collections/land"
BODY = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [-84.4, 33.6]},
    "properties": {"class": "water"},
}

QUESTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/collections/nope/items", {}),
    ("GET", f"{LAND}/items/99", {}),
    ("GET", f"{LAND}/items?bbox=1,2,3", {}),
    ("GET", f"{LAND}/items?filter=class%20%3D", {}),
    ("GET", f"{LAND}/items?filter=nope%3D1", {}),
    ("GET", f"{LAND}/items?crs=http://www.opengis.net/def/crs/EPSG/0/999999", {}),
    ("GET", f"{LAND}/items?limit=%00", {}),
    ("GET", f"{LAND}/items/{2**63}", {}),
    ("POST", f"{LAND}/items", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    ("POST", f"{LAND}/items", {"json": {**BODY, "properties": {"class": "x' OR '1'='1"}}}),
    (
        "POST",
        f"{LAND}/items",
        {
            "content": json.dumps(BODY).replace('"water"', '"water", "note": "\\ud800"').encode(),
            "headers": {"Content-Type": "application/json"},
        },
    ),
    ("PATCH", f"{LAND}/items/1", {"json": {"geometry": {"type": "Polygon", "coordinates": []}}}),
    ("POST", "/api/scenes", {"json": {"href": "/etc/passwd"}}),
    ("POST", "/api/projects", {"json": {"title": "Land", "crs": "EPSG:0", "classes": ["a"]}}),
    ("GET", "/api/jobs/99", {}),
    ("GET", "/api/scenes/nope/tiles/WebMercatorQuad/0/0/0.png", {}),
    ("GET", "/nowhere", {}),
]


def harmless(answer: httpx.Response) -> None:
    assert answer.status_code >= 400
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    text = answer.text + str(answer.headers)
    assert [word for word in NEVER if word in text] == [], answer.text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace in a place that nobody outside shall hear of."""
    place = tmp_path / CANARY / "ws"
    with open_store(place, create=True) as store:
        store.create_project(Project("land", "Land", "EPSG:32616", make_classes(["water"])))
    return place


def test_nothing_inside_is_told_outside(
    folder: Path, serve: Callable[[str], Any], client: Callable[[str], httpx.Client]
) -> None:
    server, url = serve(str(folder))
    http = client(url)
    assert http.post(f"{LAND}/items", json=BODY).status_code == 201
    for method, path, options in QUESTIONS:
        harmless(http.request(method, path, **options))
    # The database itself fails, under a server that is at work.
    with closing(sqlite3.connect(folder / "workspace.gpkg", isolation_level=None)) as other:
        other.execute("PRAGMA foreign_keys = OFF")
        other.execute("DROP TABLE geolabel_history")
    broken = http.patch(f"{LAND}/items/1", json={"properties": {"note": "x"}})
    harmless(broken)
    assert broken.status_code == 503
    assert "the server's log says why" in broken.json()["detail"]
    server.stop()
    server.wait()
    assert "geolabel_history" in server.output, "the log has the whole story"


@pytest.mark.soak  # it waits for as long as the server does
def test_a_locked_database_is_said_without_its_place(
    folder: Path, serve: Callable[[str], Any], client: Callable[[str], httpx.Client]
) -> None:
    _, url = serve(str(folder))
    http = client(url)
    with closing(sqlite3.connect(folder / "workspace.gpkg", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = http.post(f"{LAND}/items", json=BODY)
        assert http.get(f"{LAND}/items").status_code == 200, "reading goes on"
        other.execute("ROLLBACK")
    harmless(refused)
    assert refused.status_code == 503
    assert "is being written to by another program" in refused.json()["detail"]
    assert http.post(f"{LAND}/items", json=BODY).status_code == 201
