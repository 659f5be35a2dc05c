"""The live file as other programs see it: GDAL (through pyogrio) and plain sqlite3."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import CRS
from shapely.geometry import LineString, Point, box

from geolabel.classes import make_classes
from geolabel.model import AnnotationPatch, NewAnnotation, Project, Provenance, Status
from geolabel.store import Store, blob, open_store, tables
from geolabel.store.guard import SENTENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

X, Y = 733_700.123456789, 3_725_000.987654321
MOON = (
    'GEOGCRS["Moon 2000",DATUM["Moon 2000",ELLIPSOID["Moon 2000",1737400,0,LENGTHUNIT["metre",1]]],'
    'PRIMEM["Reference Meridian",0,ANGLEUNIT["degree",0.0174532925199433]],CS[ellipsoidal,2],'
    'AXIS["longitude",east,ORDER[1],ANGLEUNIT["degree",0.0174532925199433]],'
    'AXIS["latitude",north,ORDER[2],ANGLEUNIT["degree",0.0174532925199433]]]'
)
# Derived CRSs came with WKT 2; version 1 cannot say this one.
ROTATED_POLE = CRS.from_cf(
    {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0,
        "north_pole_grid_longitude": 0.0,
    },
).to_wkt("WKT2_2019")


@pytest.fixture
def store(tmp_path: Path, clock) -> Iterator[Store]:
    with open_store(tmp_path / "ws", create=True, now=clock) as opened:
        opened.create_project(Project("landuse", "Land use", "EPSG:32616", make_classes(["water", "forest"])))
        yield opened


@pytest.fixture
def file(store: Store) -> Path:
    return store.folder / "workspace.gpkg"


@pytest.fixture
def sql(file: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection: no functions of ours, no pragmas."""
    connection = sqlite3.connect(file, isolation_level=None)
    yield connection
    connection.close()


def fill(store: Store, count: int = 500) -> list:
    random = np.random.default_rng(7)
    at = random.uniform((X, Y), (X + 1000, Y + 1000), (count, 2))
    shapes = shapely.buffer(shapely.points(at), random.uniform(1, 9, count), quad_segs=3)
    return store.create("landuse", [NewAnnotation(s, ("water", "forest")[i % 2]) for i, s in enumerate(shapes)])


def test_gdal_reads_what_we_wrote(store, file):
    provenance = Provenance("model:unet@3", 0.25, "scene-a", "Zoë")
    given = NewAnnotation(box(X, Y, X + 1, Y + 1), "water", "tief", Status.SUGGESTED, provenance)
    made = [*store.create("landuse", [given]), *fill(store)]
    layers = pyogrio.list_layers(file).tolist()
    assert layers[0] == ["landuse", "Unknown"]
    assert ["landuse.coverage", "Unknown"] in layers
    assert all(kind is None for name, kind in layers if name.startswith("geolabel_"))
    frame = pyogrio.read_dataframe(file, layer="landuse", fid_as_index=True)
    assert frame.crs.to_epsg() == 32616
    assert frame.index.tolist() == [a.id for a in made]
    assert frame.geometry.to_wkb().tolist() == [a.geometry.wkb for a in made]
    first = frame.iloc[0]
    assert (first["class"], first.note, first.status, first.source) == ("water", "tief", "suggested", "model:unet@3")
    assert (first.confidence, first.scene, first.author, first.version) == (0.25, "scene-a", "Zoë", 1)
    assert first.created_at.isoformat(timespec="milliseconds") == made[0].created_at.replace("Z", "+00:00")
    assert pyogrio.read_info(file, layer="landuse")["layer_metadata"]["DESCRIPTION"] == "Land use"


def test_gdal_filters_through_our_index(store, file):
    made = fill(store)
    store.update("landuse", 1, AnnotationPatch(geometry=box(X - 500, Y, X - 490, Y + 5)))
    store.delete("landuse", 2)
    bbox = (X + 100, Y + 100, X + 400, Y + 300)
    ids = pyogrio.read_dataframe(file, layer="landuse", bbox=bbox, fid_as_index=True).index.tolist()
    assert sorted(ids) == [a.id for a in store.query("landuse", bbox=bbox)]
    assert 10 < len(ids) < len(made) / 2
    moved = pyogrio.read_dataframe(file, layer="landuse", bbox=(X - 600, Y, X - 480, Y + 9), fid_as_index=True)
    assert moved.index.tolist() == [1]


def test_index_and_file_stay_sound(store, sql):
    fill(store)
    for id_ in range(1, 200, 3):
        store.update("landuse", id_, AnnotationPatch(geometry=Point(X, Y + id_)))
        store.delete("landuse", id_ + 1)
    store.replace("landuse", 2, NewAnnotation(LineString([(X, Y), (X + 5, Y + 5)]), "water"))
    assert sql.execute("SELECT rtreecheck('rtree_landuse_geom')").fetchone() == ("ok",)
    assert sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert sql.execute("PRAGMA foreign_key_check").fetchall() == []
    indexed = {id_: box_ for id_, *box_ in sql.execute("SELECT id, minx, miny, maxx, maxy FROM rtree_landuse_geom")}
    current = {a.id: a.geometry.bounds for a in store.query("landuse")}
    assert indexed.keys() == current.keys()
    for id_, (x0, y0, x1, y1) in current.items():
        low_x, low_y, high_x, high_y = indexed[id_]
        assert low_x <= x0 <= x1 <= high_x
        assert low_y <= y0 <= y1 <= high_y


