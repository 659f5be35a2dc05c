"""What we write, read by decoders that are not ours, and held against tiles that others wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, shape

from geolabel.labeltiles.tile import encode_tile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Kit

SQUARE = Polygon([(100, 100), (100, 300), (300, 300), (300, 100)])
HOLE = [(150, 150), (250, 150), (250, 250), (150, 250)]
SHAPES = [
    Point(25, 4079),
    MultiPoint([(5, 7), (3, 2), (4000, 4095)]),
    LineString([(2, 2), (2, 10), (10, 10)]),
    MultiLineString([[(2, 2), (2, 10), (10, 10)], [(1, 1), (3, 5)]]),
    SQUARE,
    Polygon(SQUARE.exterior, [HOLE]),
    Polygon(SQUARE.exterior.coords[::-1], [HOLE[::-1]]),
    MultiPolygon([Polygon(SQUARE.exterior, [HOLE]), Polygon([(170, 170), (230, 170), (200, 230)])]),
    Polygon([(0, 0, 5), (50, 0, 6), (50, 50, 7)]),
]


def test_every_kind_of_shape_by_two_decoders(kit: Kit, gdal: Callable[..., Any]) -> None:
    tile = kit.draw(kit.layer_of(SHAPES))
    ours, theirs = kit.decode(tile), gdal(tile)
    assert set(ours) == set(theirs) == set(range(1, len(SHAPES) + 1))
    for number, given in enumerate(SHAPES, 1):
        assert shapely.equals(ours[number], shapely.force_2d(given)), given
        assert shapely.equals(theirs[number], shapely.force_2d(given)), given


def test_the_properties_and_the_frame(kit: Kit) -> None:
    layer = kit.layer_of([SQUARE, Point(1, 1), SQUARE], ids=[7, 9, 3_000_000_000])
    layer.shapes.classes[:] = [1, 1, 0]
    layer.shapes.statuses[:] = [0, 0, 1]
    tile = encode_tile(layer, kit.box, classes=["forêt", "Wasser", "unused"], statuses=["draft", "accepted"])
    written = kit.raw(tile)
    assert (written.version, written.name, written.extent) == (2, "labels", 4096)
    assert list(written.keys) == ["class", "id", "status"]
    decoded = mapbox_vector_tile.decode(tile)["labels"]["features"]
    assert [(f["id"], f["properties"]) for f in decoded] == [
        (7, {"class": "Wasser", "id": 7, "status": "draft"}),
        (3_000_000_000, {"class": "forêt", "id": 3_000_000_000, "status": "accepted"}),
        (9, {"class": "Wasser", "id": 9, "status": "draft"}),
    ]
    assert "unused" not in [value.string_value for value in written.values]


def test_nothing_is_no_bytes(kit: Kit) -> None:
    assert kit.draw(kit.layer_of([])) == b""
    assert kit.draw(kit.layer_of([Point(9000, 9000), Polygon([(5000, 0), (6000, 0), (6000, 10)])])) == b""


def fixtures(data: Path) -> dict[str, dict[str, Any]]:
    """The valid single-layer fixtures with shapes, as JSON, by number."""
    found = {}
    for folder in sorted((data / "formats" / "mvt" / "fixtures").iterdir()):
        info = json.loads((folder / "info.json").read_text())
        tile = json.loads((folder / "tile.json").read_text())
        if info["validity"]["v2"] and any(
            f.get("type") and f.get("geometry") for layer in tile.get("layers", []) for f in layer["features"]
        ):
            found[folder.name] = tile
    return found


def test_the_same_shapes_as_the_fixtures_of_the_format(kit: Kit, data: Path) -> None:
    """What others encoded and what we encode of the same shape decodes to the same, commands included."""
    compared = 0
    for name, tile in fixtures(data).items():
        encoded = (data / "formats" / "mvt" / "fixtures" / name / "tile.mvt").read_bytes()
        for layer in mapbox_vector_tile.decode(encoded, default_options={"y_coord_down": False}).values():
            shapes = [shape(f["geometry"]) for f in layer["features"]]
            if layer["extent"] != 4096 or not shapes:
                continue
            ours = kit.decode(kit.draw(kit.layer_of(shapes)))
            assert len(ours) == len(shapes), name
            for ours_, theirs in zip(ours.values(), shapes, strict=True):
                assert shapely.equals(ours_, theirs), name
            compared += len(shapes)
        for layer in tile["layers"]:
            for feature in layer["features"]:
                if feature["type"] == 3 or layer.get("extent", 4096) != 4096:
                    continue  # a ring may begin at another vertex
                decoded = mapbox_vector_tile.decode(encoded, default_options={"y_coord_down": False})
                first = shape(decoded[layer["name"]]["features"][0]["geometry"])
                assert list(kit.raw(kit.draw(kit.layer_of([first]))).features[0].geometry) == feature["geometry"], name
    assert compared >= 10


def test_real_tiles_survive(kit: Kit, data: Path, gdal: Callable[..., Any]) -> None:
    """Hundreds of real shapes, decoded, drawn by us and decoded again."""
    compared = 0
    for file in sorted((data / "formats" / "mvt" / "real-world" / "bangkok").glob("*.mvt"))[:1]:
        for layer in mapbox_vector_tile.decode(file.read_bytes(), default_options={"y_coord_down": False}).values():
            shapes = [shape(f["geometry"]) for f in layer["features"]]
            shapes = [s for s in shapes if s.is_valid and layer["extent"] == 4096][::3]
            if not shapes:
                continue
            tile = kit.draw(kit.layer_of(shapes))
            ours, theirs = kit.decode(tile), gdal(tile)
            assert list(ours) == list(theirs)
            for number, given in enumerate(shapes, 1):
                inside = given.intersection(kit.clip)
                if number not in ours:
                    assert inside.area == 0
                    assert given.geom_type != "Point" or inside.is_empty
                    continue
                drawn = kit.mended(ours[number])
                # Where a shape leaves the clipping square its vertices are rounded.
                assert shapely.hausdorff_distance(drawn, inside) < 1.0
                assert abs(drawn.area - inside.area) <= inside.length
                assert shapely.equals(drawn, kit.mended(theirs[number]))
                compared += 1
    assert compared > 100


def rings(commands: list[int]) -> list[list[tuple[int, int]]]:
    """The rings of a polygon's commands, read strictly as section 4.3 of the specification says."""
    found, x, y, at = [], 0, 0, 0
    while at < len(commands):
        ring: list[tuple[int, int]] = []
        for expected, least in ((1, 1), (2, 2)):
            command, count = commands[at] & 7, commands[at] >> 3
            assert command == expected
            assert count == 1 if expected == 1 else count >= least
            at += 1
            for _ in range(count):
                dx, dy = ((v >> 1) ^ -(v & 1) for v in commands[at : at + 2])
                assert (dx, dy) != (0, 0) or not ring
                x, y, at = x + dx, y + dy, at + 2
                ring.append((x, y))
        assert commands[at] == 15
        at += 1
        assert ring[0] != ring[-1]
        found.append(ring)
    return found


