"""A workspace in PostGIS as the database's owner, other programs and other roles see it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
import shapely
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pyproj import CRS
from shapely.geometry import GeometryCollection, LineString, Point, Polygon, box

from geolabel.classes import make_classes
from geolabel.errors import InvalidInput, NotFound, StoreFailed, TooSlow
from geolabel.model import AnnotationPatch, NewAnnotation, Project
from geolabel.store import annotations, open_store, postgis, postgres, tables
from geolabel.store.dialect import spatial
from geolabel.store.guard import SENTENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geolabel.store import Store

pytestmark = pytest.mark.postgis

X, Y = 733_700.123456789, 3_725_000.987654321
MOON = (
    'GEOGCRS["Moon 2000",DATUM["Moon 2000",ELLIPSOID["Moon 2000",1737400,0,LENGTHUNIT["metre",1]]],'
    'PRIMEM["Reference Meridian",0,ANGLEUNIT["degree",0.0174532925199433]],CS[ellipsoidal,2],'
    'AXIS["longitude",east,ORDER[1],ANGLEUNIT["degree",0.0174532925199433]],'
    'AXIS["latitude",north,ORDER[2],ANGLEUNIT["degree",0.0174532925199433]]]'
)


@pytest.fixture
def url(postgis_workspace: Callable[[], str]) -> str:
    return postgis_workspace()


@pytest.fixture
def store(url: str, clock) -> Iterator[Store]:
    with open_store(url, now=clock) as opened:
        opened.create_project(Project("landuse", "Land use, 100%", "EPSG:32616", make_classes(["water", "forest"])))
        yield opened


@pytest.fixture
def sql(url: str) -> Iterator[psycopg.Connection]:
    """Another program's connection."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def water(geometry=None) -> NewAnnotation:
    return NewAnnotation(Point(X, Y) if geometry is None else geometry, "water")


def fill(store: Store, count: int = 500) -> list:
    random = np.random.default_rng(7)
    at = random.uniform((X, Y), (X + 1000, Y + 1000), (count, 2))
    shapes = shapely.buffer(shapely.points(at), random.uniform(1, 9, count), quad_segs=3)
    return store.create("landuse", [NewAnnotation(s, ("water", "forest")[i % 2]) for i, s in enumerate(shapes)])


# What is in the database


def test_all_that_is_ours_is_in_one_schema(store, sql):
    fill(store, 5)
    found = sql.execute(
        "SELECT DISTINCT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE relname IN ('landuse', 'landuse.coverage', 'alembic_version') OR relname LIKE 'geolabel%'"
    ).fetchall()
    assert found == [("geolabel",)]
    sql.execute("DROP SCHEMA geolabel CASCADE")
    left = sql.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE nspname = 'public' AND relkind IN ('r', 'S') AND relname <> 'spatial_ref_sys'"
    ).fetchall()
    assert left == []


def test_head_makes_our_tables(url):
    path = {"options": "-csearch_path=geolabel,public"}
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), connect_args=path)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name in tables.metadata.tables,
            },
        )
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_other_programs_read_what_we_wrote(store, sql):
    line = LineString([(X, Y, -0.0), (X + 1, Y, 5e-324)])
    made = [*fill(store, 20), *store.create("landuse", [water(line)])]
    rows = sql.execute("SELECT id, ST_AsBinary(geom), class, version FROM geolabel.landuse ORDER BY id").fetchall()
    assert rows == [(a.id, shapely.to_wkb(a.geometry, flavor="iso"), a.class_name, 1) for a in made]
    column = "SELECT f_geometry_column, srid, type FROM geometry_columns WHERE f_table_name = 'landuse'"
    assert sql.execute(column).fetchall() == [("geom", 32616, "GEOMETRY")]
    title = "SELECT obj_description('geolabel.landuse'::regclass)"
    assert sql.execute(title).fetchone() == ("Land use, 100%",)
    sql.execute("SET geolabel.writing = 'on'")
    with pytest.raises(psycopg.errors.CheckViolation):
        sql.execute("UPDATE geolabel.landuse SET geom = ST_SetSRID(geom, 4326) WHERE id = 1")


