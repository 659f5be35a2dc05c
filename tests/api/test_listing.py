"""Pages of labels: written from rows in bulk, and byte for byte what one label after another gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import orjson
import pytest
import shapely

from geolabel import compiled
from geolabel.attributes import Attribute
from geolabel.classes import make_classes
from geolabel.geo.crs import ground_area, transform_coordinates
from geolabel.geo.geojson_text import geojson_texts
from geolabel.geo.geometry import all_to_geojson, to_geojson
from geolabel.geo.ragged import from_shapely
from geolabel.geo.shown import shown, shown_and_measured
from geolabel.model import CRS84, NewAnnotation, Project, Provenance
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from .conftest import Api

PLACE = transform_coordinates(np.array([[-84.4759, 33.6389]]), CRS84, "EPSG:32616")[0]
EPSG = "http://www.opengis.net/def/crs/EPSG/0"
SHAPES = [
    "POLYGON ((0 0, 3 0, 3 2, 0 0))",
    "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 2, 2 2, 1 1), (5 5, 5 6, 6 6, 5 5))",
    "POLYGON Z ((0 0 1.5, 3 0 2, 3 2 1e-7, 0 0 1.5))",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((3 3, 5 3, 5 5, 3 3), (4 3.5, 4.5 3.5, 4.5 4, 4 3.5)))",
    "POLYGON ((0 0, 90000 0, 90000 90000, 0 0))",
    "LINESTRING (0 0, 1 1.1, 2 0)",
    "LINESTRING (0 0, 80000 70000)",
    "LINESTRING Z (0 0 5, 1 1 6)",
    "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3, 4 2))",
    "POINT (1 2)",
    "POINT Z (1 2 3)",
    "MULTIPOINT (0 0, 5 5)",
]
CLASSES = {"polygon": "building", "line": "road", "point": "tree"}


def placed(text: str) -> BaseGeometry:
    return shapely.transform(
        shapely.from_wkt(text), lambda xyz: xyz + np.resize([*PLACE, 0], xyz.shape[1]), include_z="Z" in text
    )


def label(number: int, text: str) -> NewAnnotation:
    """Every second one says all that a label can say."""
    geometry = placed(text)
    kind = {0: "point", 4: "point", 1: "line", 5: "line"}.get(int(shapely.get_type_id(geometry)), "polygon")
    if number % 2:
        return NewAnnotation(geometry, CLASSES[kind])
    return NewAnnotation(
        geometry,
        CLASSES[kind],
        note='says "hé"\n\u2028',
        provenance=Provenance("import:x", 0.1 + 0.2, "atlanta", "ann"),
        attributes={"height": 1e22, "roof": "hip", "flat": number % 4 == 0},
        valid_from="2020-01-01",
        valid_to="2021-01-01T00:00:00Z",
        track="t",
        external_id=f"way/{number}",
        external={"b": [1, None], "á": 0.1},
    )


KERNELS = ("geolabel.geo.wkb_reader", "geolabel.geo.flat_areas", "geolabel.geo.geojson_writer")


@pytest.fixture(params=["objects", "compiled"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as they are not compiled, and afterwards."""
    monkeypatch.setattr(compiled, "_ready", {})
    if request.param == "compiled":
        for name in KERNELS:
            compiled.make_ready(name)
    else:  # nobody begins to
        monkeypatch.setattr(compiled, "_begun", set(KERNELS))


@pytest.fixture
def many(workspace: Path, start: Callable[..., Api]) -> Api:
    attributes = (
        Attribute("height", "number"),
        Attribute("roof", "enum", values=("flat", "hip")),
        Attribute("flat", "boolean"),
    )
    with open_store(workspace) as store:
        store.change_project("atlanta", lambda project: replace(project, attributes=attributes))
        store.create("atlanta", [label(number, text) for number, text in enumerate(SHAPES)], author="bob")
        store.create("atlanta.coverage", [NewAnnotation(placed(SHAPES[1]), "seen")])
    return start(workspace)


