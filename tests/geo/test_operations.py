from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sqlalchemy as sa
from pyproj import Transformer

from geolabel.classes import make_classes
from geolabel.errors import InvalidCRS
from geolabel.geo import crs, operations
from geolabel.model import Project
from geolabel.store import tables
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geolabel.geo.operations import Operation

UTM = "EPSG:32636"
DHDN = "EPSG:31467"  # two Helmert transformations lead to WGS 84: one for the west of Germany, one for the east
CLASSES = make_classes(["field"])
HERE = np.array([[33.1, 1.2], [33.2, 1.3]])


class Notes:
    """A book in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Operation] = {}

    def find(self, source: str, target: str) -> Operation | None:
        return self.kept.get((source, target))

    def record(self, chosen: list[Operation]) -> None:
        self.kept.update({(o.source, o.target): o for o in chosen})


@pytest.fixture
def book() -> Iterator[Notes]:
    notes = Notes()
    operations.use_book(notes)
    yield notes
    operations.leave_book(notes)


def test_a_pair_is_recorded_once_in_both_directions(book: Notes) -> None:
    there = crs.transform_coordinates(HERE, "OGC:CRS84", UTM)
    assert set(book.kept) == {("OGC:CRS84", UTM), (UTM, "OGC:CRS84")}
    kept = book.kept["OGC:CRS84", UTM]
    assert "proj=utm zone=36" in kept.pipeline
    assert "UTM zone 36N" in kept.name
    assert kept.accuracy == 0.0
    before = dict(book.kept)
    back = crs.transform_coordinates(
        there, UTM, "EPSG:4326"
    )  # the same longitudes and latitudes, so the same operation
    assert np.abs(back - HERE).max() < 1e-12
    assert book.kept == before


@pytest.mark.parametrize("name", [UTM, "EPSG:3031", "EPSG:3857", "EPSG:2056", "EPSG:27700", "EPSG:26916"])
def test_the_operation_is_the_one_that_proj_takes_there(name: str) -> None:
    middle = {
        UTM: (33, 1),
        "EPSG:3031": (20, -80),
        "EPSG:2056": (8, 47),
        "EPSG:27700": (-2, 52),
        "EPSG:26916": (-87, 40),
    }
    xy = np.random.default_rng(0).normal(middle.get(name, (10, 50)), 0.2, (200, 2))
    ours = crs.transform_coordinates(xy, "OGC:CRS84", name)
    theirs = np.column_stack(Transformer.from_crs("OGC:CRS84", name, always_xy=True).transform(*xy.T))
    assert np.array_equal(ours, theirs)
    back = np.column_stack(Transformer.from_crs(name, "OGC:CRS84", always_xy=True).transform(*theirs.T))
    assert np.array_equal(crs.transform_coordinates(theirs, name, "OGC:CRS84"), back)


def test_the_place_of_the_first_use_chooses_among_several(book: Notes) -> None:
    crs.transform_coordinates(np.array([[9.0, 50.0]]), "OGC:CRS84", DHDN)
    assert "(2)" in book.kept["OGC:CRS84", DHDN].name
    operations.leave_book(book)
    book.kept.clear()
    operations.use_book(book)
    crs.transform_coordinates(np.array([[12.0, 53.9]]), "OGC:CRS84", DHDN)
    assert "Germany" not in book.kept["OGC:CRS84", DHDN].pipeline


def test_what_is_on_record_is_used_whatever_proj_would_take(book: Notes) -> None:
    pipeline = "proj=pipeline step proj=unitconvert xy_in=deg xy_out=rad step proj=utm zone=36 ellps=WGS84 step proj=affine xoff=1000"
    book.record([operations.Operation("OGC:CRS84", UTM, "moved a kilometre", pipeline, None)])
    plain = np.column_stack(Transformer.from_crs("OGC:CRS84", UTM, always_xy=True).transform(*HERE.T))
    moved = crs.transform_coordinates(HERE, "OGC:CRS84", UTM)
    assert np.allclose(moved - plain, (1000, 0), atol=1e-6)
    assert np.allclose(crs.transform_coordinates(moved, UTM, "OGC:CRS84"), HERE, atol=1e-12)


def test_a_grid_that_is_not_there_is_said(book: Notes) -> None:
    book.record([operations.Operation("OGC:CRS84", UTM, "by grid", "proj=hgridshift grids=nowhere.gsb", 0.1)])
    with pytest.raises(InvalidCRS, match=r"'by grid', cannot be used on this machine.*nowhere|proj-data"):
        crs.transform_coordinates(HERE, "OGC:CRS84", UTM)


def test_a_workspace_keeps_its_operations(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        crs.transform_coordinates(HERE, "OGC:CRS84", UTM)
        assert _rows(store) == []  # reading writes nothing
        store.create_project(Project("p", "P", UTM, CLASSES))
        assert sorted((r["source"], r["target"]) for r in _rows(store)) == [(UTM, "OGC:CRS84"), ("OGC:CRS84", UTM)]
        store.create_project(Project("q", "Q", UTM, CLASSES))
        assert len(_rows(store)) == 2
        with store._write() as (connection, _):
            [there] = [r for r in _rows(store) if r["source"] == "OGC:CRS84"]
            shifted = f"{there['pipeline']} step proj=affine xoff=1000"
            connection.execute(
                sa.update(tables.operations).where(tables.operations.c.source == "OGC:CRS84").values(pipeline=shifted)
            )
    plain = crs.transform_coordinates(HERE, "OGC:CRS84", UTM)
    with open_store(tmp_path):
        assert np.allclose(crs.transform_coordinates(HERE, "OGC:CRS84", UTM) - plain, (1000, 0), atol=1e-6)
    assert np.array_equal(crs.transform_coordinates(HERE, "OGC:CRS84", UTM), plain)


def test_a_crs_that_is_long_to_write_is_kept_too(tmp_path: Path) -> None:
    wkt = crs.to_wkt("EPSG:2056").replace("CH1903+ / LV95", "a grid of our own").replace("46.95", "46.96")
    own = crs.normalise(wkt)
    assert len(own) > 500
    place = np.array([[7.5, 47.0]])
    with open_store(tmp_path, create=True) as store:
        there = crs.transform_coordinates(place, "OGC:CRS84", own)
        store.create_project(Project("p", "P", own, CLASSES))
        assert all(len(r["source"]) <= 500 and len(r["target"]) <= 500 for r in _rows(store))
    with open_store(tmp_path):
        assert np.array_equal(crs.transform_coordinates(place, "OGC:CRS84", own), there)


def _rows(store) -> list[sa.RowMapping]:
    with store._read() as connection:
        return list(connection.execute(sa.select(tables.operations).order_by(tables.operations.c.key)).mappings())


def test_many_threads_go_one_way(book: Notes) -> None:
    xy = np.random.default_rng(1).uniform((30, -1), (36, 1), (20_000, 2))
    results: list[np.ndarray] = []

    def work() -> None:
        for target in ("EPSG:32636", "EPSG:3857", "EPSG:3035"):
            there = crs.transform_coordinates(xy, "OGC:CRS84", target)
            results.append(crs.transform_coordinates(there, target, "OGC:CRS84"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 24
    assert len(book.kept) == 6
    assert max(np.abs(r - xy).max() for r in results) < 1e-8
