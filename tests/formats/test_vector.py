from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pytest
import shapely

import geolabel
from geolabel import formats, workflows
from geolabel.errors import InvalidInput
from geolabel.formats.vector import read_labels

if TYPE_CHECKING:
    from pathlib import Path

BEAUFORT = "pairs/beaufort_s2_landcover/rcr_landcover"


def test_the_crs_member_of_old_geojson_is_honoured(data: Path) -> None:
    labels = read_labels(data / "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson")
    assert labels.crs == "EPSG:32616"
    assert shapely.total_bounds(labels.geometries)[0] > 100_000


def test_coordinates_come_bit_for_bit(data: Path) -> None:
    path = data / f"{BEAUFORT}.shp"
    labels = read_labels(path)
    frame = gpd.read_file(path)
    assert labels.crs == "EPSG:32618"
    assert np.array_equal(shapely.get_coordinates(labels.geometries), shapely.get_coordinates(frame.geometry.array))
    assert labels.columns["Classname"].tolist() == frame["Classname"].tolist()


def test_a_zipped_shapefile_is_read(data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "land.zip", "w") as archive:
        for suffix in (".shp", ".shx", ".dbf", ".prj"):
            archive.write(data / f"{BEAUFORT}{suffix}", f"land{suffix}")
    assert len(read_labels(tmp_path / "land.zip").geometries) == 23


def test_a_layer_is_chosen_by_name(data: Path) -> None:
    path = data / "pairs/swellendam_rgba_osm/osm.gpkg"
    assert len(read_labels(path, layer="roads").geometries) == 65
    with pytest.raises(InvalidInput, match="no layer 'rivers'; it has buildings, roads"):
        read_labels(path, layer="rivers")


@pytest.mark.parametrize("name", ["labels.geojson", "labels.vrt", "labels.kml"])
@pytest.mark.parametrize("head", ["", "\ufeff", "\n  ", '<?xml version="1.0"?>\n'])
def test_a_file_that_points_elsewhere_is_not_followed(data: Path, tmp_path: Path, name: str, head: str) -> None:
    target = data / f"{BEAUFORT}.shp"
    (tmp_path / name).write_text(
        f'{head}<OGRVRTDataSource><OGRVRTLayer name="rcr_landcover"><SrcDataSource>{target}</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(InvalidInput, match="only where others are"):
        read_labels(tmp_path / name)


def test_a_format_that_is_not_the_files_own_is_refused(data: Path) -> None:
    with pytest.raises(InvalidInput, match="rcr_landcover.shp is no gpkg: GDAL reads it as ESRI Shapefile"):
        workflows.read_labels(data / f"{BEAUFORT}.shp", format_name="gpkg")
    with pytest.raises(
        InvalidInput, match="Labels cannot be read as 'cocoa'; the formats are: auto, coco, coco-keypoints"
    ):
        workflows.read_labels(data / f"{BEAUFORT}.shp", format_name="cocoa")
    with pytest.raises(InvalidInput, match="Labels in coco are in the pixels of chips"):
        workflows.read_labels(data / f"{BEAUFORT}.shp", format_name="coco")


def test_the_registry() -> None:
    both = [
        "coco",
        "coco-keypoints",
        "coco-panoptic",
        "cvat",
        "dota",
        "kitti",
        "labelstudio",
        "mask-instance",
        "mask-png",
        "mask-semantic",
        "voc",
    ]
    both += [
        "flatgeobuf",
        "geojson",
        "geoparquet",
        "gpkg",
        "kml",
        "shapefile",
        "yolo",
        "yolo-obb",
        "yolo-pose",
        "yolo-seg",
    ]
    written = [
        "arcgis",
        "imagefolder",
        "mask-boundary",
        "mask-distance",
        "multilabel",
        "stac",
        "trainingdml",
        "webdataset",
    ]
    assert formats.names() == tuple(sorted((*both, *written)))
    assert formats.reader_names() == tuple(sorted((*both, "labelme", "voc-segmentation", "vott")))
    for found in formats.registry().values():
        for reference in (found.writer, found.reader):
            if reference:
                from pkgutil import resolve_name

                assert callable(resolve_name(reference))


def test_a_shape_that_cannot_be_held_is_said(tmp_path: Path) -> None:
    file = tmp_path / "broken.geojson"
    broken = '{"type":"Feature","properties":{},"geometry":{"type":"LineString","coordinates":[[0,0]]}}'
    file.write_text(f'{{"type":"FeatureCollection","features":[{broken}]}}')
    with pytest.raises(
        InvalidInput,
        match=r"broken.geojson cannot be read: a LineString needs at least 2 positions, got 1 at /features/0",
    ):
        read_labels(file)


def test_a_name_that_no_file_can_have_is_said() -> None:
    with pytest.raises(InvalidInput, match="cannot be read: File name too long"):
        read_labels("x" * 5000)


def test_geoparquet_goes_out_as_it_rests_and_comes_back(data: Path, tmp_path: Path) -> None:
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(data / "pairs/atlanta_pan16_buildings/atlanta_pan.tif")
        project = workspace.create_project("Atlanta", scenes=[scene], classes=["building"])
        project.add(data / "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson", class_name="building")
        stored = project.annotations()
        assert project.to_parquet(tmp_path / "all.parquet") == len(stored)
        report = project.export(tmp_path / "out", formats=["geoparquet"])
        assert report is not None
        for file in (tmp_path / "all.parquet", tmp_path / "out/geoparquet/atlanta.parquet"):
            read = gpd.read_parquet(file).set_index("id")
            assert read.crs == stored.crs
            assert read["class"].tolist() == stored["class"].tolist()
            assert shapely.equals_identical(read.geometry.array, stored.geometry.array).all()
            assert tuple(read.total_bounds) == tuple(stored.total_bounds)
        again = workspace.create_project("Again", scenes=[scene], classes=["building"])
        assert again.add(tmp_path / "all.parquet").imported == len(stored)
        assert shapely.equals_identical(again.annotations().geometry.array, stored.geometry.array).all()


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
def test_geoparquet_is_read_in_both_encodings(tmp_path: Path, encoding: str) -> None:
    kinds = ["POINT (1 2)", "LINESTRING (0 0, 1 1)", "POLYGON ((0 0, 9 0, 9 9, 0 0), (1 0.5, 2 1, 2 1.5, 1 0.5))"]
    kinds += ["MULTIPOINT (1 1, 2 2)", "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3, 4 4))"]
    kinds += ["MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((2 2, 9 2, 9 9, 2 2)))", "POINT Z (1 2 3)"]
    for number, wkt in enumerate(kinds):
        shapes = [shapely.from_wkt(wkt), None, shapely.from_wkt(wkt)]
        frame = gpd.GeoDataFrame({"n": [1, 2, 3]}, geometry=shapes, crs=32616)
        file = tmp_path / f"{number}.parquet"
        frame.to_parquet(file, geometry_encoding=encoding)
        labels = read_labels(file)
        assert labels.crs == "EPSG:32616"
        assert [g and g.wkt for g in labels.geometries] == [g and g.wkt for g in shapes], wkt