def test_the_index_serves(store, sql):
    fill(store, 3000)
    sql.execute("ANALYZE geolabel.landuse")
    table = tables.features("landuse")
    for condition in (
        postgis.PostGIS().overlapping(table, (X, Y, X + 30, Y + 30)),
        postgis.PostGIS().within(table, (X, Y, X + 30, Y + 30)),
        postgis.PostGIS().relates(table, "intersects", box(X, Y, X + 30, Y + 30), 32616),
    ):
        with store._read() as connection:
            select = table.select().where(condition).compile(connection)
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {select}", select.params).scalars())
        assert "Index" in plan, plan
        assert "&&" in plan or "@" in plan, plan


def test_the_extent_is_that_of_the_exact_coordinates(store):
    def expected():
        shapes = [a.geometry for a in store.query("landuse")]
        return tuple(shapely.total_bounds(shapes).tolist()) if shapes else None

    assert store.extent("landuse") == expected()
    fill(store, 60)
    random = np.random.default_rng(3)
    for id_ in random.permutation(60)[:40] + 1:
        store.delete("landuse", int(id_))
        assert store.extent("landuse") == expected()
    for annotation in store.query("landuse")[:15]:
        moved = Point(*random.uniform((X, Y), (X + 2e3, Y + 2e3)))
        store.update("landuse", annotation.id, AnnotationPatch(geometry=moved))
        assert store.extent("landuse") == expected()
    for annotation in store.query("landuse"):
        store.delete("landuse", annotation.id)
    assert store.extent("landuse") is expected() is None


def test_a_box_rounded_inwards_lies_in_the_box():
    random = np.random.default_rng(1)
    for scale in (1e-30, 1.0, 1e6, 3e38, 1e300):
        for low, high in random.uniform(-scale, scale, (200, 2, 2)):
            bbox = (*np.minimum(low, high).tolist(), *np.maximum(low, high).tolist())
            inner = postgis._inwards(bbox)
            if inner is not None:
                assert shapely.box(*bbox).covers(shapely.box(*inner))
                assert np.array(inner, dtype=np.float32).astype(float).tolist() == list(inner)
    assert postgis._inwards((X, Y, X, Y)) is None, "no float32 in it"
    assert postgis._inwards((0.5, 0.25, 0.5, 0.25)) == (0.5, 0.25, 0.5, 0.25)


@pytest.mark.parametrize(
    ("crs", "srid"),
    [
        ("EPSG:4326", 4326),
        ("OGC:CRS84", 4326),
        ("EPSG:32738", 32738),
        ("ESRI:102001", 102001),
        ("IAU_2015:49900", 910_000),
        (MOON, 910_000),
        (None, 0),
    ],
    ids=lambda value: str(value)[:20],
)
def test_any_crs(store, sql, crs, srid):
    """Also CRSs of one's own and of other bodies: they get a row in the range that PostGIS leaves to its users."""
    for name in ("one", "two"):
        store.create_project(Project(name, name, crs, make_classes(["any"])))
        store.create(name, [NewAnnotation(Point(1.5, 2.5), "any")])
        assert sql.execute(f"SELECT ST_SRID(geom), ST_AsText(geom) FROM geolabel.{name}").fetchall() == [
            (srid, "POINT(1.5 2.5)")
        ]
    assert store.project("one").crs == crs
    rows = sql.execute("SELECT auth_name, auth_srid, srtext FROM spatial_ref_sys WHERE srid = %s", (srid,)).fetchall()
    if crs is None:
        assert rows == []
    else:
        assert CRS(rows[0][2]).equals(CRS(crs), ignore_axis_order=True)
    if srid == 32738:
        metres = sql.execute("SELECT ST_X(ST_Transform(ST_SetSRID(ST_Point(45, -10), 4326), 32738))").fetchone()[0]
        assert metres == pytest.approx(500_000)