def test_the_extent_is_that_of_the_exact_coordinates(store, sql):
    def extent():
        return sql.execute(
            "SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = 'landuse'"
        ).fetchone()

    def expected():
        shapes = [a.geometry for a in store.query("landuse")]
        return tuple(shapely.total_bounds(shapes).tolist()) if shapes else (None,) * 4

    assert extent() == expected()
    fill(store, 60)
    assert extent() == expected()
    random = np.random.default_rng(3)
    for id_ in random.permutation(60)[:40] + 1:
        store.delete("landuse", int(id_))
        assert extent() == expected()
    for annotation in store.query("landuse")[:15]:
        store.update(
            "landuse", annotation.id, AnnotationPatch(geometry=Point(*random.uniform((X, Y), (X + 2e3, Y + 2e3))))
        )
        assert extent() == expected()
    for annotation in store.query("landuse"):
        store.delete("landuse", annotation.id)
    assert extent() == expected() == (None,) * 4


def test_the_time_of_change_is_kept(store, sql):
    def last_change():
        return sql.execute("SELECT last_change FROM gpkg_contents WHERE table_name = 'landuse'").fetchone()[0]

    made = store.create("landuse", [NewAnnotation(Point(0, 0), "water")])[0]
    assert last_change() == made.created_at
    assert re.fullmatch(r"2024-05-01T12:\d\d:\d\d\.000Z", made.created_at)
    updated = store.update("landuse", 1, AnnotationPatch(note="x"))
    assert last_change() == updated.updated_at > made.created_at
    deleted = store.delete("landuse", 1)
    assert last_change() == deleted.at > updated.updated_at


def test_the_file_says_what_the_standard_asks_for(store, sql):
    """Requirements of OGC 12-128r18 that GDAL does not insist on."""
    fill(store, 3)
    store.update("landuse", 1, AnnotationPatch(note="x"))
    assert sql.execute("PRAGMA application_id").fetchone()[0] == 0x47504B47
    assert sql.execute("PRAGMA user_version").fetchone()[0] == 10300
    assert sql.execute("PRAGMA encoding").fetchone()[0] == "UTF-8"
    rows = dict(sql.execute("SELECT srs_id, organization FROM gpkg_spatial_ref_sys"))
    assert rows == {-1: "NONE", 0: "NONE", 4326: "EPSG", 32616: "EPSG"}
    contents = dict(sql.execute("SELECT table_name, data_type FROM gpkg_contents"))
    assert contents.pop("landuse") == contents.pop("landuse.coverage") == "features"
    assert set(contents.values()) == {"attributes"}
    known = {"INTEGER", "TEXT", "DOUBLE", "BLOB", "BOOLEAN", "DATETIME", "GEOMETRY"}
    for table in ("landuse", *contents):
        columns = sql.execute(f"PRAGMA table_info('{table}')").fetchall()
        assert [(type_, key) for _, _, type_, _, _, key in columns if key] == [("INTEGER", 1)], table
        assert {type_ for _, _, type_, *_ in columns} <= known, table
    assert sql.execute("SELECT * FROM gpkg_geometry_columns").fetchall() == [
        (name, "geom", "GEOMETRY", 32616, 2, 0) for name in ("landuse", "landuse.coverage")
    ]
    extensions = sql.execute("SELECT table_name, column_name, extension_name, scope FROM gpkg_extensions").fetchall()
    assert ("landuse", "geom", "gpkg_rtree_index", "write-only") in extensions
    triggers = {
        name
        for (name,) in sql.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'landuse'")
    }
    assert {
        f"rtree_landuse_geom_{n}" for n in ("insert", "update1", "update2", "update3", "update4", "delete")
    } < triggers
    for (given,) in sql.execute("SELECT geom FROM landuse"):
        assert given[:4] == b"GP\x00\x03"
        assert int.from_bytes(given[4:8], "little") == 32616
        assert (
            np.frombuffer(given, "<f8", 4, 8).tolist()
            == np.array(shapely.from_wkb(given[40:]).bounds)[[0, 2, 1, 3]].tolist()
        )


