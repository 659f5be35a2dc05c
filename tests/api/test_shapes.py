"""Shapes that cannot be kept, shapes across the antimeridian, and every type of shape, over HTTP and through an import."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from shapely.geometry import box, mapping, shape

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.classes import make_classes
from geolabel.formats.memory import labels_from_geojson
from geolabel.geo.places import ground_of
from geolabel.model import NewAnnotation, Project
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api

    from geolabel.geo.policy import InvalidPolicy

KINDS = [{"name": "any", "geometries": ["point", "line", "polygon"]}]
SQUARE = [[33.0, 1.0], [33.001, 1.0], [33.001, 1.001], [33.0, 1.001], [33.0, 1.0]]
BOW_TIE = {
    "type": "Polygon",
    "coordinates": [[[33.0, 1.0], [33.001, 1.001], [33.001, 1.0], [33.0, 1.001], [33.0, 1.0]]],
}


@pytest.fixture
def project(tmp_path: Path, start: Callable[..., Api]) -> Callable[..., Api]:
    """A server of one project `p`."""

    def make(crs: str = "EPSG:32636", policy: InvalidPolicy = "reject", **settings: Any) -> Api:
        with open_store(tmp_path / "ws", create=True) as store:
            store.create_project(Project("p", "P", crs, make_classes(KINDS), on_invalid=policy))
        return start(tmp_path / "ws", **settings)

    return make


def feature(geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {"class": "any"}}


def post(api: Api, geometry: Any, expect: int = 201) -> Any:
    headers = {"Content-Type": "application/geo+json"}
    return api("POST", api.items("p"), expect, content=json.dumps(feature(geometry)), headers=headers)


def test_a_fault_is_pointed_at_by_its_vertex(project: Callable[..., Api]) -> None:
    api = project()
    refused = post(api, BOW_TIE, 422).json()
    assert refused["errors"][0]["pointer"] in {"/geometry/coordinates/0/0", "/geometry/coordinates/0/2"}
    assert "crosses itself at (33.0005" in refused["detail"]
    second = {
        "type": "MultiPolygon",
        "coordinates": [[SQUARE], [[[x + 0.01, y] for x, y in BOW_TIE["coordinates"][0]]]],
    }
    assert post(api, second, 422).json()["errors"][0]["pointer"] in {f"/geometry/coordinates/1/0/{i}" for i in (0, 2)}


def test_a_fault_of_long_edges_is_not_mended_in_silence(project: Callable[..., Api]) -> None:
    """Edges that bend get vertices on their way in; nothing else happens to a shape there."""
    wide = {"type": "Polygon", "coordinates": [[[33.0, 1.0], [34.0, 2.0], [34.0, 1.0], [33.0, 2.0], [33.0, 1.0]]]}
    api = project()
    refused = post(api, wide, 422).json()
    assert "crosses itself" in refused["detail"]
    assert refused["errors"][0]["pointer"] in {"/geometry/coordinates/0/0", "/geometry/coordinates/0/2"}
    api("PATCH", "/api/projects/p", json={"on_invalid": "repair"})
    made = post(api, wide).json()
    assert made["warnings"][0].startswith("Repaired")
    assert shape(made["geometry"]).area == pytest.approx(0.5, rel=1e-3)


def test_a_repair_is_told(project: Callable[..., Api]) -> None:
    api = project(policy="repair")
    made = post(api, BOW_TIE).json()
    assert made["geometry"]["type"] == "MultiPolygon"
    # A bow tie has next to no area of its own, so a share of it would say nothing.
    assert made["warnings"][0].startswith(
        "Repaired: its outline crosses itself at (33.0005, 1.0005); its area changed to 6"
    )
    collection = {"type": "GeometryCollection", "geometries": [{"type": "Polygon", "coordinates": [SQUARE]}] * 1}
    assert post(api, collection).json()["geometry"]["type"] == "Polygon"
    mixed = {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [33, 1]}, BOW_TIE]}
    assert post(api, mixed, 422).json()["errors"][0]["pointer"] == "/geometry/type"
    broken = {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [33]}]}
    assert post(api, broken, 422).json()["errors"][0]["pointer"] == "/geometry/geometries/0/coordinates"
    assert "warnings" not in post(api, {"type": "Polygon", "coordinates": [SQUARE]}).json()


def test_what_is_skipped_is_refused_where_the_client_sees_it(project: Callable[..., Api]) -> None:
    refused = post(project(policy="skip"), BOW_TIE, 422).json()
    assert refused["errors"] == [
        {"pointer": "/geometry", "message": "skipped: its outline crosses itself at (33.0005, 1.0005)"}
    ]


def test_outside_the_area_of_use_is_only_told(project: Callable[..., Api]) -> None:
    api = project()
    made = post(api, {"type": "Point", "coordinates": [38.5, 1.0]}).json()
    assert made["warnings"] == ["It lies outside the area of use of EPSG:32636."]


def test_the_limit_of_vertices_is_a_setting(project: Callable[..., Api]) -> None:
    api = project(max_vertices=50)
    circle = mapping(shapely.Point(33, 1).buffer(0.01, quad_segs=13))
    refused = post(api, circle, 422).json()
    assert refused["errors"] == [
        {"pointer": "/geometry/coordinates", "message": "a label holds at most 50 vertices, got 53"}
    ]


@pytest.mark.parametrize("crs", ["EPSG:32660", "EPSG:4326", "OGC:CRS84", "EPSG:3832"])
def test_a_label_across_the_antimeridian(project: Callable[..., Api], crs: str) -> None:
    api = project(crs)
    halves = {
        "type": "MultiPolygon",
        "coordinates": [
            [[[179.5, -17.0], [180.0, -17.0], [180.0, -16.5], [179.5, -16.5], [179.5, -17.0]]],
            [[[-180.0, -17.0], [-179.5, -17.0], [-179.5, -16.5], [-180.0, -16.5], [-180.0, -17.0]]],
        ],
    }
    made = post(api, halves)
    at = made.headers["Location"]
    served = api("GET", at).json()
    assert served["geometry"]["type"] == "MultiPolygon"
    assert shape(served["geometry"]).symmetric_difference(shape(halves)).area < 1e-6
    id_ = served["id"]
    stored = api.app.state.store.annotation("p", id_).geometry
    assert stored.geom_type == "Polygon"
    if crs in {"EPSG:4326", "OGC:CRS84"}:
        assert stored.bounds == (179.5, -17.0, 180.5, -16.5)
    for bbox, found in (
        ("179,-17,180,-16", 1),
        ("-180,-17,-179,-16", 1),
        ("179.9,-17,-179.9,-16", 1),
        ("-179,-17,179,-16", 0),
    ):
        assert api("GET", api.items("p"), params={"bbox": bbox}).json()["numberMatched"] == found, bbox
    bbox = {"bbox": "-20000000,-1914000,-19926188,-1900000", "bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/3857"}
    assert api("GET", api.items("p"), params=bbox).json()["numberMatched"] == 1
    west, _, east, _ = api("GET", "/api/collections/p").json()["extent"]["spatial"]["bbox"][0]
    assert (west, east) == pytest.approx((179.5, -179.5), abs=0.02)  # the box of a box
    api(
        "PUT",
        at,
        json={
            **served,
            "geometry": json.loads(json.dumps(served["geometry"]), parse_float=lambda t: round(float(t), 9)),
        },
    )
    assert shapely.equals_identical(api.app.state.store.annotation("p", id_).geometry, stored)


# Hardening row 18: what is no geometry, and where.
X = [33.0, 1.0]
MALFORMED: list[tuple[Any, str]] = [
    (None, ""),
    (7, ""),
    ("POINT (33 1)", ""),
    ([], ""),
    ({}, "/type"),
    ({"type": None}, "/type"),
    ({"type": "point", "coordinates": X}, "/type"),
    ({"type": "Circle", "coordinates": X}, "/type"),
    ({"type": ["Point"], "coordinates": X}, "/type"),
    ({"type": "GeometryCollection", "geometries": []}, "/type"),
    ({"type": "Feature", "geometry": {"type": "Point", "coordinates": X}}, "/type"),
    ({"type": "Point"}, ""),
    ({"type": "Point", "coordinates": None}, "/coordinates"),
    ({"type": "Point", "coordinates": []}, "/coordinates"),
    ({"type": "Point", "coordinates": [33.0]}, "/coordinates"),
    ({"type": "Point", "coordinates": [33, 1, 2, 3]}, "/coordinates"),
    ({"type": "Point", "coordinates": [X]}, "/coordinates"),
    ({"type": "Point", "coordinates": {"x": 33, "y": 1}}, "/coordinates"),
    ({"type": "Point", "coordinates": "33,1"}, "/coordinates"),
    ({"type": "Point", "coordinates": ["33", "1"]}, "/coordinates/0"),
    ({"type": "Point", "coordinates": [33, None]}, "/coordinates/1"),
    ({"type": "Point", "coordinates": [33, True]}, "/coordinates/1"),
    ({"type": "Point", "coordinates": [33, [1]]}, "/coordinates/1"),
    ({"type": "Point", "coordinates": [33, 1, "7"]}, "/coordinates/2"),
    ({"type": "MultiPoint", "coordinates": X}, "/coordinates/0"),
    ({"type": "MultiPoint", "coordinates": []}, "/coordinates"),
    ({"type": "MultiPoint", "coordinates": [X, [33]]}, "/coordinates/1"),
    ({"type": "MultiPoint", "coordinates": [X, [33, 1, 2]]}, "/coordinates/1"),
    ({"type": "LineString", "coordinates": []}, "/coordinates"),
    ({"type": "LineString", "coordinates": [X]}, "/coordinates"),
    ({"type": "LineString", "coordinates": X}, "/coordinates/0"),
    ({"type": "LineString", "coordinates": [X, None]}, "/coordinates/1"),
    ({"type": "LineString", "coordinates": [X, {}]}, "/coordinates/1"),
    ({"type": "LineString", "coordinates": [[X, X]]}, "/coordinates/0/0"),
    ({"type": "LineString", "coordinates": [X, X]}, "/coordinates/0"),
    ({"type": "LineString", "coordinates": [X, [34, "a"]]}, "/coordinates/1/1"),
    ({"type": "MultiLineString", "coordinates": []}, "/coordinates"),
    ({"type": "MultiLineString", "coordinates": [[]]}, "/coordinates/0"),
    ({"type": "MultiLineString", "coordinates": [[X, [34, 2]], [X]]}, "/coordinates/1"),
    ({"type": "MultiLineString", "coordinates": [[X, [34, 2]], X]}, "/coordinates/1/0"),
    ({"type": "MultiLineString", "coordinates": [X, X]}, "/coordinates/0/0"),
    ({"type": "Polygon", "coordinates": []}, "/coordinates"),
    ({"type": "Polygon", "coordinates": [[]]}, "/coordinates/0"),
    ({"type": "Polygon", "coordinates": SQUARE}, "/coordinates/0/0"),
    ({"type": "Polygon", "coordinates": [SQUARE[:3]]}, "/coordinates/0"),
    ({"type": "Polygon", "coordinates": [SQUARE[:4]]}, "/coordinates/0"),
    ({"type": "Polygon", "coordinates": [SQUARE, []]}, "/coordinates/1"),
    ({"type": "Polygon", "coordinates": [SQUARE, SQUARE[:3]]}, "/coordinates/1"),
    ({"type": "Polygon", "coordinates": [[[33, 1]] * 4]}, "/coordinates/0/0"),
    ({"type": "Polygon", "coordinates": [SQUARE, [[*p, 5.0] for p in SQUARE]]}, "/coordinates"),
    ({"type": "Polygon", "coordinates": [[SQUARE[0], None, *SQUARE[2:]]]}, "/coordinates/0/1"),
    ({"type": "Polygon", "coordinates": [[SQUARE[0], [33.001, 1.0, 4.0], *SQUARE[2:]]]}, "/coordinates/0/1"),
    ({"type": "Polygon", "coordinates": [[SQUARE]]}, "/coordinates/0/0"),
    ({"type": "Polygon", "coordinates": {"0": SQUARE}}, "/coordinates"),
    ({"type": "MultiPolygon", "coordinates": []}, "/coordinates"),
    ({"type": "MultiPolygon", "coordinates": [[]]}, "/coordinates/0"),
    ({"type": "MultiPolygon", "coordinates": [SQUARE]}, "/coordinates/0/0/0"),
    ({"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE[:3]]]}, "/coordinates/1/0"),
    ({"type": "MultiPolygon", "coordinates": [[SQUARE], None]}, "/coordinates/1"),
    ({"type": "Point", "coordinates": [10**400, 1]}, "/coordinates/0"),
]


def test_sixty_malformed_geometries_are_pointed_at(project: Callable[..., Api]) -> None:
    assert len(MALFORMED) == 60
    api = project()
    for geometry, pointer in MALFORMED:
        refused = post(api, geometry, 422).json()
        if geometry == MALFORMED[-1][0]:  # a number that no double holds is no JSON to us
            continue
        assert refused["errors"][0]["pointer"] == f"/geometry{pointer}", (geometry, refused)
    assert api("GET", api.items("p")).json()["numberMatched"] == 0


WILD = (math.nan, math.inf, -math.inf, 1e308, -1e308, 1.7976931348623157e308, 1e16, 9e99)


def _wild(rng: np.random.Generator, count: int) -> list[str]:
    """Bodies with at least one number that is no place, as Python and JavaScript write them."""
    kinds = {
        "Point": lambda p: p[0],
        "LineString": lambda p: p,
        "Polygon": lambda p: [[*p, p[0]]],
        "MultiPoint": lambda p: p,
        "MultiLineString": lambda p: [p, p],
        "MultiPolygon": lambda p: [[[*p, p[0]]]],
    }
    bodies = []
    for _ in range(count):
        kind = str(rng.choice(list(kinds)))
        points = rng.uniform((32.9, 0.9), (33.1, 1.1), (4, 2)).tolist()
        vertex, axis = (0 if kind == "Point" else int(rng.integers(4))), int(rng.integers(2))
        points[vertex][axis] = WILD[int(rng.integers(len(WILD)))]
        bodies.append(json.dumps(feature({"type": kind, "coordinates": kinds[kind](points)})))
    return bodies


@pytest.mark.parametrize("count", [100, pytest.param(50_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_numbers_that_are_no_place_are_refused(project: Callable[..., Api], count: int) -> None:
    """Hardening row 16: no process dies, every answer is 422."""
    api = project()
    for body in _wild(np.random.default_rng(16), count):
        answer = api.client.post(api.items("p"), content=body, headers={"Content-Type": "application/geo+json"})
        assert answer.status_code == 422, body
        assert answer.json()["detail"]
    assert api("GET", api.items("p")).json()["numberMatched"] == 0


@pytest.mark.parametrize("name", ["atlanta", "kampala", "swellendam"])
def test_swapped_axes_are_flagged(api: Api, name: str) -> None:
    """Hardening row 19: where the imagery does not hold both ways to read a pair, it is told which was meant."""
    store = api.app.state.store
    project = store.project(name)
    scenes = [store.scene(scene) for scene in project.scenes]
    west, south, east, north = scenes[0].bounds
    room = 0.05 * (east - west)  # the box around the footprint is a little more than the footprint
    low, high = (west + room, south + room), (east - room, north - room)
    x, y = np.random.default_rng(19).uniform(low, high, (1000, 2)).T
    boxes = np.column_stack((y, x, y + 1e-5, x + 1e-5))
    assert ground_of(scenes, project.crs).swapped(boxes, "OGC:CRS84").mean() >= 0.99
    assert not ground_of(scenes, project.crs).swapped(boxes[:, [1, 0, 3, 2]], "OGC:CRS84").any()
    for box_ in boxes[:5]:
        body = {**feature(mapping(box(*box_))), "properties": {"class": "building"}}
        assert "swapped" in api("POST", api.items(name), 422, json=body).json()["detail"]


TYPES = {
    "Point": {"type": "Point", "coordinates": [33.0, 1.0]},
    "LineString": {"type": "LineString", "coordinates": [[33.0, 1.0], [33.001, 1.001]]},
    "Polygon": {
        "type": "Polygon",
        "coordinates": [SQUARE, [[33.0002, 1.0002], [33.0002, 1.0004], [33.0004, 1.0004], [33.0002, 1.0002]]],
    },
    "MultiPoint": {"type": "MultiPoint", "coordinates": [[33.0, 1.0], [33.001, 1.0]]},
    "MultiLineString": {
        "type": "MultiLineString",
        "coordinates": [[[33.0, 1.0], [33.001, 1.0]], [[33.0, 1.1], [33.0, 1.2]]],
    },
    "MultiPolygon": {"type": "MultiPolygon", "coordinates": [[SQUARE], [[[x + 0.01, y] for x, y in SQUARE]]]},
    "GeometryCollection": {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [33.0, 1.0]}]},
}


@pytest.mark.parametrize("z", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_goes_in_and_comes_out_or_is_refused(
    project: Callable[..., Api], tmp_path: Path, kind: str, z: bool
) -> None:
    """Hardening row 24: import, edit over HTTP, export."""
    api = project("EPSG:4326")
    store = api.app.state.store
    geometry = _with_z(TYPES[kind]) if z else TYPES[kind]
    refused = kind == "GeometryCollection"
    answer = api.client.post(api.items("p"), json=feature(geometry))
    assert answer.status_code == (422 if refused else 201)
    if refused:
        assert answer.json()["errors"][0]["pointer"] == "/geometry/type"
        return
    assert answer.json()["geometry"] == geometry
    at = answer.headers["Location"]
    text = json.dumps(geometry)
    changed = json.loads(text.replace("1.001", "1.002") if "1.001" in text else text.replace("33.0,", "33.0005,", 1))
    assert api("PUT", at, json={**answer.json(), "geometry": changed}).json()["geometry"] == changed
    labels = labels_from_geojson({"type": "FeatureCollection", "features": [feature(geometry)]}, name="x.geojson")
    report = workflows.import_labels(store, "p", labels, class_field="class")
    assert report.imported == 1
    imported = store.query("p")[-1]
    assert json.loads(json.dumps(mapping(imported.geometry))) == geometry
    workflows.export(store, "p", tmp_path / "out", ["geojson"], ChipSpec())
    written = json.loads((tmp_path / "out/geojson/p.geojson").read_text())["features"][-1]["geometry"]
    assert shapely.equals(shape(written), shape(geometry))
    assert shape(written).has_z == z


def _with_z(geometry: Any) -> Any:
    def lift(value: Any) -> Any:
        return [*value, 7.5] if isinstance(value[0], float) else [lift(v) for v in value]

    if "geometries" in geometry:
        return {**geometry, "geometries": [_with_z(g) for g in geometry["geometries"]]}
    return {**geometry, "coordinates": lift(geometry["coordinates"])}


@pytest.mark.parametrize(
    ("across", "moves"), [(10, 12), pytest.param(50, 1000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_shared_borders_do_not_drift(project: Callable[..., Api], across: int, moves: int) -> None:
    """Hardening row 25: a mosaic edited through CRS84, a vertex of all its neighbours at a time, has no gap or overlap."""
    api = project("EPSG:32636")
    store = api.app.state.store
    rng = np.random.default_rng(25)
    down = across * 4 // 5
    x, y = np.meshgrid(np.arange(across + 1) * 40.0, np.arange(down + 1) * 40.0)
    corners = np.stack([x + 452_000.3, y + 38_500.7], axis=2) + rng.uniform(-9, 9, (down + 1, across + 1, 2))
    cells = [(r, c) for r in range(down) for c in range(across)]
    parcels = [
        shapely.Polygon([corners[r, c], corners[r, c + 1], corners[r + 1, c + 1], corners[r + 1, c]]) for r, c in cells
    ]
    ids = dict(zip(cells, (a.id for a in store.create("p", [NewAnnotation(p, "any") for p in parcels])), strict=True))
    whole = shapely.union_all(parcels)
    for _ in range(moves):
        r, c = int(rng.integers(1, down)), int(rng.integers(1, across))
        around = [(r - 1, c - 1), (r - 1, c), (r, c - 1), (r, c)]
        at = [f"{api.items('p')}/{ids[cell]}" for cell in around]
        served = [api("GET", path).json() for path in at]
        # The vertex that all four have.
        [shared] = set.intersection(*({tuple(p) for p in s["geometry"]["coordinates"][0]} for s in served))
        there = (shared[0] + rng.uniform(-3e-5, 3e-5), shared[1] + rng.uniform(-3e-5, 3e-5))
        for path, label in zip(at, served, strict=True):
            moved = [[there if tuple(p) == shared else p for p in ring] for ring in label["geometry"]["coordinates"]]
            moved = [[[round(v, 9) for v in p] for p in ring] for ring in moved]
            headers = {
                "If-Match": f'"{label["properties"]["version"]}"',
                "Content-Type": "application/merge-patch+json",
            }
            body = {"geometry": {"type": "Polygon", "coordinates": moved}}
            answer = api.client.patch(path, json=body, headers=headers)
            assert answer.status_code == 200, answer.text
    after = np.array([a.geometry for a in store.query("p")], dtype=object)
    assert shapely.coverage_is_valid(after)
    assert abs(shapely.union_all(after).area - shapely.area(after).sum()) < 1e-9 * whole.area
    assert shapely.union_all(after).symmetric_difference(whole).area < 1e-9 * whole.area


def test_a_box_with_heights_chooses_as_without(project: Callable[..., Api]) -> None:
    api = project()
    post(api, mapping(box(33.0, 1.0, 33.001, 1.001)))
    for bbox, found in (("32.9,0.9,33.1,1.1", 1), ("32.9,0.9,-5,33.1,1.1,900", 1), ("34,0.9,-5,34.1,1.1,900", 0)):
        assert api("GET", api.items("p"), params={"bbox": bbox}).json()["numberMatched"] == found