@pytest.mark.parametrize("name", ["geometry", "spatial_ref_sys", "landuse_pkey", "st_makeenvelope", "alembic-version"])
def test_names_that_postgis_uses_itself(store, name):
    store.create_project(Project(name, name, "EPSG:32616", make_classes(["water"])))
    store.create_project(Project("later", "Later", MOON, make_classes(["water"])))
    made = store.create(name, [water(), water()])
    store.create("later", [water(Point(1, 2))])
    store.delete(name, 2)
    assert store.query(name, bbox=(X, Y, X + 1, Y + 1)) == made[:1]
    store.delete_project(name)


# Other writers


def test_a_foreign_write_is_refused_with_a_sentence(store, sql):
    fill(store, 5)
    before = store.query("landuse")
    columns = ", ".join(f'"{name}"' for name in tables.STATE[1:])
    for statement in (
        f"INSERT INTO landuse (id, {columns}) SELECT 99, {columns} FROM landuse WHERE id = 1",
        "UPDATE landuse SET class = 'forest'",
        "DELETE FROM landuse WHERE id = 1",
        "TRUNCATE landuse",
        "DELETE FROM geolabel_projects",
        "UPDATE geolabel_layers SET last_id = 0",
        "INSERT INTO geolabel_changesets (at) VALUES ('2024-01-01')",
        "UPDATE geolabel_snapshots SET hash = ''",
    ):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation) as caught:
            sql.execute(f"SET search_path = geolabel, public; {statement}")
        assert caught.value.diag.message_primary == SENTENCE
    assert store.query("landuse") == before
    assert len(store.create("landuse", [water()])) == 1


def test_nobody_else_ever_may_write_because_we_do(store, sql):
    with store._write() as (connection, _):
        assert connection.exec_driver_sql("SELECT current_setting('geolabel.writing', true)").scalar() == "on"
        assert sql.execute("SELECT current_setting('geolabel.writing', true)").fetchone()[0] in {None, ""}
    with store._read() as connection:
        assert connection.exec_driver_sql("SELECT current_setting('geolabel.writing', true)").scalar() != "on"


def test_one_writes_at_a_time_and_the_others_wait_or_hear_why(url, store, monkeypatch):
    monkeypatch.setattr(postgres, "BUSY_SECONDS", 0.3)
    with open_store(url) as other:
        with other._write():
            with pytest.raises(StoreFailed, match="is being written to by another program for longer than we wait"):
                store.create("landuse", [water()])
            assert store.count("landuse") == 0, "reading goes on"
        assert store.create("landuse", [water()])[0].id == 1


def test_change_sets_are_numbered_in_the_order_of_their_commits(url, store):
    """A slow writer that began first has the lower number, and nobody sees a higher one before."""
    seen: list[int] = []
    with open_store(url) as other:
        done = threading.Event()

        def write() -> None:
            for _ in range(10):
                other.create("landuse", [water()])
            done.set()

        with store._write() as (connection, at):
            annotations.create(connection, "landuse", [water()], at=at, author="slow")
            writer = threading.Thread(target=write)
            writer.start()
            time.sleep(0.2)
            assert other.changes() == 0
        while not done.is_set():
            seen.append(other.changes())
        writer.join()
    assert seen == sorted(seen)
    assert store.changes() == 11
    assert store.history("landuse", 1)[0].author == "slow"
    with pytest.raises(ZeroDivisionError), store._write() as (connection, at):
        assert 1 / (annotations.create(connection, "landuse", [water()], at=at, author=None)[0].id - 12)
    assert store.create("landuse", [water()])[0].id == 12, "a change that failed leaves no gap"
    assert store.changes() == 12


