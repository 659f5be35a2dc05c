from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Transformer

from geolabel.classes import make_classes
from geolabel.model import NewAnnotation, Project
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api

BUILDINGS = "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson"


@pytest.fixture(scope="module")
def buildings(data: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(data / BUILDINGS)


@pytest.fixture(scope="module")
def labelled(template: Path, tmp_path_factory: pytest.TempPathFactory, buildings: gpd.GeoDataFrame) -> Path:
    folder = shutil.copytree(template, tmp_path_factory.mktemp("bbox") / "ws")
    with open_store(folder) as store:
        store.create("atlanta", [NewAnnotation(geometry, "building") for geometry in buildings.geometry])
    return folder


def ids(api: Api, bbox: tuple[float, ...], **params: str) -> set[int]:
    query = {"bbox": ",".join(map(repr, bbox)), "limit": "10000", **params}
    page = api("GET", api.items("atlanta"), params=query).json()
    assert page["numberMatched"] == page["numberReturned"]
    return {f["id"] for f in page["features"]}


def test_a_bbox_chooses_what_it_meets_in_its_own_crs(
    labelled: Path, start: Callable[..., Api], buildings: gpd.GeoDataFrame
) -> None:
    api = start(labelled)
    seen = {crs: buildings.geometry.to_crs(crs) for crs in ("EPSG:4326", "EPSG:3857", "EPSG:32616")}
    rng = np.random.default_rng(7)
    met = 0
    for crs, shapes in seen.items():
        west, south, east, north = shapes.total_bounds
        for _ in range(15):
            x, y = rng.uniform(west, east, 2), rng.uniform(south, north, 2)
            box = (x.min(), y.min(), x.max(), y.max())
            expected = {int(i) + 1 for i in np.flatnonzero(shapes.intersects(shapely.box(*box)))}
            met += len(expected)
            sent = tuple(float(v) for v in box)
            if crs == "EPSG:4326":
                assert ids(api, sent) == expected
                sent = tuple(sent[i] for i in (1, 0, 3, 2))
            uri = f"http://www.opengis.net/def/crs/EPSG/0/{crs[5:]}"
            assert ids(api, sent, **{"bbox-crs": uri}) == expected
    assert met > 100


def test_boxes_larger_than_any_projection(
    labelled: Path, start: Callable[..., Api], buildings: gpd.GeoDataFrame
) -> None:
    api = start(labelled)
    everything = set(range(1, len(buildings) + 1))
    for box in (
        (-180.0, -90.0, 180.0, 90.0),
        (-90.0, -90.0, 90.0, 90.0),
        (-170.0, -80.0, 170.0, 80.0),
        (-180.0, -90.0, -1000.0, 180.0, 90.0, 9000.0),
        (100.0, -90.0, -10.0, 90.0),  # over the antimeridian
    ):
        assert ids(api, box) == everything, box
    for box in ((0.0, -90.0, 180.0, 90.0), (170.0, -90.0, -170.0, 90.0), (-180.0, -90.0, 180.0, 0.0)):
        assert ids(api, box) == set(), box
    half = shapely.box(-84.478, -90, 180, 90)
    expected = {int(i) + 1 for i in np.flatnonzero(buildings.geometry.to_crs("EPSG:4326").intersects(half))}
    assert 0 < len(expected) < len(buildings)
    assert ids(api, half.bounds) == expected


def test_pages_of_a_bbox(labelled: Path, start: Callable[..., Api]) -> None:
    api = start(labelled)
    box = (-84.480, 33.637, -84.4775, 33.640)
    expected = ids(api, box)
    url, seen = f"{api.items('atlanta')}?bbox={','.join(map(str, box))}&limit=7", []
    while url:
        page = api("GET", url).json()
        assert page["numberMatched"] == len(expected)
        seen += [f["id"] for f in page["features"]]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert seen == sorted(expected)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32660", "EPSG:3832"])
def test_labels_on_both_sides_of_the_antimeridian(workspace: Path, start: Callable[..., Api], crs: str) -> None:
    lons = np.array([178.0, 179.5, 179.999, -179.999, -179.5, -178.0])
    to_storage = Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    with open_store(workspace) as store:
        store.create_project(Project("fiji", "Fiji", crs, make_classes(["tree"])))
        x, y = to_storage.transform(lons, np.full(6, -17.0))
        store.create("fiji", [NewAnnotation(point, "tree") for point in shapely.points(x, y)])
    api = start(workspace)
    for box, expected in (
        ("179,-20,-179,-10", {2, 3, 4, 5}),
        ("179.9,-20,-179.9,-10", {3, 4}),
        ("170,-20,-170,-10", {1, 2, 3, 4, 5, 6}),
        ("179,-20,180,-10", {2, 3}),
        ("-180,-20,-179,-10", {4, 5}),
        ("-179,-20,179,-10", {1, 6}),
        ("179,0,-179,10", set()),
        ("179,-20,181,-10", {2, 3, 4, 5}),
        ("-181,-20,-179,-10", {2, 3, 4, 5}),
        ("539,-20,541,-10", {2, 3, 4, 5}),
        ("0,-20,400,-10", {1, 2, 3, 4, 5, 6}),
    ):
        page = api("GET", api.items("fiji"), params={"bbox": box}).json()
        assert {f["id"] for f in page["features"]} == expected, box
        assert page["numberMatched"] == len(expected)


def test_the_extent_holds_scenes_and_labels(labelled: Path, start: Callable[..., Api]) -> None:
    api = start(labelled)
    [before] = api("GET", "/api/collections/atlanta").json()["extent"]["spatial"]["bbox"]
    api.add("atlanta", {"type": "Point", "coordinates": [-85.0, 34.0]}, **{"class": "tree"})
    [after] = api("GET", "/api/collections/atlanta").json()["extent"]["spatial"]["bbox"]
    assert -85.02 < after[0] < -84.99999999
    assert 33.99999999 < after[3] < 34.02
    assert (after[1], after[2]) == pytest.approx((before[1], before[2]), abs=0.02)
