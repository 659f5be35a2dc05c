"""A land-cover mosaic stays one while its shared vertices are moved by a client that speaks another CRS."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

WEST, SOUTH, STEP = -84.4680, 33.6320, 1e-4
BATCH = "/api/collections/atlanta/batch"
UTM = {"crs": "http://www.opengis.net/def/crs/EPSG/0/32616", "limit": 10_000}


def corner(i: int, j: int) -> list[float]:
    """A corner of the mosaic, bent away from the grid."""
    return [WEST + (i + 0.05 * ((i * 7 + j * 3) % 5)) * STEP, SOUTH + (j + 0.05 * ((i * 3 + j * 11) % 5)) * STEP]


def parcels(columns: int, rows: int) -> list[dict[str, Any]]:
    rings = [
        [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1), corner(i, j)]
        for j in range(rows)
        for i in range(columns)
    ]
    return [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"class": "water"},
        }
        for ring in rings
    ]


@pytest.mark.parametrize(
    ("columns", "rows", "moves"), [(16, 12, 80), pytest.param(50, 40, 1000, marks=pytest.mark.soak)]
)
def test_moved_borders_leave_no_gap_and_no_overlap(api, columns, rows, moves):
    made = api("POST", BATCH, json={"create": parcels(columns, rows)}).json()["created"]
    assert len(made) == columns * rows
    page = api("GET", api.items("atlanta"), params={"limit": 10_000}).json()["features"]
    seen = {f["id"]: (f["properties"]["version"], f["geometry"]["coordinates"][0]) for f in page}
    rng = random.Random(25)
    touched = 0
    for _ in range(moves):
        _, ring = seen[rng.choice(sorted(seen))]
        old = ring[rng.randrange(4)]
        new = [v + rng.uniform(-0.1, 0.1) * STEP for v in old]
        sharing = [i for i, (_, r) in seen.items() if old in r]  # the very doubles that were served
        update = [
            {
                "id": i,
                "version": seen[i][0],
                "geometry": {"type": "Polygon", "coordinates": [[new if xy == old else xy for xy in seen[i][1]]]},
            }
            for i in sharing
        ]
        answer = api("POST", BATCH, json={"update": update, "borders": True}).json()
        for f in answer["updated"]:
            seen[f["id"]] = (f["properties"]["version"], f["geometry"]["coordinates"][0])
        touched += len(update)
    assert touched > 3 * moves

    stored = api("GET", api.items("atlanta"), params=UTM).json()["features"]
    shapes = np.array([shape(f["geometry"]) for f in stored])
    assert shapely.coverage_is_valid(shapes)
    assert shapely.is_empty(shapely.coverage_invalid_edges(shapes)).all()
    whole = shapely.union_all(shapes)
    assert whole.geom_type == "Polygon"
    assert len(whole.interiors) == 0
    assert abs(shapely.area(shapes).sum() - whole.area) <= 1e-9 * whole.area
