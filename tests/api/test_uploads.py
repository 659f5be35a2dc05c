"""Files of labels that are sent, looked at, and imported with their classes mapped."""

from __future__ import annotations

import io
import json
import sqlite3
import time
import zipfile
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import pytest
import shapely

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Api

AT = "/api/projects/atlanta/uploads"
BYTES = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def frame() -> geopandas.GeoDataFrame:
    """Three squares in UTM: a house, a shed, and something that is left out."""
    corners = [(733900, 3725050), (733950, 3725050), (734000, 3725050)]
    squares = [shapely.box(x, y, x + 20, y + 20.125) for x, y in corners]
    columns = {"use": ["House", "shed", None], "floors": [2, 1, 1]}
    return geopandas.GeoDataFrame(columns, geometry=squares, crs="EPSG:32616")


def packed(frame: geopandas.GeoDataFrame, folder: Path, kind: str) -> bytes:
    """The bytes of a file of that kind."""
    if kind == "geojson":
        return str(frame.to_crs("OGC:CRS84").to_json()).encode()
    if kind == "zip":
        frame.to_file(folder / "labels.shp")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for file in folder.glob("labels.*"):
                archive.write(file, f"inside/{file.name}")
        return buffer.getvalue()
    path = folder / f"labels.{kind}"
    frame.to_file(path)
    return path.read_bytes()


def send(api: Api, body: bytes) -> str:
    return str(api("POST", AT, 201, content=body, headers=BYTES).json()["upload"])


def ended(api: Api, at: str) -> dict[str, Any]:
    for _ in range(600):
        job: dict[str, Any] = api("GET", at).json()
        if job["state"] in {"done", "failed"}:
            return job
        time.sleep(0.05)
    raise AssertionError("the job does not end")


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "fgb", "zip"])
def test_a_file_is_looked_at_and_imported_with_its_classes_mapped(
    api: Api, frame: geopandas.GeoDataFrame, tmp_path: Path, kind: str
) -> None:
    upload = send(api, packed(frame, tmp_path, kind))
    look = api("GET", f"{AT}/{upload}", params={"name": f"labels.{kind}"}).json()
    assert look["count"] == 3
    assert look["crs"] == ("OGC:CRS84" if kind == "geojson" else "EPSG:32616")
    fields = {field["name"]: dict(map(tuple, field["values"])) for field in look["fields"]}
    assert fields["use"] == {"House": 1, "shed": 1, "": 1}
    expected = frame.to_crs("OGC:CRS84").total_bounds
    np.testing.assert_allclose(look["bounds"], expected, atol=1e-9)
    assert len(look["shapes"]) == 3

    wanted = {"class_field": "use", "classes": {"House": "building", "shed": "water", "": None}, "name": f"l.{kind}"}
    accepted = api("POST", f"{AT}/{upload}/import", 202, json=wanted)
    job = ended(api, accepted.headers["Location"])
    assert job["state"] == "done", job
    assert job["result"]["by_class"] == {"building": 1, "water": 1}
    items = api("GET", api.items("atlanta"), params={"crs": "http://www.opengis.net/def/crs/EPSG/0/32616"}).json()
    house = next(f for f in items["features"] if f["properties"]["class"] == "building")
    assert house["properties"]["source"] == f"import:l.{kind}"
    stored = shapely.from_geojson(json.dumps(house["geometry"]))
    assert stored.normalize().equals_exact(frame.geometry[0].normalize(), 1e-5 if kind == "geojson" else 0)
    api("GET", f"{AT}/{upload}", 404)


def test_layers_are_listed_and_one_is_chosen(api: Api, frame: geopandas.GeoDataFrame, tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    frame.to_file(path, layer="houses")
    frame.head(1).to_file(path, layer="roads", mode="a")
    upload = send(api, path.read_bytes())
    assert api("GET", f"{AT}/{upload}").json()["layers"] == ["houses", "roads"]
    assert api("GET", f"{AT}/{upload}", params={"layer": "roads"}).json()["count"] == 1
    assert "no layer 'x'" in api("GET", f"{AT}/{upload}", 422, params={"layer": "x"}).text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not labels", "is not GeoJSON labels"),
        (b'<OGRVRTDataSource><OGRVRTLayer name="x"/></OGRVRTDataSource>', "is not GeoJSON labels"),
        (b"PK\x03\x04 broken", "is not GeoJSON labels"),
        (b"fgb\x03fgb\x00broken", "has no layer with a geometry"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(api: Api, body: bytes, words: str) -> None:
    assert words in api("GET", f"{AT}/{send(api, body)}", 422).text


def test_a_database_and_an_archive_of_two_are_refused(api: Api, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("CREATE TABLE t (a)")
    database.close()
    upload = send(api, (tmp_path / "x.db").read_bytes())
    assert "is a database but no GeoPackage" in api("GET", f"{AT}/{upload}", 422).text
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.geojson", "{}")
        archive.writestr("b.geojson", "{}")
    upload = send(api, buffer.getvalue())
    assert "holds a.geojson, b.geojson" in api("GET", f"{AT}/{upload}", 422).text


def test_what_cannot_be_asked_for(api: Api, frame: geopandas.GeoDataFrame, tmp_path: Path) -> None:
    upload = send(api, packed(frame, tmp_path, "gpkg"))
    at = f"{AT}/{upload}/import"
    assert "one of them" in api("POST", at, 422, json={}).text
    assert "no class of the project" in api("POST", at, 422, json={"class_field": "use", "classes": {"a": "x"}}).text
    assert "no class 'x'" in api("POST", at, 422, json={"class": "x"}).text
    api("GET", f"{AT}/..%2F..%2Fworkspace", 404)
    api("POST", f"{AT}/{'0' * 32}/import", 404, json={"class": "water"})
    # No form of another site's page can send it.
    api("POST", AT, 415, content=b"{}", headers={"Content-Type": "text/plain"})
