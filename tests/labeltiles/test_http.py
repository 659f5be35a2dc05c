"""The routes of label tiles, as map clients use them."""

from __future__ import annotations

import gzip
import io
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import mapbox_vector_tile
import pytest
import shapely
from fastapi.testclient import TestClient
from PIL import Image

from geolabel.api import labeltiles
from geolabel.app import create_app
from geolabel.classes import make_classes
from geolabel.model import AnnotationPatch, NewAnnotation, Project
from geolabel.serving import _listen
from geolabel.settings import Settings
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BASE = "http://127.0.0.1:8000"
TILES = "/api/collections/landuse/tiles"
MIDDLE = f"{TILES}/WebMercatorQuad/14/8192/8191.mvt"
MVT = "application/vnd.mapbox-vector-tile"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A project of 400 small squares north-east of (0, 0), one on Mars, and one without a CRS."""
    with open_store(tmp_path / "ws", create=True) as store:
        classes = make_classes(["water", "forest"])
        for name, crs in (("landuse", "OGC:CRS84"), ("mars", "IAU_2015:49900"), ("pixels", None)):
            store.create_project(Project(name, name.title(), crs, classes))
        corners = [(1e-3 * i, 1e-3 * j + 1e-4) for i in range(20) for j in range(20)]
        boxes = [shapely.box(x, y, x + 4e-4, y + 4e-4) for x, y in corners]
        store.create("landuse", [NewAnnotation(geometry=box, class_name="water") for box in boxes])
        store.create("landuse.coverage", [NewAnnotation(geometry=shapely.box(0, 0, 0.01, 0.01), class_name="seen")])
    return tmp_path / "ws"


@pytest.fixture
def start(workspace: Path) -> Iterator[Callable[..., TestClient]]:
    running: list[TestClient] = []

    def run(address: str = "203.0.113.7", **settings: Any) -> TestClient:
        app = create_app(Settings(workspace=workspace, **settings))
        base = settings.get("public_url", BASE)
        client = TestClient(app, base_url=base, raise_server_exceptions=False, client=(address, 1))
        running.append(client.__enter__())
        return client

    yield run
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    return start()


def ids(body: bytes) -> set[int]:
    return {f["id"] for f in mapbox_vector_tile.decode(body)["labels"]["features"]}


def test_a_tile(client: TestClient) -> None:
    answer = client.get(MIDDLE)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == MVT
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert ids(answer.content) == set(range(1, 401))


def test_a_tile_still_holds_until_a_label_changes(client: TestClient) -> None:
    first = client.get(MIDDLE)
    tag = first.headers["ETag"]
    same = client.get(MIDDLE, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert client.get(MIDDLE, headers={"If-None-Match": "*"}).status_code == 304
    client.app.state.store.update("landuse", 5, AnnotationPatch(class_name="forest"))  # type: ignore[attr-defined]
    later = client.get(MIDDLE, headers={"If-None-Match": tag})
    assert later.status_code == 200
    assert later.headers["ETag"] != tag
    assert later.content != first.content


def test_where_nothing_is(client: TestClient) -> None:
    answer = client.get(f"{TILES}/WebMercatorQuad/14/0/0.mvt")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["ETag"] == client.get(MIDDLE).headers["ETag"]
    assert client.get("/api/collections/landuse.coverage/tiles/WebMercatorQuad/14/0/0.mvt").status_code == 204


def test_the_coverage_has_tiles_of_its_own(client: TestClient) -> None:
    body = client.get("/api/collections/landuse.coverage/tiles/WebMercatorQuad/14/8192/8191.mvt").content
    (feature,) = mapbox_vector_tile.decode(body)["labels"]["features"]
    assert feature["properties"] == {"class": "seen", "id": 1, "status": "labelled"}


def test_a_pooled_tile(client: TestClient) -> None:
    path = MIDDLE.replace("WebMercatorQuad", "WebMercatorQuad/pooled")
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == MVT
    assert ids(answer.content) == set(range(1, 401))
    (count,) = mapbox_vector_tile.decode(answer.content)["count"]["features"]
    assert count["properties"] == {"labels": 400, "pooled": 0}
    assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get(f"{TILES}/WebMercatorQuad/pooled/14/0/0.mvt").status_code == 204


def test_a_picture_of_a_crowd_follows_its_labels_and_the_colours(client: TestClient) -> None:
    path = f"{TILES}/WebMercatorQuad/pooled/0/0/0.png"
    store = client.app.state.store  # type: ignore[attr-defined]
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.content)).getpixel((0, 0)) == (0, 0, 0, 0)
    tags = [answer.headers["ETag"], client.get(path, params={"hide": '["water"]'}).headers["ETag"]]
    assert client.get(path, headers={"If-None-Match": tags[0]}).status_code == 304
    assert client.get(path, headers={"If-None-Match": tags[1]}).status_code == 200
    shape = shapely.box(5, 5, 5.001, 5.001)
    store.create("landuse", [NewAnnotation(geometry=shape, class_name="water")] * 8000)
    answer = client.get(path)
    pixel = Image.open(io.BytesIO(answer.content)).getpixel((131, 124))
    assert pixel[3] > 70
    colors = [c.color for c in store.project("landuse").classes]
    assert "#{:02x}{:02x}{:02x}".format(*pixel) in colors
    tags.append(answer.headers["ETag"])
    hidden = client.get(path, params={"hide": '["water"]'})
    assert Image.open(io.BytesIO(hidden.content)).size in {(1, 1), (256, 256)}
    assert hidden.content != answer.content
    project = client.get("/api/projects/landuse").json()
    classes = [{**c, "color": "#123456"} for c in project["classes"]]
    assert client.patch("/api/projects/landuse", json={"classes": classes}).status_code == 200
    answer = client.get(path, headers={"If-None-Match": tags[-1]})
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).getpixel((131, 124))[:3] == (0x12, 0x34, 0x56)
    assert len({*tags, answer.headers["ETag"]}) == 4


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("WebMercatorQuad/pooled/3/8/0.mvt", 404, "WebMercatorQuad has 8 columns and 8 rows at zoom 3, got x=8, y=0."),
        ("WebMercatorQuad/pooled/1/0/0.mvt?class=water", 400, "a label tile takes no parameters"),
        ("WebMercatorQuad/pooled/3/8/0.png", 404, "WebMercatorQuad has 8 columns and 8 rows at zoom 3, got x=8, y=0."),
        ("WebMercatorQuad/pooled/1/0/0.png?hide=water", 400, "expected names of classes as a JSON list, got 'water'"),
        ("WebMercatorQuad/pooled/1/0/0.png?hide=[1]", 400, "expected names of classes as a JSON list, got '[1]'"),
        (f"WebMercatorQuad/pooled/1/0/0.png?hide={'[' * 5000}", 400, "expected names of classes as a JSON list"),
        ("WebMercatorQuad/pooled/1/0/0.png?class=water", 400, "there is no such parameter here; known are: hide"),
        ("WebMercatorQuad/3/8/0.mvt", 404, "WebMercatorQuad has 8 columns and 8 rows at zoom 3, got x=8, y=0."),
        ("WebMercatorQuad/25/0/0.mvt", 404, "WebMercatorQuad has the zoom levels 0 to 24, got 25."),
        ("WebMercatorQuad/-1/0/0.mvt", 404, "zoom, column and row are whole numbers, got '-1'"),
        ("WebMercatorQuad/1/0/1_0.mvt", 404, "got '1_0'"),
        ("WebMercatorQuad/1/0/99999999999999999999.mvt", 404, "whole numbers, got '99999"),
        ("WebMercatorQuad/1/0/0.pbf", 404, "There is nothing at"),
        ("Nowhere/1/0/0.mvt", 404, "There is no tile matrix set 'Nowhere' here; there are CanadianNAD83_LCC, "),
        ("Nowhere/tilejson.json", 404, "There is no tile matrix set 'Nowhere' here"),
        ("WebMercatorQuad/1/0/0.mvt?class=water", 400, "a label tile takes no parameters"),
        ("WebMercatorQuad/tilejson.json?f=x", 400, "there is no such parameter here"),
        ("?f=x", 400, "there is no such parameter here"),
    ],
)
def test_refused_without_a_look_at_the_labels(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, status: int, detail: str
) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("the labels were looked at")

    for name in ("tile_state", "tile_batches", "tile_count"):
        monkeypatch.setattr(client.app.state.store, name, read)  # type: ignore[attr-defined]
    answer = client.get(f"{TILES}{'' if path.startswith('?') else '/'}{path}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("path", ["", "/WebMercatorQuad/tilejson.json", "/WebMercatorQuad/0/0/0.mvt"])
@pytest.mark.parametrize(
    ("project", "status", "detail"),
    [
        ("mars", 422, "which is not on the Earth; the tile matrix sets are. Read its labels from `items`"),
        ("pixels", 422, "has no CRS, so its labels have no place in map tiles"),
        ("nobody", 404, "no project 'nobody'"),
    ],
)
def test_projects_without_a_place_on_the_map(
    client: TestClient, project: str, path: str, status: int, detail: str
) -> None:
    answer = client.get(f"/api/collections/{project}/tiles{path}")
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


def test_tilejson(client: TestClient) -> None:
    body = client.get(f"{TILES}/WebMercatorQuad/tilejson.json").json()
    assert body["tilejson"] == "3.0.0"
    assert body["tiles"] == [f"{BASE}{TILES}/WebMercatorQuad/{{z}}/{{x}}/{{y}}.mvt"]
    assert body["vector_layers"][0]["id"] == "labels"
    assert set(body["vector_layers"][0]["fields"]) == {"class", "id", "status"}
    assert body["bounds"] == pytest.approx([0, 1e-4, 0.0194, 0.0195])
    assert (body["minzoom"], body["maxzoom"]) == (0, 20)
    url = body["tiles"][0].format(z=14, x=8192, y=8191)
    assert client.get(url).status_code == 200


def test_the_collection_leads_to_its_tiles(client: TestClient) -> None:
    links = client.get("/api/collections/landuse").json()["links"]
    (link,) = [k for k in links if k["rel"] == "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"]
    sets = client.get(link["href"]).json()["tilesets"]
    assert {s["tileMatrixSetURI"].rsplit("/", 1)[1] for s in sets} >= {"WebMercatorQuad", "WorldCRS84Quad"}
    for found in sets:
        assert found["dataType"] == "vector"
        links = {k["rel"]: k["href"] for k in found["links"]}
        assert client.get(links["describedby"]).json()["tilejson"] == "3.0.0"
        url = links["item"].format(tileMatrix=5, tileCol=0, tileRow=0)
        assert client.get(url).status_code in {200, 204}


@pytest.mark.parametrize(
    ("address", "headers", "compressed"),
    [
        ("203.0.113.7", {"Accept-Encoding": "gzip, br"}, True),
        ("203.0.113.7", {"Accept-Encoding": "br;q=1.0, GZIP;q=0.5"}, True),
        ("203.0.113.7", {"Accept-Encoding": "gzip;q=0"}, False),
        ("203.0.113.7", {"Accept-Encoding": "identity"}, False),
        ("127.0.0.1", {"Accept-Encoding": "gzip"}, False),
        ("127.0.0.1", {"Accept-Encoding": "gzip", "X-Forwarded-For": "203.0.113.7"}, True),
    ],
)
def test_compressed_for_who_asks_and_is_elsewhere(
    start: Callable[..., TestClient], address: str, headers: dict[str, str], compressed: bool
) -> None:
    client = start(address)
    with client.stream("GET", MIDDLE, headers=headers) as answer:
        sent = b"".join(answer.iter_raw())
        assert (answer.headers.get("Content-Encoding") == "gzip") is compressed
        assert answer.headers["Vary"] == "Accept-Encoding"
        tag = answer.headers["ETag"]
    plain = gzip.decompress(sent) if compressed else sent
    assert ids(plain) == set(range(1, 401))
    assert client.get(MIDDLE, headers={**headers, "If-None-Match": tag}).status_code == 304


def test_small_tiles_are_not_compressed(client: TestClient) -> None:
    answer = client.get(f"{TILES}/WebMercatorQuad/22/2097152/2097150.mvt", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    "settings", [{"label_memory_mb": 0}, {"label_tiles_mb": 0}, {"public_url": "https://x.example/gl"}]
)
def test_the_same_tile_with_every_setting(start: Callable[..., TestClient], settings: dict[str, Any]) -> None:
    body = start().get(MIDDLE).content
    for _ in range(2):
        other = start(**settings)
        assert other.get(MIDDLE).content == body


def test_the_tiles_are_described(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    route = paths["/api/collections/{project}/tiles/{tms}/{z}/{x}/{y}.mvt"]["get"]
    assert MVT in route["responses"]["200"]["content"]
    assert {"204", "304"} <= set(route["responses"])
    assert "/api/collections/{project}/tiles/{tms}/tilejson.json" in paths


def test_small_answers_are_sent_at_once() -> None:
    """Asyncio turns Nagle's algorithm off only on sockets that say TCP; with it an answer takes 40 ms more."""
    with _listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_the_server_starts_without_the_compiler() -> None:
    """Loading numba takes a second, which the first tile pays for and nobody else."""
    code = "import sys, geolabel.app, geolabel.cli; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (MIDDLE, {}),
        (MIDDLE, {"Accept-Encoding": "gzip"}),
        (MIDDLE, {"If-None-Match": "*"}),
        (MIDDLE, {"Host": "evil.example"}),
        (f"{MIDDLE}?class=water", {}),
        (f"{TILES}/WebMercatorQuad/14/0/0.mvt", {}),
        (f"{TILES}/WebMercatorQuad/14/99999/0.mvt", {}),
        (f"{TILES}/WebMercatorQuad/x/0/0.mvt", {}),
        (f"{TILES}/Nothing/0/0/0.mvt", {}),
        (f"{TILES}/WebMercatorQuad/0/0/0.mvt.mvt", {}),
        ("/api/collections/nothing/tiles/WebMercatorQuad/0/0/0.mvt", {}),
        ("/api/collections/mars/tiles/WebMercatorQuad/0/0/0.mvt", {}),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_short_way_answers_as_the_long_one(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, headers: dict[str, str], method: str
) -> None:
    def asked() -> tuple[int, dict[str, str], bytes]:
        answer = client.request(method, path, headers={"Accept-Encoding": "identity", **headers})
        return answer.status_code, {**answer.headers, "x-request-id": ""}, answer.content

    short = asked()
    monkeypatch.setattr(labeltiles, "_PATH", re.compile(r"\Z."))
    assert asked() == short


def test_tiles_are_counted_under_their_route(client: TestClient) -> None:
    route = 'method="GET",route="/api/collections/{project}/tiles/{tms}/{z}/{x}/{y}.mvt"'

    def counted(status: int) -> float:
        found = re.search(rf'geolabel_http_requests_total\{{{re.escape(route)},status="{status}"\}} ([0-9.]+)', text())
        return float(found[1]) if found else 0.0

    def text() -> str:
        said: str = client.get("/metrics").text
        return said

    before = counted(200), counted(404)
    client.get(MIDDLE)
    client.get(f"{TILES}/Nothing/0/0/0.mvt")
    assert (counted(200), counted(404)) == (before[0] + 1, before[1] + 1)
