"""Edits word for word as clients send them: what they did not touch comes back as the very doubles that were stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from pyproj import CRS, Transformer
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon

from geolabel.app import create_app
from geolabel.classes import make_classes
from geolabel.model import NewAnnotation, Project
from geolabel.settings import Settings
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
OWN = (
    'PROJCRS["A grid of our own",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",'
    'ELLIPSOID["WGS 84",6378137,298.257223563]]],CONVERSION["c",METHOD["Lambert Azimuthal Equal Area",ID["EPSG",9820]],'
    'PARAMETER["Latitude of natural origin",1.5,ANGLEUNIT["degree",0.0174532925199433]],'
    'PARAMETER["Longitude of natural origin",32.6,ANGLEUNIT["degree",0.0174532925199433]]],CS[Cartesian,2],'
    'AXIS["easting (X)",east],AXIS["northing (Y)",north],LENGTHUNIT["metre",1]]'
)
# Storage CRS -> a place in it.
GRIDS = {
    "utm": ("EPSG:32636", (452_000.0, 38_500.0)),
    "utm-dateline": ("EPSG:32660", (705_600.0, 5_790_000.0)),
    "antarctic": ("EPSG:3031", (-1_200_000.0, 900_000.0)),
    "arctic": ("EPSG:32661", (2_000_150.0, 1_999_900.0)),
    "northing-first": ("EPSG:2393", (3_400_000.0, 6_700_000.0)),
    "own": (OWN, (1_000.0, 2_000.0)),
    "degrees": ("EPSG:4326", (0.0, 0.0)),
    "lonlat": ("OGC:CRS84", (0.0, 0.0)),
    "mercator": ("EPSG:3857", (0.0, 0.0)),
}
METRES = [name for name in GRIDS if name not in {"degrees", "lonlat", "mercator"}]
KINDS = [{"name": "any", "geometries": ["point", "line", "polygon"]}]


def ring(x: float, y: float, radius: float, count: int, seed: int) -> np.ndarray:
    """A closed ragged ring with all the digits of doubles."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    points = np.column_stack((np.cos(angles), np.sin(angles))) * rng.uniform(0.7, 1, (count, 1)) * radius + (x, y)
    return np.vstack([points, points[:1]])


def field(x: float, y: float, seed: int = 1) -> Polygon:
    return Polygon(ring(x, y, 300, 24, seed), [ring(x, y, 60, 9, seed + 1)])


@dataclass
class Api:
    """A client that expects success."""

    client: TestClient
    app: FastAPI

    def __call__(self, method: str, path: str, **kwargs: Any) -> Any:
        response = self.client.request(method, path, **kwargs)
        assert response.status_code == 200, f"{response.status_code}: {response.text}"
        return response


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One server for all, with a project in each CRS."""
    folder = tmp_path_factory.mktemp("golden")
    with open_store(folder, create=True) as store:
        for name, (crs, _) in GRIDS.items():
            store.create_project(Project(name, name, crs, make_classes(KINDS)))
    app = create_app(Settings(workspace=folder))
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        yield Api(client, app)


@pytest.fixture
def stored(running: Api) -> Callable[..., tuple[Api, str, Callable[[], Any]]]:
    """Puts a shape into the project of a grid; gives the API, the label's address and a way to look into the store."""

    def put(grid: str, shape: shapely.Geometry) -> tuple[Api, str, Callable[[], Any]]:
        store = running.app.state.store
        [made] = store.create(grid, [NewAnnotation(shape, "any")])
        at = f"/api/collections/{grid}/items/{made.id}"
        return running, at, lambda: store.annotation(grid, made.id).geometry

    return put


def printed(geometry: dict[str, Any], decimals: int) -> dict[str, Any]:
    """A geometry with numbers as a client prints them."""
    return json.loads(json.dumps(geometry), parse_float=lambda text: float(f"{float(text):.{decimals}f}"))