@pytest.mark.parametrize(
    ("crs", "row"),
    [
        ("EPSG:4326", (4326, "EPSG", 4326)),
        ("OGC:CRS84", (4326, "EPSG", 4326)),
        ("EPSG:32738", (32738, "EPSG", 32738)),
        ("EPSG:3413", (3413, "EPSG", 3413)),
        ("ESRI:102001", (100_000, "ESRI", 102001)),
        ("IAU_2015:49900", (100_000, "IAU_2015", 49900)),
        (MOON, (100_000, "NONE", 100_000)),
        (ROTATED_POLE, (100_000, "NONE", 100_000)),
        (None, (-1, "NONE", -1)),
    ],
    ids=lambda value: str(value)[:20],
)
def test_any_crs(store, file, sql, crs, row):
    """Also CRSs of one's own and of other bodies: GDAL reads them back as the same."""
    for name in ("one", "two"):
        store.create_project(Project(name, name, crs, make_classes(["any"])))
        store.create(name, [NewAnnotation(Point(1.5, 2.5), "any")])
    found = sql.execute(
        "SELECT srs_id, organization, organization_coordsys_id FROM gpkg_geometry_columns JOIN gpkg_spatial_ref_sys USING (srs_id) "
        "WHERE table_name IN ('one', 'two')",
    ).fetchall()
    assert found == [row] * 2, "one row for one CRS"
    assert store.project("one").crs == crs
    read = pyogrio.read_dataframe(file, layer="one")
    assert read.geometry.iloc[0] == Point(1.5, 2.5)
    if crs is None:
        assert read.crs is None or "Undefined" in read.crs.name
    else:
        assert CRS(read.crs).equals(CRS(crs), ignore_axis_order=True)


@pytest.mark.parametrize("program", ["gdal", "sqlite3"])
def test_a_foreign_write_is_refused_with_a_sentence(store, file, sql, program):
    fill(store, 5)
    before = store.query("landuse")
    if program == "gdal":
        frame = pyogrio.read_dataframe(file, layer="landuse").iloc[:1]
        with pytest.raises(Exception, match=re.escape(SENTENCE[:60])):
            pyogrio.write_dataframe(frame, file, layer="landuse", append=True)
    else:
        blob.register_functions(sql)
        columns = ", ".join(tables.STATE[1:])
        for statement in (
            f"INSERT INTO landuse SELECT 99, {columns} FROM landuse WHERE id = 1",
            "UPDATE landuse SET class = 'forest'",
            "UPDATE landuse SET geom = NULL WHERE id = 2",
            "DELETE FROM landuse WHERE id = 1",
            "REPLACE INTO landuse SELECT * FROM landuse",
            "DELETE FROM geolabel_projects",
            "UPDATE geolabel_scenes SET href = 'x'",
            "INSERT INTO geolabel_changesets (at) VALUES ('2024-01-01')",
        ):
            if "scenes" in statement:
                store.add_scene(_scene())
            with pytest.raises(sqlite3.IntegrityError) as caught:
                sql.execute(statement)
            assert str(caught.value) == SENTENCE
    assert store.query("landuse") == before
    assert len(store.create("landuse", [NewAnnotation(Point(0, 0), "water")])) == 1


def _scene():
    from geolabel.model import Band, Grid, Scene

    return Scene("scene-a", "/a.tif", Grid(None, (1, 0, 0, 0, 1, 0), 1, 1), (Band(1, "uint8", "Band 1"),), "1")


def test_nobody_else_ever_sees_the_guard_lifted(store, sql):
    fill(store, 2)
    with store._write() as (connection, _):
        assert connection.exec_driver_sql("SELECT open FROM geolabel_guard").scalar() == 1
        assert sql.execute("SELECT open FROM geolabel_guard").fetchone() == (0,)
    assert sql.execute("SELECT open FROM geolabel_guard").fetchone() == (0,)
    with pytest.raises(RuntimeError), store._write():
        raise RuntimeError
    assert sql.execute("SELECT open FROM geolabel_guard").fetchone() == (0,)


def test_one_file_is_left(store, file):
    fill(store, 5)
    assert {f.name for f in store.folder.iterdir()} == {"workspace.gpkg", "workspace.gpkg-shm", "workspace.gpkg-wal"}
    store.close()
    assert [f.name for f in store.folder.iterdir()] == ["workspace.gpkg"]
    assert len(pyogrio.read_dataframe(file, layer="landuse")) == 5


def test_every_connection_is_durable(store):
    with store._read() as one, store._read() as two:
        for connection in (one, two):
            pragmas = {
                p: connection.exec_driver_sql(f"PRAGMA {p}").scalar()
                for p in ("journal_mode", "synchronous", "foreign_keys")
            }
            assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_blobs_of_other_programs_are_read():
    """GDAL writes points without an envelope; other writers use big-endian headers and 3D envelopes."""
    line = LineString([(1, 2, 3), (4, 6, 8)])
    header = b"GP\x00"
    point = header + b"\x01" + (4326).to_bytes(4, "little") + Point(3, 4).wkb
    wide = header + b"\x04" + (4326).to_bytes(4, "big") + np.array([1, 4, 2, 6, 3, 8], ">f8").tobytes()
    wide += shapely.to_wkb(line, byte_order=0, flavor="iso")
    empty = header + b"\x11" + bytes(4) + shapely.to_wkb(LineString())
    assert blob.decode([point, wide]).tolist() == [Point(3, 4), line]
    assert (blob.envelope(point), blob.envelope(wide)) == ((3, 3, 4, 4), (1, 4, 2, 6))
    assert [blob.is_empty(b) for b in (point, wide, empty, None)] == [0, 0, 1, None]