def test_readers_see_one_snapshot_and_cannot_write(store):
    store.create("landuse", [water()])
    with store._read() as connection:
        levels = connection.exec_driver_sql(
            "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"
        ).one()
        assert tuple(levels) == ("repeatable read", "on")
    with store._write() as (connection, _):
        levels = connection.exec_driver_sql(
            "SELECT current_setting('transaction_isolation'), current_setting('synchronous_commit')"
        ).one()
        assert tuple(levels) == ("read committed", "on")


# What goes wrong


def test_a_question_that_takes_too_long_is_stopped(store):
    with (
        pytest.raises(TooSlow, match="took longer than it may and was stopped: ask for a smaller area"),
        store._read() as connection,
        spatial(connection).time_limit(connection, 0.2),
    ):
        connection.exec_driver_sql("SELECT pg_sleep(20)")
    with store._read() as connection, spatial(connection).time_limit(connection, 0.2):
        connection.exec_driver_sql("SELECT 1")
    with store._write() as (connection, _):
        assert connection.exec_driver_sql("SELECT current_setting('statement_timeout')").scalar() == "0"


def test_text_and_numbers_that_no_row_can_hold(store):
    for ask in (lambda: store.project("a\0b"), lambda: store.scene("a\0b"), lambda: store.query("a\0b")):
        with pytest.raises(NotFound):
            ask()
    with pytest.raises(InvalidInput, match="A text holds a NUL character"), store._read() as connection:
        connection.execute(tables.scenes.select().where(tables.scenes.c.href == "a\0b"))
    with (
        pytest.raises(InvalidInput, match="A whole number is larger than a database can hold"),
        store._write() as (connection, _),
    ):
        connection.execute(tables.projects.update().values(coverage_of=2**70))


def test_the_server_goes_and_comes_back(postgres, store):
    """Not a query is lost to it but those at that moment, and nobody starts us anew."""
    fill(store, 5)
    reader = store.batches("landuse", size=2)
    assert next(reader).ids.tolist() == [1, 2]
    postgres.stop()
    try:
        with pytest.raises(StoreFailed, match="has lost its connection to the server"):
            next(reader)
        for ask in (lambda: store.count("landuse"), lambda: store.create("landuse", [water()])):
            with pytest.raises(StoreFailed, match=r"cannot be reached: .*onnection refused"):
                ask()
    finally:
        postgres.start()
    assert store.count("landuse") == 5
    assert store.create("landuse", [water()])[0].id == 6


def test_a_connection_that_is_cut_in_mid_write(store, sql):
    def write() -> None:
        with store._write() as (connection, _):
            connection.execute(tables.changesets.insert().values(at="2024-01-01"))
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            sql.execute("SELECT pg_terminate_backend(%s)", (pid,))

    with pytest.raises(StoreFailed, match="has lost its connection to the server: look whether the change is there"):
        write()
    assert store.changes() == 0
    assert store.create("landuse", [water()])[0].id == 1


def test_more_readers_than_connections(url, monkeypatch):
    monkeypatch.setenv("GEOLABEL_POOL_SIZE", "1")
    monkeypatch.setattr(postgres, "BUSY_SECONDS", 0.2)
    with (
        open_store(url) as store,
        store._read(),
        pytest.raises(StoreFailed, match="has more to do than its connections can: try again, or raise GEOLABEL"),
    ):
        store.projects()


def test_a_pool_that_the_server_cannot_serve_is_refused(postgres, url, monkeypatch):
    monkeypatch.setenv("GEOLABEL_POOL_SIZE", "60")
    with pytest.raises(
        InvalidInput,
        match=r"GEOLABEL_POOL_SIZE is 60, so a server and its worker may open 120 connections, but .* allows 97: set it to 48",
    ):
        open_store(url)
    monkeypatch.setenv("GEOLABEL_POOL_SIZE", "10")
    name = url.rsplit("/", 1)[1]
    postgres.sql(f"ALTER DATABASE {name} CONNECTION LIMIT 12")
    try:
        with pytest.raises(InvalidInput, match="allows 12: set it to 6 or less, or raise"):
            open_store(url)
    finally:
        postgres.sql(f"ALTER DATABASE {name} CONNECTION LIMIT -1")


