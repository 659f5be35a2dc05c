"""Operations over HTTP: on the stored doubles, saved as one batch, with sentences when they cannot be done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

WEST, SOUTH = -84.4676, 33.6406
OPERATIONS = "/api/collections/atlanta/operations"
BATCH = "/api/collections/atlanta/batch"
UTM = {"crs": "http://www.opengis.net/def/crs/EPSG/0/32616"}


def rectangle(col: float, row: float, width: float = 1, height: float = 1) -> list[list[float]]:
    """A ring on a grid of cells of about 30 m."""
    w, s = WEST + col * 3e-4, SOUTH + row * 3e-4
    e, n = w + width * 3e-4, s + height * 3e-4
    return [[w, s], [e, s], [e, n], [w, n], [w, s]]


@pytest.fixture
def two(api: Any) -> list[dict[str, Any]]:
    """Two neighbours: 1 on the left, 2 on the right."""
    return [
        api.add("atlanta", {"type": "Polygon", "coordinates": [rectangle(col, 0)]}, 201, note=note).json()
        for col, note in ((0, "left"), (1, "right"))
    ]


def stored(api: Any) -> dict[int, Any]:
    features = api("GET", api.items("atlanta"), params=UTM).json()["features"]
    return {f["id"]: shape(f["geometry"]) for f in features}


def doubles(*shapes: Any) -> set[tuple[float, float]]:
    return set(map(tuple, shapely.get_coordinates(list(shapes)).tolist()))


def save(api: Any, made: dict[str, Any]) -> Any:
    """What the editor does with an answer: one batch."""
    known = [f for f in [*made["features"], *made["neighbours"]] if "id" in f]
    body = {
        "create": [f for f in made["features"] if "id" not in f],
        "update": [{"id": f["id"], "version": f["properties"]["version"], "geometry": f["geometry"]} for f in known],
        "delete": [{"id": i} for i in made["deleted"]],
        "borders": True,
    }
    for f in body["create"]:
        f.pop("from")
        f["properties"].pop("area_m2", None)
    return api("POST", BATCH, json=body).json()


def across(row: float) -> dict[str, Any]:
    """A line from west to east, a little skewed."""
    (w, s), (e, n) = rectangle(-0.5, row)[0], rectangle(1.5, row + 0.1)[0]
    return {"type": "LineString", "coordinates": [[w, s], [e, n]]}


@pytest.mark.usefixtures("two")
def test_split_stores_nothing_and_saved_as_one_batch_loses_no_bit(api):
    before = stored(api)
    made = api("POST", f"{OPERATIONS}/split", json={"ids": [1], "geometry": across(0.4)}).json()
    assert stored(api) == before
    first, second = made["features"]
    assert (first["id"], second["from"]) == (1, 1)
    assert second["properties"]["note"] == "left"
    assert "version" not in second["properties"]
    assert [f["id"] for f in made["neighbours"]] == [2]  # the cut ends on its border

    save(api, made)
    after = stored(api)
    assert len(after) == 3
    pieces = [after[1], after[3]]
    assert doubles(before[1]) <= doubles(*pieces)
    assert doubles(before[2]) <= doubles(after[2])
    assert len(doubles(after[2])) == len(doubles(before[2])) + 1
    assert shapely.coverage_is_valid([*pieces, after[2]])
    assert np.isclose(sum(p.area for p in pieces), before[1].area, rtol=1e-9)


@pytest.mark.usefixtures("two")
def test_what_is_split_is_merged_to_what_it_was(api):
    before = stored(api)
    save(api, api("POST", f"{OPERATIONS}/split", json={"ids": [1], "geometry": across(0.4)}).json())
    made = api("POST", f"{OPERATIONS}/merge", json={"ids": [1, 3]}).json()
    assert made["deleted"] == [3]
    save(api, made)
    after = stored(api)
    assert set(after) == {1, 2}
    assert after[1].geom_type == "Polygon"
    assert doubles(before[1]) <= doubles(after[1])
    assert abs(after[1].symmetric_difference(before[1]).area) <= 1e-6


def test_subtract_union_clip_with_neighbours(api, two):
    over = {"type": "Polygon", "coordinates": [rectangle(0.5, 0.2, 1, 0.4)]}
    api.add("atlanta", over, 201, note="over")
    less = api("POST", f"{OPERATIONS}/subtract", json={"ids": [3], "other_ids": [1, 2]}, status=422).json()
    assert "building #3 stays as it is. Nothing would be left of it." in less["detail"]
    left = api("POST", f"{OPERATIONS}/subtract", json={"ids": [3], "other_ids": [1]}).json()["features"][0]
    assert shape(left["geometry"]).area < 0.6 * shape(over).area
    common = api("POST", f"{OPERATIONS}/clip", json={"ids": [3], "other_ids": [1]}).json()["features"][0]
    assert np.isclose(shape(left["geometry"]).area + shape(common["geometry"]).area, shape(over).area, rtol=1e-9)
    grown = api("POST", f"{OPERATIONS}/union", json={"ids": [1], "geometry": over}).json()["features"][0]
    assert grown["id"] == 1
    assert grown["properties"]["area_m2"] > two[0]["properties"]["area_m2"]


def test_clip_to_the_scene(api):
    scene = api("GET", "/api/scenes/atlanta_pan").json()
    west, south, east, north = scene["bounds"]
    ring = [[west - 0.01, south], [east, south], [east, north], [west - 0.01, north], [west - 0.01, south]]
    made = api.add("atlanta", {"type": "Polygon", "coordinates": [ring]}).json()
    body = {"ids": [made["id"]], "scene": "atlanta_pan"}
    [feature] = api("POST", f"{OPERATIONS}/clip", json=body).json()["features"]
    clipped = shape(feature["geometry"]).bounds
    assert clipped[0] >= west - 1e-9
    assert clipped[2] <= east + 1e-9


def test_a_hole_is_cut_and_an_unsaved_edit_keeps_untouched_doubles(api, two):
    before = stored(api)
    ring = [list(xy) for xy in two[0]["geometry"]["coordinates"][0]]
    ring[2] = [ring[2][0], ring[2][1] + 1e-5]
    feature = {
        "type": "Feature",
        "id": 1,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"class": "building"},
    }
    hole = {"type": "Polygon", "coordinates": [rectangle(0.3, 0.3, 0.3, 0.3)]}
    body = {"features": [feature], "geometry": hole}
    headers = {"Content-Crs": "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"}
    [made] = api("POST", f"{OPERATIONS}/subtract", json=body, headers=headers).json()["features"]
    assert len(made["geometry"]["coordinates"]) == 2
    api("PATCH", f"{api.items('atlanta')}/1", json={"geometry": made["geometry"]})
    assert len(doubles(before[1]) & doubles(stored(api)[1])) == 3


@pytest.mark.usefixtures("two")
def test_simplify_buffer_and_repair(api):
    line = [[WEST + i * 1e-5, SOUTH + (i % 2) * 1e-7] for i in range(50)]
    api.add("atlanta", {"type": "LineString", "coordinates": line}, 201, **{"class": "road"})
    [simple] = api("POST", f"{OPERATIONS}/simplify", json={"ids": [3], "tolerance": 1}).json()["features"]
    assert len(simple["geometry"]["coordinates"]) == 2
    [wide] = api("POST", f"{OPERATIONS}/buffer", json={"ids": [3], "distance": 4}).json()["features"]
    assert np.isclose(wide["properties"]["area_m2"], 45.44 * 8 + np.pi * 16, rtol=0.02)
    bow = {"type": "Polygon", "coordinates": [[rectangle(0, 5)[i] for i in (0, 2, 1, 3, 0)]]}
    body = {"features": [{"type": "Feature", "geometry": bow, "properties": {"class": "building"}}]}
    [mended] = api("POST", f"{OPERATIONS}/repair", json=body).json()["features"]
    assert shape(mended["geometry"]).is_valid
    assert mended["geometry"]["type"] == "MultiPolygon"
    refused = api("POST", f"{OPERATIONS}/subtract", json={**body, "other_ids": [1]}, status=422).json()
    assert "crosses itself" in refused["detail"]
    assert refused["errors"][0]["pointer"].startswith("/features/0/geometry/coordinates")


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("operation", "body", "status", "words"),
    [
        ("melt", {"ids": [1]}, 404, "expected one of split, merge"),
        ("split", {"ids": [1]}, 422, "Give the line to split by"),
        ("split", {"ids": [1], "geometry": {"type": "Point", "coordinates": [WEST, SOUTH]}}, 422, "split by a line"),
        ("split", {"ids": [1], "geometry": {"type": "LineString", "coordinates": [[WEST, SOUTH]]}}, 422, "at least 2"),
        ("split", {"ids": [1], "geometry": across(5)}, 422, "does not cut building #1 in two"),
        ("merge", {"ids": [1]}, 422, "at least two"),
        ("merge", {"ids": [1, 99]}, 404, "no label 99"),
        ("merge", {}, 422, "Name the labels"),
        ("subtract", {"ids": [1]}, 422, "Name what to work with"),
        ("subtract", {"ids": [1], "other_ids": [1]}, 422, "Nothing would be left"),
        ("clip", {"ids": [1], "scene": "moon"}, 422, "no scene 'moon'"),
        ("simplify", {"ids": [1], "tolerance": -1}, 422, "/tolerance"),
        ("buffer", {"ids": [1]}, 422, "distance in metres"),
        ("buffer", {"ids": [1], "distance": -500}, 422, "Nothing would be left"),
        ("buffer", {"ids": [1], "distance": 1e9}, 422, "/distance"),
        ("union", {"features": [{"id": "x"}], "other_ids": [2]}, 422, "whole number"),
        ("union", {"features": [{"geometry": None}], "other_ids": [2]}, 422, "/features/0/geometry"),
        ("union", {"features": [{"geometry": 1, "properties": 3}], "other_ids": [2]}, 422, "object"),
        ("union", {"ids": [1], "colour": "red"}, 422, "/colour"),
    ],
)
def test_bad_input_is_a_sentence(api, operation, body, status, words):
    problem = api("POST", f"{OPERATIONS}/{operation}", json=body, status=status).json()
    assert words in problem["detail"] + str(problem.get("errors"))


@pytest.mark.usefixtures("two")
def test_a_vertex_on_a_neighbours_rests_on_it(api):
    right = rectangle(1, 0)
    top = [right[3], right[2], [right[2][0], right[2][1] + 1e-4], [right[3][0], right[3][1] + 1e-4], right[3]]
    new = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [top]},
        "properties": {"class": "building"},
    }
    api("POST", BATCH, json={"create": [new], "borders": True})
    after = stored(api)
    assert len(doubles(after[2]) & doubles(after[3])) == 2
    api("POST", BATCH, json={"create": [], "borders": "yes"}, status=422)


def test_a_vertex_that_is_moved_back_has_its_doubles_again(api, two):
    before = stored(api)
    ring = two[0]["geometry"]["coordinates"][0]
    for version, x in ((1, ring[2][0] + 1e-5), (2, ring[2][0])):
        new = [[x, ring[2][1]] if i == 2 else xy for i, xy in enumerate(ring)]
        edit = {"id": 1, "version": version, "geometry": {"type": "Polygon", "coordinates": [new]}}
        api("POST", BATCH, json={"update": [edit], "borders": True})
        api(
            "PATCH", f"{api.items('atlanta')}/2", json={"geometry": shifted(two[1]["geometry"])}
        )  # it has left the vertex
    assert doubles(stored(api)[1]) == doubles(before[1])


def shifted(geometry: dict[str, Any]) -> dict[str, Any]:
    ring = [[x + 1e-3, y] for x, y in geometry["coordinates"][0]]
    return {"type": "Polygon", "coordinates": [ring]}