def qgis_puts(served: dict[str, Any], geometry: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """The body of QGIS 3.34 to a server without PATCH: keys sorted, id as a text, six decimals, no If-Match."""
    properties = {k: v for k, v in served["properties"].items() if v is not None}
    body = {"geometry": printed(geometry, 6), "id": str(served["id"]), "properties": properties, "type": "Feature"}
    return json.dumps(body, separators=(",", ":"), sort_keys=True).encode(), {"Content-Type": "application/geo+json"}


def qgis_patches(_: dict[str, Any], geometry: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """The body of QGIS 3.40 when one geometry was edited."""
    body = {"geometry": printed(geometry, 6)}
    headers = {"Content-Type": "application/merge-patch+json"}
    return json.dumps(body, separators=(",", ":"), sort_keys=True).encode(), headers


def web_patches(served: dict[str, Any], geometry: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """The body of the web editor: nine decimals (terra-draw's), and the version that it had seen."""
    headers = {"Content-Type": "application/merge-patch+json", "If-Match": f'"{served["properties"]["version"]}"'}
    return json.dumps({"geometry": printed(geometry, 9)}, separators=(",", ":")).encode(), headers


CLIENTS = {"qgis-put": ("PUT", qgis_puts), "qgis-patch": ("PATCH", qgis_patches), "web": ("PATCH", web_patches)}


def edit(api: Api, at: str, client: str, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Read a label as the client does, change it, send it back."""
    served = api("GET", at, headers={"Accept": "application/geo+json"}).json()
    geometry = json.loads(json.dumps(served["geometry"]))
    change(geometry)
    method, write = CLIENTS[client]
    body, headers = write(served, geometry)
    return api(method, at, content=body, headers=headers).json()


def rows(geometry: shapely.Geometry) -> list[tuple[float, ...]]:
    return [tuple(row) for row in shapely.get_coordinates(geometry, include_z=geometry.has_z)]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("grid", METRES)
def test_one_vertex_is_moved(stored: Any, grid: str, client: str) -> None:
    before = field(*GRIDS[grid][1])
    api, at, look = stored(grid, before)
    target: list[float] = []

    def move(geometry: dict[str, Any]) -> None:
        parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
        outline = max((part[0] for part in parts), key=len)
        # A vertex that is nobody's cut or corner of the antimeridian.
        index = max(range(1, len(outline) - 1), key=lambda i: min(180 - abs(outline[i][0]), 1e-9 * i))
        outline[index] = [outline[index][0] + 0.000123, outline[index][1] - 0.000077]
        target[:] = outline[index]

    edit(api, at, client, move)
    after = look()
    assert after.geom_type == "Polygon"
    assert len(rows(after)) == len(rows(before))
    [new] = set(rows(after)) - set(rows(before))
    [old] = set(rows(before)) - set(rows(after))
    assert rows(after).index(new) == rows(before).index(old)
    sent = [float(f"{v:.{9 if client == 'web' else 6}f}") for v in target]
    crs = CRS.from_user_input(GRIDS[grid][0])
    expected = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(*sent)
    assert new == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("grid", METRES)
def test_nothing_is_changed(stored: Any, grid: str, client: str) -> None:
    x, y = GRIDS[grid][1]
    shapes = MultiPolygon([field(x, y), field(x + 900, y + 500, 5), field(x, y - 2000, 9)])
    api, at, look = stored(grid, shapes)
    edit(api, at, client, lambda _: None)
    assert shapely.equals_identical(look(), shapes)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("grid", ["utm", "antarctic"])
def test_vertices_are_inserted_and_removed(stored: Any, grid: str, client: str) -> None:
    before = MultiPolygon([field(*GRIDS[grid][1]), field(GRIDS[grid][1][0] + 900, GRIDS[grid][1][1], 7)])
    api, at, look = stored(grid, before)

    def change(geometry: dict[str, Any]) -> None:
        outline, hole = geometry["coordinates"][1]
        del outline[7:9]
        middle = [(a + b) / 2 for a, b in zip(outline[3], outline[4], strict=True)]
        outline.insert(4, middle)
        hole.insert(2, [(a + b) / 2 for a, b in zip(hole[1], hole[2], strict=True)])

    edit(api, at, client, change)
    known = set(rows(before))
    after = look()
    assert shapely.equals_identical(after.geoms[0], before.geoms[0])
    outline, hole = after.geoms[1].exterior, after.geoms[1].interiors[0]
    assert [i for i, p in enumerate(rows(outline)) if p not in known] == [4]
    assert [i for i, p in enumerate(rows(hole)) if p not in known] == [2]
    assert len(rows(outline)) == 25 - 2 + 1
    assert len(known - set(rows(after))) == 2


@pytest.mark.parametrize("client", CLIENTS)
def test_a_hole_is_filled_and_a_part_is_added(stored: Any, client: str) -> None:
    before = field(*GRIDS["utm"][1])
    api, at, look = stored("utm", before)

    def change(geometry: dict[str, Any]) -> None:
        outline, hole = geometry["coordinates"]
        far = [[x + 0.01, y] for x, y in hole]
        geometry.update(type="MultiPolygon", coordinates=[[outline], [far]])

    edit(api, at, client, change)
    after = look()
    assert [len(p.interiors) for p in after.geoms] == [0, 0]
    assert rows(after.geoms[0].exterior) == rows(before.exterior)


@pytest.mark.parametrize("client", CLIENTS)
def test_bends_that_were_only_served_are_not_stored(stored: Any, client: str) -> None:
    x, y = 400_000.5, 3_900_000.25
    before = Polygon([(x, y), (x + 90_000, y), (x + 90_000, y + 90_000.75), (x, y)])
    api, at, look = stored("utm", before)
    assert len(api("GET", at).json()["geometry"]["coordinates"][0]) > 50
    edit(api, at, client, lambda _: None)
    assert shapely.equals_identical(look(), before)


SOLID = {
    "Point": Point(452_000.1, 38_500.2, 1_190.75),
    "LineString": LineString([(452_000.1, 38_500.2, 7.25), (452_100.3, 38_500.4, 8.5), (452_200.7, 38_550.9, 12.0)]),
    "Polygon": Polygon([(*p, 100 + i) for i, p in enumerate(ring(452_000.0, 38_500.0, 300, 12, 3)[:-1])]),
    "MultiPoint": MultiPoint([(452_000.1, 38_500.2, 1.5), (452_010.3, 38_500.9, 2.5)]),
    "MultiLineString": MultiLineString(
        [
            [(452_000.1, 38_500.2, 7.25), (452_100.3, 38_500.4, 8.5)],
            [(453_000.1, 38_500.2, 9.0), (453_100.3, 38_500.4, 9.5)],
        ]
    ),
}


def flatten(value: Any) -> Any:
    """Coordinates without Z."""
    return [float(v) for v in value[:2]] if isinstance(value[0], float) else [flatten(v) for v in value]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("kind", SOLID)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_heights_survive_a_client_that_has_none(stored: Any, kind: str, client: str, dimensions: int) -> None:
    before = SOLID[kind]
    api, at, look = stored("utm", before)

    def change(geometry: dict[str, Any]) -> None:
        if dimensions == 2:
            geometry["coordinates"] = flatten(geometry["coordinates"])

    edit(api, at, client, change)
    assert shapely.equals_identical(look(), before)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_new_vertex_gets_the_height_of_its_edge(stored: Any, client: str) -> None:
    before = SOLID["LineString"]
    api, at, look = stored("utm", before)

    def change(geometry: dict[str, Any]) -> None:
        flat = flatten(geometry["coordinates"])
        flat.insert(1, [(a + b) / 2 for a, b in zip(*flat[:2], strict=True)])
        flat.append([flat[-1][0] + 0.001, flat[-1][1]])
        geometry["coordinates"] = flat

    edit(api, at, client, change)
    after = rows(look())
    assert [after[i] for i in (0, 2, 3)] == rows(before)
    assert after[1][2] == pytest.approx((7.25 + 8.5) / 2, abs=1e-2)
    assert after[4][2] == 12.0


EXTREMES = {
    "Point": Point(-0.0, 5e-324),
    "LineString": LineString([(-0.0, 0.0), (2.2250738585072014e-308, 5e-324), (1 / 3, np.nextafter(1.0, 2.0))]),
    "Polygon": Polygon(
        [
            (0.1, 0.1),
            (
                1.1,
                0.30000000000000004,
            ),
            (1.0, 1e-310),
            (0.1, 0.1),
        ]
    ),
    "3D": LineString([(-0.0, 0.0, -0.0), (1.0, 2.0, 5e-324)]),
}


@pytest.mark.parametrize("kind", EXTREMES)
@pytest.mark.parametrize("grid", ["degrees", "lonlat", "mercator", "own"])
def test_the_storage_crs_gives_every_bit(stored: Any, grid: str, kind: str) -> None:
    before = EXTREMES[kind]
    api, at, look = stored(grid, before)
    uri = api("GET", f"/api/collections/{grid}").json()["storageCrs"]
    served = api("GET", at, params={"crs": uri})
    assert served.headers["Content-Crs"] == f"<{uri}>"
    given = np.array(served.json()["geometry"]["coordinates"], dtype=float).reshape(-1, 3 if before.has_z else 2)
    if grid == "degrees":  # EPSG:4326 speaks latitude first
        given[:, [0, 1]] = given[:, [1, 0]]
    expected = shapely.get_coordinates(before, include_z=before.has_z)
    assert given.tobytes() == expected.tobytes()
    # And the same bits come back to where they were.
    headers = {"Content-Crs": f"<{uri}>", "Content-Type": "application/geo+json"}
    api("PUT", at, content=served.content, headers=headers)
    assert shapely.to_wkb(look()) == shapely.to_wkb(before)