def test_relations_are_those_of_shapely(store):
    """Also of collections, which a filter may meet."""
    shapes = [
        Point(X, Y),
        box(X, Y, X + 4, Y + 4),
        box(X + 4, Y, X + 8, Y + 4),
        LineString([(X, Y), (X + 8, Y + 4)]),
        Polygon([(X, Y), (X + 9, Y), (X + 9, Y + 9)], [[(X + 5, Y + 1), (X + 6, Y + 1), (X + 6, Y + 2)]]),
        GeometryCollection([Point(X + 1, Y + 1), box(X + 2, Y, X + 3, Y + 1)]),
    ]
    made = store.create("landuse", [water(s) for s in shapes])
    table = tables.features("landuse")
    for other in shapes:
        for predicate in ("intersects", "equals", "touches", "within", "overlaps", "crosses", "contains"):
            with store._read() as connection:
                condition = spatial(connection).relates(table, predicate, other, 32616)
                found = connection.execute(table.select().where(condition).order_by(table.c.id)).mappings().all()
            expected = [a.id for a in made if getattr(shapely, predicate)(a.geometry, other)]
            assert [row["id"] for row in found] == expected, (predicate, other.wkt)


def test_a_dump_of_the_database_is_a_backup(postgres, url, store):
    """As docs/postgis.md says: by PostgreSQL's own programs, with the CRSs that we added."""
    fill(store, 50)
    store.create_project(Project("moon", "Moon", MOON, make_classes(["crater"])))
    store.create("moon", [NewAnnotation(Point(1, 2), "crater")])
    store.update("landuse", 7, AnnotationPatch(note="x"))
    postgres.run("pg_dump", "--format=custom", "--file=labels.dump", url)
    postgres.sql("CREATE DATABASE restored")
    try:
        postgres.run("pg_restore", "--no-owner", f"--dbname={postgres.url}/restored", "labels.dump")
        with open_store(f"{postgres.url}/restored") as restored:
            for project in ("landuse", "moon"):
                assert restored.query(project) == store.query(project)
                assert restored.extent(project) == store.extent(project)
            assert restored.history("landuse", 7) == store.history("landuse", 7)
            assert restored.create("landuse", [water()])[0].id == 51
            assert restored.changes() == store.changes() + 1
            srid = "SELECT srtext FROM spatial_ref_sys JOIN geolabel_projects ON srs_id = srid WHERE id = 'moon'"
            with restored._read() as connection:
                assert CRS(connection.exec_driver_sql(srid).scalar()) == CRS(MOON)
        with (
            psycopg.connect(f"{postgres.url}/restored", autocommit=True) as connection,
            pytest.raises(psycopg.errors.IntegrityConstraintViolation),
        ):
            connection.execute("DELETE FROM geolabel.landuse")
    finally:
        postgres.sql("DROP DATABASE restored WITH (FORCE)")


def test_postgis_may_be_in_any_schema(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLABEL_DATA_DIR", str(tmp_path))
    postgres.sql("CREATE DATABASE elsewhere")
    try:
        postgres.sql('CREATE SCHEMA "Gis 3"; CREATE EXTENSION postgis SCHEMA "Gis 3"', "elsewhere")
        with open_store(f"{postgres.url}/elsewhere", create=True) as store:
            store.create_project(Project("landuse", "Land use", MOON, make_classes(["water"])))
            made = store.create("landuse", [water(), water(box(0, 0, 1, 1))])
            assert store.query("landuse", bbox=(0, 0, 1, 1)) == made[1:]
            store.delete("landuse", 1)
            assert store.extent("landuse") == (0, 0, 1, 1)
    finally:
        postgres.sql("DROP DATABASE elsewhere WITH (FORCE)")
