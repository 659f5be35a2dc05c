"""Labels of real files into real projects, and every way in which that can go wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon, box

import geolabel
from geolabel import workflows
from geolabel.errors import InvalidCRS, InvalidGeometry, InvalidInput, UnknownClass
from geolabel.formats.memory import labels_from_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

KAMPALA = "pairs/kampala_rgb_buildings"
BEAUFORT = "pairs/beaufort_s2_landcover"
ATLANTA = "pairs/atlanta_pan16_buildings"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[geolabel.Workspace]:
    with geolabel.open(tmp_path / "ws", create=True) as opened:
        yield opened


@pytest.fixture
def kampala(workspace: geolabel.Workspace, data: Path) -> geolabel.Project:
    scene = workspace.add_scene(data / KAMPALA / "kampala_z20_rgb.tif")
    return workspace.create_project(
        "Kampala", scenes=[scene], classes=["building", {"name": "road", "geometries": ["line"]}]
    )


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


# Inside the Kampala scene.
SQUARE = {"type": "Polygon", "coordinates": [[[32.594, 0.351], [32.5941, 0.351], [32.5941, 0.3511], [32.594, 0.351]]]}


def test_labels_rest_in_the_scenes_crs_and_land_where_geopandas_puts_them(
    workspace: geolabel.Workspace, data: Path
) -> None:
    scene = workspace.add_scene(data / BEAUFORT / "s2b_20181013_b2348_uint8.tif")
    labels = gpd.read_file(data / BEAUFORT / "rcr_landcover.shp")
    project = workspace.create_project("Beaufort", scenes=[scene], classes=sorted(set(labels["Classname"])))
    report = project.add(data / BEAUFORT / "rcr_landcover.shp", class_field="Classname")
    assert (report.read, report.imported, report.skipped, report.outside) == (23, 23, 0, 0)
    assert report.dropped_columns == ("Classvalue",)
    assert project.info.crs == "EPSG:4326"
    stored = project.annotations()
    expected = labels.to_crs(4326)
    assert stored["class"].tolist() == expected["Classname"].tolist()
    assert np.array_equal(shapely.get_coordinates(stored.geometry), shapely.get_coordinates(expected.geometry))
    assert set(stored["source"]) == {"import:rcr_landcover.shp"}


def test_labels_in_the_projects_own_crs_keep_every_bit(workspace: geolabel.Workspace, data: Path) -> None:
    scene = workspace.add_scene(data / ATLANTA / "atlanta_pan.tif")
    project = workspace.create_project("Atlanta", scenes=[scene], classes=["building"])
    project.add(data / ATLANTA / "buildings_epsg32616.geojson", class_name="building")
    given = gpd.read_file(data / ATLANTA / "buildings_epsg32616.geojson")
    stored = project.annotations()
    assert np.array_equal(
        shapely.get_coordinates(stored.geometry, include_z=True),
        shapely.get_coordinates(given.geometry, include_z=True),
        equal_nan=True,
    )


def test_an_outline_that_crosses_itself_is_refused_or_repaired_or_skipped(
    kampala: geolabel.Project, data: Path
) -> None:
    file = data / KAMPALA / "buildings.geojson"
    with pytest.raises(InvalidGeometry, match=r"feature 101 was refused: its outline crosses itself at \(32\.59454"):
        kampala.add(file, class_name="building")
    assert kampala.counts() == {"building": 0, "road": 0}
    skipped = kampala.add(file, class_name="building", on_invalid="skip")
    assert (skipped.imported, skipped.skipped, skipped.repaired) == (107, 1, 0)
    repaired = kampala.add(file, class_name="building", on_invalid="repair")
    assert (repaired.imported, repaired.skipped, repaired.repaired) == (108, 0, 1)
    assert "its area changed" in repaired.problems[0].message
    assert shapely.is_valid(kampala.annotations().geometry.array).all()


def test_the_class_comes_from_a_column_named_class_unless_said(kampala: geolabel.Project) -> None:
    report = kampala.add([feature(SQUARE, **{"class": "building"})])
    assert report.by_class == {"building": 1}
    with pytest.raises(InvalidInput, match="Nothing says which class.*--class-field.*it has kind"):
        kampala.add([feature(SQUARE, kind="building")])
    with pytest.raises(InvalidInput, match="has no column 'nope'; it has kind"):
        kampala.add([feature(SQUARE, kind="building")], class_field="nope")
    with pytest.raises(InvalidInput, match="got both"):
        kampala.add([feature(SQUARE, kind="building")], class_field="kind", class_name="building")


def test_unknown_classes_are_listed_with_their_counts(workspace: geolabel.Workspace, data: Path) -> None:
    scene = workspace.add_scene(data / BEAUFORT / "s2b_20181013_b2348_uint8.tif")
    project = workspace.create_project("Beaufort", scenes=[scene], classes=["Sand"])
    with pytest.raises(UnknownClass, match=r"'Herbaceous' \(7\), 'Forested Wetland' \(5\).*It has: Sand") as caught:
        project.add(data / BEAUFORT / "rcr_landcover.shp", class_field="Classname")
    assert len(caught.value.problems) == 19
    with pytest.raises(UnknownClass, match="'sand' is not in project 'beaufort'; it has: Sand"):
        project.add(data / BEAUFORT / "rcr_landcover.shp", class_name="sand")


def test_a_class_takes_only_its_kinds_of_shape(kampala: geolabel.Project) -> None:
    with pytest.raises(InvalidInput, match="Feature 0 was refused: class 'road' takes line, got a polygon"):
        kampala.add([feature(SQUARE)], class_name="road")


def test_labels_elsewhere_are_refused_with_both_places(kampala: geolabel.Project, data: Path) -> None:
    with pytest.raises(InvalidInput, match=r"None of the 3 labels.*touches a scene.*the scenes cover.*Check the CRS"):
        kampala.add(data / "pairs/elkton_l8_uint16_landcover/labels.geojson", class_name="building")


def test_exchanged_axes_are_recognised(kampala: geolabel.Project) -> None:
    swapped = {"type": "Polygon", "coordinates": [[[y, x] for x, y in SQUARE["coordinates"][0]]]}
    with pytest.raises(InvalidInput, match="With x and y exchanged they would lie inside"):
        kampala.add([feature(swapped)], class_name="building")


def test_the_wrong_crs_is_recognised(kampala: geolabel.Project) -> None:
    frame = gpd.GeoDataFrame(geometry=[box(452_000, 38_000, 452_100, 38_100)], crs=4326)  # UTM metres called degrees
    with pytest.raises(InvalidCRS, match=r"has no place in EPSG:3857.*order of x and y"):
        kampala.add(frame, class_name="building")
    right = gpd.GeoDataFrame(geometry=[box(452_000, 38_000, 452_100, 38_100)], crs=None)
    with pytest.raises(InvalidInput, match="does not say in which CRS"):
        kampala.add(right, class_name="building")


def test_some_labels_outside_are_counted(kampala: geolabel.Project) -> None:
    far = gpd.GeoDataFrame(geometry=[shapely.from_geojson(json.dumps(SQUARE)), box(33, 1, 33.001, 1.001)], crs=4326)
    report = kampala.add(far, class_name="building")
    assert (report.imported, report.outside) == (2, 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.geojson", b"", "empty.geojson is empty: it has no bytes"),
        ("none.geojson", b'{"type": "FeatureCollection", "features": []}', "no features|no layer"),
        ("text.geojson", b"hello", "cannot be read as vector data"),
        (
            "cut.geojson",
            b'{"type": "FeatureCollection", "features": [{"type": "Fea',
            "is not JSON at byte 56: unexpected end",
        ),
        ("table.csv", b"a,b\n1,2\n", "no layer with geometry"),
        ("broken.parquet", b"PAR1nope", "cannot be read as GeoParquet"),
        ("broken.zip", b"PK\x03\x04nope", "cannot be read as vector data"),
    ],
)
def test_files_that_hold_no_labels(
    kampala: geolabel.Project, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        kampala.add(tmp_path / name, class_name="building")
    assert kampala.counts()["building"] == 0


def test_a_file_that_is_not_there(kampala: geolabel.Project, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="There is no file"):
        kampala.add(tmp_path / "nothing.gpkg", class_name="building")


def test_a_shapefile_without_prj_asks_for_the_crs(workspace: geolabel.Workspace, data: Path, tmp_path: Path) -> None:
    for suffix in (".shp", ".shx", ".dbf"):
        (tmp_path / f"labels{suffix}").write_bytes((data / BEAUFORT / f"rcr_landcover{suffix}").read_bytes())
    scene = workspace.add_scene(data / BEAUFORT / "s2b_20181013_b2348_uint8.tif")
    project = workspace.create_project("Beaufort", scenes=[scene], classes=["land"])
    with pytest.raises(InvalidInput, match="does not say in which CRS its coordinates are. Say it with --crs"):
        project.add(tmp_path / "labels.shp", class_name="land")
    assert project.add(tmp_path / "labels.shp", class_name="land", crs="EPSG:32618").imported == 23


@pytest.mark.parametrize("driver", ["GPKG", "FlatGeobuf", "GeoJSON", "KML", "GeoParquet"])
def test_the_same_labels_come_from_every_format(
    kampala: geolabel.Project, data: Path, tmp_path: Path, driver: str
) -> None:
    frame = gpd.read_file(data / KAMPALA / "buildings.geojson").iloc[:20]
    file = (
        tmp_path
        / {"GPKG": "l.gpkg", "FlatGeobuf": "l.fgb", "GeoJSON": "l.geojson", "KML": "l.kml", "GeoParquet": "l.parquet"}[
            driver
        ]
    )
    if driver == "GeoParquet":
        frame.to_parquet(file)
    else:
        frame.to_file(file, driver=driver)
    report = kampala.add(file, class_name="building")
    assert report.imported == 20
    stored = sorted(g.normalize().wkt for g in kampala.annotations().geometry)
    direct = sorted(g.normalize().wkt for g in frame.to_crs(3857).geometry)
    assert stored == direct


def test_a_file_with_several_layers_asks_which(workspace: geolabel.Workspace, data: Path) -> None:
    scene = workspace.add_scene(data / "pairs/swellendam_rgba_osm/3420B_2010_328_RGB_LATLNG.tif")
    project = workspace.create_project("Swellendam", scenes=[scene], classes=["building", "road"])
    with pytest.raises(InvalidInput, match="several layers: buildings, roads. Choose one with --layer"):
        project.add(data / "pairs/swellendam_rgba_osm/osm.gpkg", class_name="road")


def test_bad_geojson_is_pointed_at(kampala: geolabel.Project) -> None:
    unclosed = {"type": "Polygon", "coordinates": [[*SQUARE["coordinates"][0][:3], [32.5, 0.3]]]}
    with pytest.raises(InvalidGeometry, match="ends where it starts.* at /features/1/geometry/coordinates/0") as caught:
        kampala.add(
            {
                "type": "FeatureCollection",
                "features": [feature(SQUARE), feature(unclosed), {"type": "Feature", "geometry": 3}],
            },
            class_name="building",
        )
    assert [p.pointer for p in caught.value.problems] == ["/features/1/geometry/coordinates/0", "/features/2/geometry"]
    with pytest.raises(InvalidInput, match="expected a FeatureCollection"):
        kampala.add({"type": "Topology"}, class_name="building")


def test_geojson_from_before_rfc_7946_may_name_its_crs(kampala: geolabel.Project) -> None:
    inside = [[3_628_400.0, 39_000.0], [3_628_410.0, 39_000.0], [3_628_410.0, 39_010.0], [3_628_400.0, 39_000.0]]
    old = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}},
        "features": [feature({"type": "Polygon", "coordinates": [inside]})],
    }
    kampala.add(old, class_name="building")
    assert kampala.annotations().geometry.iloc[0].equals_exact(Polygon(inside), 0)


def test_annotations_come_in_any_crs_and_box(kampala: geolabel.Project, data: Path) -> None:
    kampala.add(data / KAMPALA / "buildings.geojson", class_name="building", on_invalid="skip")
    given = gpd.read_file(data / KAMPALA / "buildings.geojson")
    window = (32.594, 0.3505, 32.5945, 0.351)
    some = kampala.annotations(bbox=window, crs="EPSG:4326")
    valid = given[given.geometry.is_valid]
    assert len(some) == int(valid.intersects(box(*window)).sum())
    assert some.crs.to_epsg() == 4326
    assert len(kampala.annotations(bbox=(-180, -90, 180, 90), crs="EPSG:4326")) == len(valid)
    left, bottom, right, top = kampala.annotations().total_bounds
    assert len(kampala.annotations(bbox=(left, bottom, right, top))) == len(valid)
    assert len(kampala.annotations(bbox=(right + 1, bottom, right + 2, top))) == 0


@pytest.mark.parametrize("far", [Point(1e9, 1e9), LineString([(739500, 3726000), (4e7, 3726000)])])
def test_a_label_that_is_nowhere_on_the_earth_does_not_hide_the_others(
    workspace: geolabel.Workspace, data: Path, far: BaseGeometry
) -> None:
    scene = workspace.add_scene(data / ATLANTA / "atlanta_pan.tif")
    project = workspace.create_project("Atlanta", scenes=[scene], classes=["building"])
    here = gpd.read_file(data / ATLANTA / "buildings_epsg32616.geojson").geometry.iloc[0]
    frame = gpd.GeoDataFrame(geometry=[here, far], crs=scene.grid.crs)
    with pytest.raises(InvalidCRS, match="of EPSG:32616 is nowhere on the Earth"):
        project.add(frame, class_name="building")
    assert len(project.annotations()) == 0


def test_a_latitude_beyond_the_pole_is_refused(workspace: geolabel.Workspace, data: Path) -> None:
    scene = workspace.add_scene(data / BEAUFORT / "s2b_20181013_b2348_uint8.tif")
    project = workspace.create_project("Beaufort", scenes=[scene], classes=["a"])
    inside = Point((scene.bounds or (0, 0))[:2])
    with pytest.raises(InvalidCRS, match=r"The point \(20, 100\) of EPSG:4326 is nowhere on the Earth"):
        project.add(gpd.GeoDataFrame(geometry=[inside, Point(20, 100)], crs=4326), class_name="a")


@pytest.mark.parametrize("crs", ["IAU_2015:49900", "EPSG:4978"])
def test_labels_rest_where_the_scene_lies(workspace: geolabel.Workspace, data: Path, crs: str) -> None:
    scene = workspace.add_scene(data / ATLANTA / "atlanta_pan.tif")
    with pytest.raises(InvalidInput, match="nothing leads from one to the other|no horizontal axes"):
        workspace.create_project("Mars", scenes=[scene], classes=["a"], crs=crs)


def test_features_without_a_shape_can_be_skipped_also_when_nothing_else_fits(kampala: geolabel.Project) -> None:
    elsewhere = gpd.GeoDataFrame(geometry=[None, Point(1, 1)], crs=4326)
    with pytest.raises(InvalidInput, match="None of the 1 labels"):
        kampala.add(elsewhere, class_name="building", on_invalid="skip")


@pytest.mark.parametrize("properties", [["building"], "building", 5])
def test_properties_that_are_no_object_are_pointed_at(kampala: geolabel.Project, properties: Any) -> None:
    broken = {"type": "Feature", "geometry": SQUARE, "properties": properties}
    with pytest.raises(InvalidGeometry, match="expected an object or null at /1/properties"):
        kampala.add([feature(SQUARE), broken], class_name="building")


def test_missing_notes_of_a_frame_stay_missing(kampala: geolabel.Project) -> None:
    notes = pd.array(["seen", None], dtype="string")
    frame = gpd.GeoDataFrame({"note": notes}, geometry=[Point(32.594, 0.351)] * 2, crs=4326)
    kampala.add(frame, class_name="building")
    assert kampala.annotations()["note"].isna().tolist() == [False, True]


def test_a_frame_without_geometry_is_said(kampala: geolabel.Project) -> None:
    with pytest.raises(InvalidInput, match="GeoDataFrame has no geometry column, only class"):
        kampala.add(gpd.GeoDataFrame({"class": ["building"]}))


def test_numbers_of_any_width_name_a_class(workspace: geolabel.Workspace, data: Path) -> None:
    scene = workspace.add_scene(data / KAMPALA / "kampala_z20_rgb.tif")
    project = workspace.create_project("Coded", scenes=[scene], classes=["3"])
    frame = gpd.GeoDataFrame({"code": np.array([3.0], dtype=np.float32)}, geometry=[Point(32.594, 0.351)], crs=4326)
    assert project.add(frame, class_field="code").by_class == {"3": 1}


def test_titles_in_any_script_make_projects(workspace: geolabel.Workspace, data: Path) -> None:
    scene = workspace.add_scene(data / ATLANTA / "atlanta_pan.tif")
    made = [workspace.create_project(title, scenes=[scene], classes=["树"]) for title in ("土地", "森林")]
    assert [project.id for project in made] == ["unnamed", "unnamed-2"]
    assert [project.info.title for project in made] == ["土地", "森林"]


def test_columns_find_their_places(workspace: geolabel.Workspace, data: Path) -> None:
    scene = workspace.add_scene(data / KAMPALA / "kampala_z20_rgb.tif")
    made = workflows.create_project(
        workspace._store,
        "Typed",
        scenes=[scene.id],
        classes=["building"],
        attributes=[
            {"name": "storeys", "kind": "number", "minimum": 1, "maximum": 200},
            {"name": "roof", "kind": "enum", "values": ["flat", "gabled"]},
            {"name": "lived_in", "kind": "boolean"},
        ],
    )
    project = workspace.project(made.id)
    point = Point(32.594, 0.351)
    frame = gpd.GeoDataFrame(
        {
            "class": ["building", "building"],
            "storeys": [2, 3],
            "roof": ["flat", None],
            "lived_in": [1, 0],
            "confidence": [0.5, 1.0],
            "status": ["accepted", "labelled"],
            "valid_from": ["2020-01-01", None],
            "source": ["survey", "survey"],
            "Colour": ["red", "blue"],
        },
        geometry=[point, point],
        crs=4326,
    )
    report = project.add(frame)
    assert (report.external_columns, report.dropped_columns) == (("source",), ("Colour",))
    one, two = workspace._store.query(project.id)
    assert (one.attributes, two.attributes) == (
        {"storeys": 2.0, "roof": "flat", "lived_in": True},
        {"storeys": 3.0, "lived_in": False},
    )
    assert (one.provenance.confidence, one.status.value, one.valid_from) == (0.5, "accepted", "2020-01-01")
    assert (one.provenance.source, one.external) == ("import:GeoDataFrame", {"source": "survey"})
    with pytest.raises(
        InvalidInput, match="Feature 1 was refused: 'storeys': is a number from 1 to 200, got 500"
    ) as caught:
        project.add(frame.assign(storeys=[2, 500], roof=["flat", "green"]))
    assert [p.pointer for p in caught.value.problems] == ["feature 1", "feature 1"]
    other = frame.assign(status=["built", "planned"], confidence=["high", "low"])
    report = project.add(other)
    assert report.external_columns == ("confidence", "status", "source"), "columns of another kind are kept, not used"


def test_a_shape_with_too_many_vertices_goes_by_the_policy(kampala: geolabel.Project) -> None:
    around = Point(32.594, 0.351).buffer(1e-4, quad_segs=500)
    frame = gpd.GeoDataFrame(geometry=[around, Point(32.594, 0.351)], crs=4326)
    report = workflows.import_labels(
        kampala._store,
        kampala.id,
        labels_from_frame(frame),
        class_name="building",
        on_invalid="skip",
        max_vertices=1000,
    )
    assert (report.imported, report.skipped) == (1, 1)
    assert report.problems[0].pointer == "feature 0"
    assert "2001 vertices, and a label holds at most 1000" in report.problems[0].message


@pytest.mark.soak
def test_a_million_vertices_come_in_within_ten_seconds(kampala: geolabel.Project, tmp_path: Path) -> None:
    angle = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    ring = np.column_stack((32.594 + 1e-3 * np.cos(angle), 0.351 + 1e-3 * np.sin(angle))).tolist()
    file = tmp_path / "coast.geojson"
    file.write_text(json.dumps(feature({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})))
    code = (
        "import sys, time, resource, geolabel; started = time.perf_counter()\n"
        "with geolabel.open(sys.argv[1]) as ws: ws.project('kampala').add(sys.argv[2], class_name='building')\n"
        "print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)"
    )
    folder = str(kampala._store.folder)
    done = subprocess.run([sys.executable, "-c", code, folder, str(file)], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    assert shapely.get_num_coordinates(kampala.annotations().geometry.iloc[0]) == 1_000_001
    assert seconds < 10
    assert megabytes < 600