def written(api: Api, path: str) -> bytes:
    """The features of an answer as they stand in it."""
    body: bytes = api("GET", path).content
    return body[body.index(b'"features":') : body.index(b',"links":[')]


@pytest.mark.parametrize("crs", [None, "4326", "3857", "32616"])
@pytest.mark.parametrize(
    "asked", ["", "&bbox=-84.48,33.63,-84.47,33.64", "&limit=5", "&after=3&limit=4", "&class=tree"]
)
@pytest.mark.usefixtures("kernels")
def test_rows_give_what_labels_give(many: Api, crs: str | None, asked: str) -> None:
    wanted = asked + (f"&crs={EPSG}/{crs}" if crs else "")
    last = many("GET", "/api/collections/atlanta/changesets?limit=1").json()["changesets"][0]["number"]
    # The past is read label by label.
    listed = written(many, f"{many.items('atlanta')}?{wanted}")
    assert listed == written(many, f"{many.items('atlanta')}?at={last}{wanted}")
    assert listed.count(b'"Feature"') == {"": 12, "&limit=5": 5, "&after=3&limit=4": 4, "&class=tree": 3}.get(asked, 12)


REAL = [
    ("atlanta", "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson", "building"),
    ("kampala", "pairs/kampala_rgb_buildings/buildings.geojson", "building"),
    ("swellendam", "pairs/swellendam_rgba_osm/osm.gpkg", "road"),
]


@pytest.mark.parametrize("real", REAL)
@pytest.mark.usefixtures("kernels")
def test_real_labels_are_listed_as_one_after_the_other(
    workspace: Path, start: Callable[..., Api], data: Path, real: tuple[str, str, str]
) -> None:
    project, path, kind = real
    with open_store(workspace) as store:
        layer = {"layer": "roads"} if kind == "road" else {}
        shapes = gpd.read_file(data / path, **layer).to_crs(store.project(project).crs).geometry
        good = shapes[shapes.is_valid & ~shapes.is_empty][:1500]
        store.create(project, [NewAnnotation(shape, kind) for shape in good])
    api = start(workspace)
    last = api("GET", f"/api/collections/{project}/changesets?limit=1").json()["changesets"][0]["number"]
    for uri in api("GET", f"/api/collections/{project}").json()["crs"]:
        listed = written(api, f"{api.items(project)}?limit=2000&crs={uri}")
        assert listed == written(api, f"{api.items(project)}?limit=2000&crs={uri}&at={last}")
        assert listed.count(b'"Feature"') > 20


@pytest.mark.usefixtures("kernels")
def test_shapes_across_180_degrees_are_listed_cut(workspace: Path, start: Callable[..., Api]) -> None:
    """In UTM zone 60 they are in one piece, beside others that are not cut, and one beyond, and one with a hole around."""
    texts = [
        "POLYGON ((700000 4000000, 820000 4000000, 820000 4100000, 700000 4000000))",
        "POLYGON ((500000 4000000, 500100 4000000, 500100 4000100, 500000 4000000))",
        "POLYGON ((690000 4000000, 900000 4000000, 900000 4200000, 690000 4000000), (800000 4050000, 850000 4050000, 850000 4090000, 800000 4050000))",
        "LINESTRING (700000 4000000, 850000 4010000)",
        "POINT (850000 4000000)",
    ]
    with open_store(workspace) as store:
        store.create_project(Project("east", "East", "EPSG:32660", make_classes(["any"])))
        store.create("east", [NewAnnotation(shapely.from_wkt(text), "any") for text in texts])
    api = start(workspace)
    for crs in ("", f"&crs={EPSG}/4326", f"&crs={EPSG}/3857", f"&crs={EPSG}/32660"):
        for box in ("", "&bbox=179,30,-179,40", "&bbox=170,30,180,40", "&bbox=-180,30,-178,40"):
            listed = written(api, f"{api.items('east')}?{box}{crs}")
            last = api("GET", "/api/collections/east/changesets?limit=1").json()["changesets"][0]["number"]
            assert listed == written(api, f"{api.items('east')}?at={last}{box}{crs}")
            assert listed.count(b'"Feature"') > 1
    assert b'"MultiPolygon"' in written(api, f"{api.items('east')}?")


