"""Projects of custom CRSs, of other bodies and of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from pyproj import CRS

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidInput, InvalidSpec
from geolabel.geo.crs import PIXELS
from geolabel.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api

OWN = (
    'PROJCRS["A grid of our own",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",'
    'ELLIPSOID["WGS 84",6378137,298.257223563]]],CONVERSION["c",METHOD["Lambert Azimuthal Equal Area",ID["EPSG",9820]],'
    'PARAMETER["Latitude of natural origin",1.5,ANGLEUNIT["degree",0.0174532925199433]],'
    'PARAMETER["Longitude of natural origin",32.6,ANGLEUNIT["degree",0.0174532925199433]]],CS[Cartesian,2],'
    'AXIS["easting (X)",east],AXIS["northing (Y)",north],LENGTHUNIT["metre",1]]'
)
PLACES = {"mars": (7_376_500.25, -861_000.5), "pixels": (3.25, 4.5), "own": (100.1, 200.2), "iau": (1e5, 2e5)}


@pytest.fixture
def worlds(tmp_path: Path, data: Path) -> Path:
    folder = tmp_path / "ws"
    picture = tmp_path / "cat.tif"
    with rasterio.open(picture, "w", driver="GTiff", width=64, height=48, count=3, dtype="uint8") as raster:
        raster.write(np.zeros((3, 48, 64), dtype=np.uint8))
    with open_store(folder, create=True) as store:
        mars = workflows.add_scene(store, data / "images/cog_hirise_mars.tif")
        cat = workflows.add_scene(store, picture)
        assert mars.bounds is cat.bounds is None
        assert "another body than the Earth" in mars.warnings[0]
        assert "no CRS" in cat.warnings[0]
        workflows.create_project(store, "mars", scenes=[mars.id], classes=["a"])
        workflows.create_project(store, "pixels", scenes=[cat.id], classes=["a"])
        workflows.create_project(store, "own", scenes=[], classes=["a"], crs=OWN)
        workflows.create_project(store, "iau", scenes=[], classes=["a"], crs="IAU_2015:49910")
    return folder


def square(name: str) -> dict[str, Any]:
    (x, y), size = PLACES[name], 20.5
    ring = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
    return {"type": "Polygon", "coordinates": [ring]}


def add(api: Api, name: str, geometry: dict[str, Any], expect: int = 201, **headers: str) -> Any:
    body = {"type": "Feature", "geometry": geometry, "properties": {"class": "a"}}
    return api("POST", api.items(name), expect, json=body, headers=headers)


@pytest.mark.parametrize("name", ["mars", "pixels", "iau"])
def test_what_is_not_on_the_earth_speaks_its_own_crs_alone(worlds: Path, start: Callable[..., Api], name: str) -> None:
    api = start(worlds)
    collection = api("GET", f"/api/collections/{name}").json()
    uri = collection["storageCrs"]
    assert collection["crs"] == [uri]
    assert "extent" not in collection
    assert all("geo+json" not in link["type"] for link in collection["links"])
    assert uri == (
        "http://www.opengis.net/def/crs/IAU/2015/49910"
        if name == "iau"
        else f"http://127.0.0.1:8000/api/collections/{name}/crs"
    )
    made = add(api, name, square(name))
    at = made.headers["Location"]
    x, y = PLACES[name]
    near = {"bbox": f"{x - 1},{y - 1},{x + 1},{y + 1}"}
    for answer in (made, api("GET", at), api("GET", at, params={"crs": uri}), api("GET", api.items(name), params=near)):
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Content-Crs"] == f"<{uri}>"
        feature = answer.json().get("features", [answer.json()])[0]
        assert feature["geometry"] == square(name)
        assert ("area_m2" in feature["properties"]) == (name != "pixels")
    assert api("GET", api.items(name), params={"bbox": "0,0,1,1"}).json()["numberMatched"] == 0
    patch = api("PATCH", at, json={"geometry": square(name)}).json()
    assert patch["geometry"] == square(name)
    for earthly in ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "EPSG:4326"):
        assert uri in api("GET", api.items(name), 400, params={"crs": earthly}).json()["detail"]
    far = add(api, name, {"type": "Point", "coordinates": [1e300, 1.0]}, 422).json()
    assert "nowhere" in far["detail"] or "no polygon" in far["detail"] or "drawn as" in far["detail"]


@pytest.mark.parametrize(
    ("name", "kind"), [("own", "ProjectedCRS"), ("mars", "ProjectedCRS"), ("pixels", "EngineeringCRS")]
)
def test_the_address_of_a_crs_answers(worlds: Path, start: Callable[..., Api], name: str, kind: str) -> None:
    api = start(worlds)
    uri = api("GET", f"/api/collections/{name}").json()["storageCrs"]
    wkt = api("GET", uri, headers={"Accept": "application/x-ogcwkt"})
    assert wkt.headers["Content-Type"].startswith("text/plain")
    read = CRS.from_wkt(wkt.text)
    json = api("GET", uri, headers={"Accept": "application/json"})
    assert json.headers["Content-Type"] == "application/projjson+json"
    assert json.json()["type"] == kind
    assert CRS.from_json_dict(json.json()) == read
    if name == "own":
        assert read.equals(CRS.from_wkt(OWN), ignore_axis_order=True)
    if name == "pixels":
        assert read == CRS.from_wkt(PIXELS)


def test_a_custom_crs_on_the_earth(worlds: Path, start: Callable[..., Api]) -> None:
    api = start(worlds)
    collection = api("GET", "/api/collections/own").json()
    uri = collection["storageCrs"]
    assert collection["crs"][:2] == ["http://www.opengis.net/def/crs/OGC/1.3/CRS84", uri]
    made = add(api, "own", square("own"), **{"Content-Crs": f"<{uri}>"})
    assert made.headers["Content-Type"] == "application/geo+json"
    at = made.headers["Location"]
    assert api("GET", at, params={"crs": uri}).json()["geometry"] == square("own")
    served = api("GET", at)
    west, south = served.json()["geometry"]["coordinates"][0][0]
    assert (west, south) == pytest.approx((32.6009, 1.50181), abs=1e-5)
    api("PUT", at, json=served.json())
    assert api("GET", at, params={"crs": uri}).json()["geometry"] == square("own")


def test_grounds_are_not_mixed(worlds: Path) -> None:
    with open_store(worlds) as store:
        for scenes, crs, words in (
            (["cog_hirise_mars", "cat"], None, "'cat' is in Pixel grid"),
            (["cat"], "EPSG:4326", "nothing leads from one to the other"),
            (["cog_hirise_mars"], "EPSG:4326", "nothing leads from one to the other"),
        ):
            with pytest.raises(InvalidInput, match=words):
                workflows.create_project(store, "X", scenes=scenes, classes=["a"], crs=crs)
        project = workflows.create_project(store, "later", scenes=[], classes=["a"], crs="pixel")
        assert project.crs is None


@pytest.mark.parametrize("name", ["mars", "pixels"])
def test_geojson_is_refused_and_pixels_come_out(
    worlds: Path, tmp_path: Path, start: Callable[..., Api], name: str
) -> None:
    api = start(worlds)
    add(api, name, square(name))
    store: Store = api.app.state.store
    with pytest.raises(InvalidSpec, match="GeoJSON is longitude and latitude"):
        workflows.export(store, name, tmp_path / "out", ["geojson"], ChipSpec())
    report = workflows.export(store, name, tmp_path / "out", ["coco"], ChipSpec(size=64, stride=64))
    assert report.annotations == 1
