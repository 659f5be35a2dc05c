from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from pyproj import CRS, Transformer
from shapely.geometry import shape

from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
WGS84 = "http://www.opengis.net/def/crs/EPSG/0/4326"
MERCATOR = "http://www.opengis.net/def/crs/EPSG/0/3857"
UTM16 = "http://www.opengis.net/def/crs/EPSG/0/32616"
STORAGE = {"atlanta": UTM16, "kampala": MERCATOR, "swellendam": WGS84}
CORNER = {"atlanta": (-84.481, 33.637), "kampala": (32.594, 0.3505), "swellendam": (20.51, -34.02)}


def oracle(xy: np.ndarray, source: str, target: str) -> np.ndarray:
    """pyproj in the authority's own axis order: what OGC API Features asks for at the edge."""
    sides = [CRS.from_authority(*uri.rsplit("/", 3)[-3::2]) for uri in (source, target)]
    return np.column_stack(Transformer.from_crs(*sides, always_xy=False).transform(xy[:, 0], xy[:, 1]))


def coordinates(geometry: dict[str, Any]) -> np.ndarray:
    return shapely.get_coordinates(shape(geometry))


def decimals(geometry: dict[str, Any], count: int) -> dict[str, Any]:
    """A geometry as QGIS prints it."""
    return json.loads(json.dumps(geometry), parse_float=lambda text: float(f"{float(text):.{count}f}"))


@pytest.mark.parametrize("project", STORAGE)
def test_a_collection_names_its_crss(api: Api, project: str) -> None:
    collection = api("GET", f"/api/collections/{project}").json()
    assert collection["storageCrs"] == STORAGE[project]
    assert collection["crs"][0] == CRS84
    assert {CRS84, WGS84, MERCATOR, STORAGE[project]} == set(collection["crs"])


@pytest.mark.parametrize("project", STORAGE)
@pytest.mark.parametrize("target", [CRS84, WGS84, MERCATOR])
def test_reading_in_a_crs(api: Api, project: str, target: str) -> None:
    given = api.square(*CORNER[project])
    at = f"{api.items(project)}/{api.add(project, given).json()['id']}"
    for path in (at, api.items(project)):
        answer = api("GET", path, params={"crs": target})
        assert answer.headers["Content-Crs"] == f"<{target}>"
        feature = answer.json() if path == at else answer.json()["features"][0]
        expected = oracle(coordinates(given), CRS84, target)
        tolerance = 1e-9 if target != MERCATOR else 1e-3
        assert coordinates(feature["geometry"]) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("project", STORAGE)
@pytest.mark.parametrize("source", [CRS84, WGS84, MERCATOR])
def test_writing_in_a_crs(api: Api, project: str, source: str) -> None:
    given = api.square(*CORNER[project])
    ring = oracle(coordinates(given), CRS84, source).tolist()
    body = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"class": "building"},
    }
    made = api("POST", api.items(project), 201, json=body, headers={"Content-Crs": f"<{source}>"})
    assert made.headers["Content-Crs"] == f"<{source}>"
    assert coordinates(made.json()["geometry"]) == pytest.approx(np.array(ring), abs=1e-6)
    default = api("GET", made.headers["Location"]).json()
    assert coordinates(default["geometry"]) == pytest.approx(coordinates(given), abs=1e-10)


def test_the_storage_crs_gives_the_stored_doubles(workspace: Path, start: Callable[..., Api]) -> None:
    rng = np.random.default_rng(0)
    origins = {"atlanta": (733_600.1, 3_725_100.2), "kampala": (3_628_400.3, 38_990.4), "swellendam": (20.51, -34.02)}
    stored = {}
    with open_store(workspace) as store:
        for project, origin in origins.items():
            points = shapely.points(np.array(origin) + rng.random((50, 2)) * 0.001)
            store.create(project, [NewAnnotation(point, "building") for point in points])
            stored[project] = shapely.get_coordinates(points)
    api = start(workspace)
    for project, expected in stored.items():
        for crs in (STORAGE[project], STORAGE[project].replace("http://www.opengis.net/def/crs/EPSG/0/", "EPSG:")):
            features = api("GET", api.items(project), params={"crs": crs}).json()["features"]
            served = np.array([f["geometry"]["coordinates"] for f in features])
            if project == "swellendam":  # EPSG:4326 speaks latitude first
                served = served[:, ::-1]
            assert np.array_equal(served, expected)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("digits", [6, 9, 17])
def test_vertices_that_were_not_touched_never_move(api: Api, method: str, digits: int) -> None:
    west, south = CORNER["atlanta"]
    ring = [[west + 0.0005 + 0.0004 * np.cos(a), south + 0.0004 * np.sin(a)] for a in np.linspace(0, 6, 30)]
    made = api.add("atlanta", {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}).json()
    at = f"{api.items('atlanta')}/{made['id']}"
    before = coordinates(api("GET", at, params={"crs": UTM16}).json()["geometry"])

    body = {**made, "geometry": decimals(made["geometry"], digits)}
    body["geometry"]["coordinates"][0][9] = [west + 0.0005, south]
    sent = body if method == "PUT" else {"geometry": body["geometry"]}
    after = coordinates(api(method, at, json=sent, headers={"Content-Type": "application/geo+json"}).json()["geometry"])
    assert after[9] == pytest.approx([west + 0.0005, south], abs=1e-9)
    after = coordinates(api("GET", at, params={"crs": UTM16}).json()["geometry"])
    assert np.flatnonzero((before != after).any(axis=1)).tolist() == [9]