@pytest.mark.usefixtures("kernels")
def test_each_feature_is_what_its_own_address_gives(many: Api) -> None:
    features = many("GET", many.items("atlanta")).json()["features"]
    for feature in features:
        alone = many("GET", f"{many.items('atlanta')}/{feature['id']}").json()
        assert {name: alone[name] for name in feature} == feature
        assert ("area_m2" in feature["properties"]) == feature["geometry"]["type"].endswith("Polygon")
    said = features[0]["properties"]
    assert (said["height"], said["flat"], said["external"]) == (1e22, True, {"b": [1, None], "á": 0.1})
    assert "external" not in features[1]["properties"]
    assert features[1]["properties"]["roof"] is None


@pytest.mark.usefixtures("kernels")
def test_coverage_is_listed_the_same_way(many: Api) -> None:
    last = many("GET", "/api/collections/atlanta.coverage/changesets?limit=1").json()["changesets"][0]["number"]
    path = many.items("atlanta.coverage")
    assert written(many, path) == written(many, f"{path}?at={last}")


def test_numbers_out_of_arrays_are_those_out_of_lists() -> None:
    """Every double, also those that need an exponent, is written as Python's float is."""
    rng = np.random.default_rng(3)
    odd = [0.1, -0.0, 1e-7, 5e-324, 1e22, 1e16, 123456789012345680.0, 12.0, -1.7976931348623157e308]
    bits = rng.integers(0, 2**63, 20_000, dtype=np.int64).view(np.float64)
    numbers = np.concatenate([odd, bits[np.isfinite(bits)], rng.uniform(-180, 180, 20_000)])
    numbers = numbers[: len(numbers) // 2 * 2].reshape(-1, 2)
    lists = orjson.dumps(numbers.tolist())
    assert orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY) == lists
    assert orjson.loads(lists) == numbers.tolist()


@pytest.mark.usefixtures("kernels")
def test_many_shapes_are_written_as_each_alone() -> None:
    shapes = np.array([placed(text) for text in SHAPES], dtype=object)
    each = [orjson.dumps(to_geojson(geometry)) for geometry in shapes]
    together = orjson.dumps(all_to_geojson(shapes), option=orjson.OPT_SERIALIZE_NUMPY)
    assert together == b"[" + b",".join(each) + b"]"
    assert geojson_texts(from_shapely(shapes)) == each
    plain = shapes[~shapely.has_z(shapes)]
    assert geojson_texts(from_shapely(plain)) == [orjson.dumps(to_geojson(geometry)) for geometry in plain]
    assert geojson_texts(from_shapely(shapes[:0])) == []
    odd = np.array([shapely.Point(), shapes[2], shapely.GeometryCollection([shapes[0]])], dtype=object)
    assert geojson_texts(from_shapely(odd)) == [b"null", each[2], b"null"], "the arrays do not hold these"


@pytest.mark.parametrize("edge", [CRS84, "EPSG:4326", "EPSG:3857", "EPSG:32616", "EPSG:4269"])
@pytest.mark.parametrize("tolerance", [None, 1e-6, 1e-3])
def test_shapes_and_areas_in_one_go_are_those_of_two(edge: str, tolerance: float | None) -> None:
    shapes = np.array([placed(text) for text in SHAPES], dtype=object)
    for some in (shapes, shapes[[0, 1, 3]], shapes[:0]):
        visible, areas = shown_and_measured(some, "EPSG:32616", edge, tolerance=tolerance)
        expected = shown(some, "EPSG:32616", edge, tolerance=tolerance)
        assert [g.wkb for g in visible] == [g.wkb for g in expected]
        assert areas.tolist() == ground_area(some, "EPSG:32616").tolist()
