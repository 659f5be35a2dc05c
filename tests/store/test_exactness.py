from __future__ import annotations

import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import (
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
)

from geolabel.classes import make_classes
from geolabel.model import AnnotationPatch, NewAnnotation, Project

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def geometries(draw) -> shapely.geometry.base.BaseGeometry:
    """Every type, with and without Z, with any finite doubles at all; validity is not the store's business."""
    position = st.tuples(*[DOUBLES] * draw(st.sampled_from([2, 3])))
    points = position.map(Point)
    lines = st.lists(position, min_size=2, max_size=5).map(LineString)
    rings = st.lists(position, min_size=3, max_size=5).map(lambda ring: [*ring, ring[0]])
    polygons = st.builds(Polygon, rings, st.lists(rings, max_size=2))
    many = {"min_size": 1, "max_size": 3}
    single = st.one_of(points, lines, polygons)
    return draw(
        st.one_of(
            single,
            st.lists(points, **many).map(MultiPoint),
            st.lists(lines, **many).map(MultiLineString),
            st.lists(polygons, **many).map(MultiPolygon),
            st.lists(single, **many).map(GeometryCollection),
        ),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=geometries(), second=geometries())
def test_every_double_comes_back_bit_for_bit(store, first, second):
    made = store.create("landuse", [NewAnnotation(first, "water")])[0]
    store.update("landuse", made.id, AnnotationPatch(geometry=second))
    past, now = (change.annotation.geometry for change in store.history("landuse", made.id))
    assert exactly(past) == exactly(first)
    assert exactly(now) == exactly(second)
    assert exactly(store.annotation("landuse", made.id).geometry) == exactly(second)
    store.delete("landuse", made.id)


def exactly(geometry) -> bytes:
    return shapely.to_wkb(geometry, output_dimension=3, byte_order=1, flavor="iso")


@pytest.mark.parametrize(
    ("pair", "layer", "crs"),
    [
        ("atlanta_pan16_buildings/buildings_epsg32616.geojson", None, "EPSG:32616"),
        ("swellendam_rgba_osm/osm.gpkg", "buildings", "EPSG:4326"),
        ("beaufort_s2_landcover/rcr_landcover.shp", None, None),
    ],
)
def test_real_labels(store, data, pair, layer, crs):
    frame = pyogrio.read_dataframe(data / "pairs" / pair, layer=layer)
    shapes = [shape for shape in frame.geometry if shape is not None and not shape.is_empty]
    store.create_project(Project("real", "Real", crs or frame.crs.to_wkt(), make_classes(["any"])))
    made = store.create("real", [NewAnnotation(shape, "any") for shape in shapes])
    assert len(made) > 10
    assert [exactly(a.geometry) for a in store.query("real")] == [exactly(shape) for shape in shapes]
    x0, y0, x1, y1 = shapely.total_bounds(shapes)
    bbox = (x0 + (x1 - x0) * 0.3, y0 + (y1 - y0) * 0.3, x0 + (x1 - x0) * 0.6, y0 + (y1 - y0) * 0.6)
    expected = [a.id for a in made if a.geometry.intersects(shapely.box(*bbox))]
    assert [a.id for a in store.query("real", bbox=bbox)] == expected
    assert store.count("real", bbox=bbox) == len(expected)