def area(ring: list[tuple[int, int]]) -> float:
    """The surveyor's formula in the tile's own axes, y down."""
    x, y = np.array(ring).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@pytest.mark.parametrize("number", range(5, 10))
def test_rings_are_wound_and_closed_as_the_specification_says(kit: Kit, number: int) -> None:
    given = SHAPES[number - 1]
    found = rings(list(kit.raw(kit.draw(kit.layer_of([given]))).features[0].geometry))
    outer = [p.exterior for p in getattr(given, "geoms", [given])]
    assert [area(ring) > 0 for ring in found].count(True) == len(outer)
    assert area(found[0]) > 0
    assert sum(map(area, found)) == pytest.approx(given.area)


def test_rings_without_area_are_dropped(kit: Kit) -> None:
    sliver = Polygon([(0, 0), (1000, 0.3), (1000, 0.4), (0, 0.1)])
    speck = Polygon([(10.1, 10.1), (10.2, 10.1), (10.2, 10.2)])
    filled = Polygon(SQUARE.exterior, [[(200, 200), (200.3, 200), (200.3, 200.3)]])
    beside = MultiPolygon([speck, Polygon([(3000, 3000), (3010, 3000), (3010, 3010)])])
    inside = Polygon([(50.4, 50.4), (49.6, 49.6), (50.2, 50.2)], [])
    decoded = kit.decode(kit.draw(kit.layer_of([sliver, speck, filled, beside, inside])))
    assert set(decoded) == {3, 4}
    assert shapely.equals(decoded[3], SQUARE)
    assert decoded[4].geom_type == "Polygon"


def test_spikes_and_points_on_a_line_are_dropped(kit: Kit) -> None:
    spiked = Polygon([(0, 0), (50, 0.1), (100, 0), (100, 100), (100.2, 200), (100, 100.1), (0, 100)])
    (ring,) = rings(list(kit.raw(kit.draw(kit.layer_of([spiked]))).features[0].geometry))
    assert len(ring) == 4
    assert area(ring) == 100 * 100


def test_a_hole_goes_with_its_outline_and_not_before(kit: Kit) -> None:
    two = MultiPolygon(
        [
            Polygon([(0, 0), (0.2, 0), (0.2, 0.2)], [[(0.1, 0.05), (0.15, 0.05), (0.15, 0.1)]]),
            Polygon(SQUARE.exterior, [HOLE]),
        ]
    )
    (decoded,) = kit.decode(kit.draw(kit.layer_of([two]))).values()
    assert shapely.equals(decoded, Polygon(SQUARE.exterior, [HOLE]))
