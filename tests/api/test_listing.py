"""Pages of labels: written from rows in bulk, and byte for byte what one label after another gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest
import shapely

from geolabel.attributes import Attribute
from geolabel.geo.crs import ground_area, transform_coordinates
from geolabel.geo.geometry import all_to_geojson, to_geojson
from geolabel.geo.shown import shown, shown_and_measured
from geolabel.model import CRS84, NewAnnotation, Provenance
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
def test_rows_give_what_labels_give(many: Api, crs: str | None, asked: str) -> None:
    wanted = asked + (f"&crs={EPSG}/{crs}" if crs else "")
    last = many("GET", "/api/collections/atlanta/changesets?limit=1").json()["changesets"][0]["number"]
    # The past is read label by label.
    listed = written(many, f"{many.items('atlanta')}?{wanted}")
    assert listed == written(many, f"{many.items('atlanta')}?at={last}{wanted}")
    assert listed.count(b'"Feature"') == {"": 12, "&limit=5": 5, "&after=3&limit=4": 4, "&class=tree": 3}.get(asked, 12)


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


def test_many_shapes_are_written_as_each_alone() -> None:
    shapes = np.array([placed(text) for text in SHAPES], dtype=object)
    together = orjson.dumps(all_to_geojson(shapes), option=orjson.OPT_SERIALIZE_NUMPY)
    assert together == orjson.dumps([to_geojson(geometry) for geometry in shapes])


@pytest.mark.parametrize("edge", [CRS84, "EPSG:4326", "EPSG:3857", "EPSG:32616", "EPSG:4269"])
@pytest.mark.parametrize("tolerance", [None, 1e-6, 1e-3])
def test_shapes_and_areas_in_one_go_are_those_of_two(edge: str, tolerance: float | None) -> None:
    shapes = np.array([placed(text) for text in SHAPES], dtype=object)
    for some in (shapes, shapes[[0, 1, 3]], shapes[:0]):
        visible, areas = shown_and_measured(some, "EPSG:32616", edge, tolerance=tolerance)
        expected = shown(some, "EPSG:32616", edge, tolerance=tolerance)
        assert [g.wkb for g in visible] == [g.wkb for g in expected]
        assert areas.tolist() == ground_area(some, "EPSG:32616").tolist()