def test_a_long_edge_is_served_bent_and_comes_back_straight(api: Api) -> None:
    # 60 km on the UTM grid: far from straight in degrees, against pixels of half a metre.
    ring = [[700_000.0, 3_700_000.5], [760_000.0, 3_700_000.5], [760_000.0, 3_760_000.5], [700_000.0, 3_700_000.5]]
    body = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"class": "building"},
    }
    made = api("POST", api.items("atlanta"), 201, json=body, headers={"Content-Crs": f"<{UTM16}>"})
    at = made.headers["Location"]
    served = api("GET", at).json()
    shown = coordinates(served["geometry"])
    assert len(shown) > 50
    # Every point of the served outline lies within a quarter of a pixel of the stored one.
    middles = oracle((shown[1:] + shown[:-1]) / 2, CRS84, UTM16)
    assert shapely.distance(shapely.LineString(ring), shapely.points(middles)).max() < 0.25 * 0.5
    api("PUT", at, json={**served, "geometry": decimals(served["geometry"], 6)})
    assert coordinates(api("GET", at, params={"crs": UTM16}).json()["geometry"]).tolist() == ring


@pytest.mark.parametrize("header", ["<nonsense>", "EPSG:27700", "<http://www.opengis.net/def/crs/EPSG/0/27700>", ""])
def test_a_content_crs_that_is_not_served(api: Api, header: str) -> None:
    body = {"type": "Feature", "geometry": api.square(*CORNER["atlanta"]), "properties": {"class": "building"}}
    refused = api("POST", api.items("atlanta"), 400, json=body, headers={"Content-Crs": header}).json()
    assert refused["errors"][0]["pointer"] == "/Content-Crs"
    assert UTM16 in refused["detail"]


def test_a_crs_inside_the_body_must_agree(api: Api) -> None:
    def body(name: Any) -> dict[str, Any]:
        feature = {"type": "Feature", "geometry": api.square(*CORNER["atlanta"]), "properties": {"class": "building"}}
        return {**feature, "crs": {"type": "name", "properties": {"name": name}}}

    for agrees in ("urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326"):
        api("POST", api.items("atlanta"), 201, json=body(agrees))
    for differs in ("urn:ogc:def:crs:EPSG::32616", "nonsense", 7, None):
        assert "Content-Crs" in api("POST", api.items("atlanta"), 422, json=body(differs)).json()["detail"]


def test_swapped_coordinates_are_told(api: Api) -> None:
    x, y = 20.51, -34.02
    refused = api.add("swellendam", {"type": "Point", "coordinates": [y, x]}, 422, **{"class": "tree"}).json()
    assert "swapped" in refused["detail"]
    assert refused["errors"][0]["pointer"] == "/geometry/coordinates"
    body = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [x, y]}, "properties": {"class": "tree"}}
    refused = api("POST", api.items("swellendam"), 422, json=body, headers={"Content-Crs": f"<{WGS84}>"}).json()
    assert "swapped" in refused["detail"]
    api("POST", api.items("swellendam"), 201, json=body)
    api.add(
        "swellendam", {"type": "Point", "coordinates": [24.0, -30.0]}, **{"class": "tree"}
    )  # imagery may come later
    for nowhere in ([20.0, 134.0], [20.0, -91.0], [400.0, 0.0]):
        refused = api.add("swellendam", {"type": "Point", "coordinates": nowhere}, 422, **{"class": "tree"}).json()
        assert "nowhere on Earth" in refused["detail"]


NATIONAL = {  # and a place in each where PROJ comes back by more than a millimetre off, or nearly
    "EPSG:2056": (7.43868, 46.951129),
    "EPSG:3035": (-28.1, 38.2),
    "EPSG:5174": (126.9, 37.5),
    "EPSG:27700": (-5.2, 50.1),
    "EPSG:30179": (140.1, 36.2),
    "EPSG:31467": (9.2, 48.7),
}


@pytest.mark.parametrize("crs", NATIONAL)
def test_labels_rest_in_the_grids_of_other_datums(api: Api, crs: str) -> None:
    """PROJ drops the height that a shift of datum gives, and comes back a little beside the place."""
    api("POST", "/api/projects", 201, json={"title": "National", "classes": ["building"], "crs": crs})
    west, south = NATIONAL[crs]
    for number in range(5):
        made = api.add("national", api.square(west + 0.01 * number, south + 0.02 * number))
    at, stored = made.headers["Location"], {"crs": api("GET", "/api/collections/national").json()["storageCrs"]}
    before = coordinates(api("GET", at, params=stored).json()["geometry"])
    feature = api("GET", at).json()
    feature["geometry"] = decimals(feature["geometry"], 6)
    feature["geometry"]["coordinates"][0][2][0] += 0.0001
    api("PUT", at, json=feature)
    after = coordinates(api("GET", at, params=stored).json()["geometry"])
    assert [i for i, (one, other) in enumerate(zip(before, after, strict=True)) if not np.array_equal(one, other)] == [
        2
    ]


@pytest.mark.parametrize("kind", ["MultiPolygon", "MultiLineString"])
def test_a_multi_of_one_part_stays_one(api: Api, kind: str) -> None:
    """GEOS would make a single shape of it where its edges bend."""
    api(
        "POST",
        "/api/projects",
        201,
        json={"title": "Wide", "classes": [{"name": "any", "geometries": ["polygon", "line"]}], "crs": "EPSG:32636"},
    )
    ring = [[33.0, 1.0], [34.0, 1.0], [34.0, 2.0], [33.0, 1.0]]
    part = [ring] if kind == "MultiPolygon" else ring
    made = api.add("wide", {"type": kind, "coordinates": [part]}, **{"class": "any"}).json()
    assert made["geometry"]["type"] == kind
    assert len(coordinates(made["geometry"])) > 20
    [stored] = api.app.state.store.query("wide")
    assert stored.geometry.geom_type == kind
