"""Opening a workspace in PostGIS: making, migrating, refusing; what the server must allow."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from shapely.geometry import Point

import geolabel
from geolabel.classes import make_classes
from geolabel.errors import GeolabelError, InvalidInput, NotFound, StoreFailed
from geolabel.model import NewAnnotation, Project
from geolabel.settings import load_settings
from geolabel.store import migrations, open_store
from geolabel.store.opening import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.postgis

REPO = Path(__file__).resolve().parents[2]


numbers = count(1)


@pytest.fixture
def url(postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a database with nothing in it."""
    monkeypatch.setenv("GEOLABEL_DATA_DIR", str(tmp_path / "data"))
    name = f"empty_{next(numbers)}"
    postgres.sql(f"CREATE DATABASE {name}")
    yield f"{postgres.url}/{name}"
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def role(postgres, url: str) -> Iterator[str]:
    """The URL of the same database for somebody who may only connect; its `public` schema has PostGIS."""
    name = url.rsplit("/", 1)[1]
    postgres.sql("CREATE EXTENSION postgis", name)
    postgres.sql("CREATE ROLE ann LOGIN")
    yield url.replace("postgres@", "ann:s3cret@")
    postgres.sql("DROP OWNED BY ann CASCADE; DROP ROLE ann", name)


def sql(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_made_once_then_opened(url):
    with pytest.raises(
        NotFound, match=r"There is no workspace in postgresql://postgres@.*empty_\d+. `geolabel init -w"
    ):
        open_store(url)
    assert sql(url, "SELECT count(*) FROM pg_namespace WHERE nspname = 'geolabel'") == [(0,)], "looking makes nothing"
    for location in (
        url,
        url,
        url.replace("postgresql:", "postgresql+psycopg:"),
        url.replace("postgresql:", "postgres:"),
    ):
        with open_store(location, create=True) as store:
            assert store.projects() == []
            assert store.folder == Path(os.environ["GEOLABEL_DATA_DIR"])
            assert store.location == location
    with geolabel.open(url) as workspace:
        assert repr(workspace) == f"<Workspace {url}>"


def test_the_files_have_a_folder_of_their_own_whatever_the_path_to_the_database(url, postgres, tmp_path, monkeypatch):
    monkeypatch.delenv("GEOLABEL_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    database = url.rsplit("/", 1)[1]
    socket = f"postgresql:///{database}?host={postgres.folder}&port={postgres.port}&user=postgres"
    folders = set()
    for location in (url, socket):
        with open_store(location, create=True) as store:
            folders.add(store.folder)
    assert len(folders) == 1
    (folder,) = folders
    assert folder.parent == tmp_path / "home" / "geolabel"
    assert folder.name.startswith(f"{database}-")
    assert folder.is_dir()
    monkeypatch.setenv("GEOLABEL_DATA_DIR", "/proc/nowhere")
    with pytest.raises(
        StoreFailed, match="The folder /proc/nowhere for the files .* cannot be made: .* GEOLABEL_DATA_DIR"
    ):
        open_store(url)


def test_settings_come_from_the_data_folder(url, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLABEL_DATA_DIR", str(tmp_path))
    (tmp_path / "geolabel.toml").write_text("port = 9999\n")
    settings = load_settings(workspace=url)
    assert settings.port == 9999
    assert "postgres@" not in repr(settings)


def test_several_processes_may_make_it_at_once(url):
    code = f"from geolabel.store import open_store; open_store({url!r}, create=True).close()"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(REPO)}) for _ in range(3)
    ]
    assert [p.wait(timeout=100) for p in processes] == [0, 0, 0]
    assert sql(url, "SELECT version_num FROM geolabel.alembic_version") == [(migrations.HEAD,)]


def test_another_programs_tables_are_left_alone(url):
    """Also its record of migrations."""
    sql(
        url, "CREATE TABLE public.alembic_version (version_num text); INSERT INTO public.alembic_version VALUES ('abc')"
    )
    sql(url, "CREATE TABLE public.landuse (id int)")
    with open_store(url, create=True) as store:
        store.create_project(Project("landuse", "Land use", "EPSG:32616", make_classes(["water"])))
        store.create("landuse", [NewAnnotation(Point(0, 0), "water")])
    assert sql(
        url, "SELECT (SELECT version_num FROM public.alembic_version), (SELECT count(*) FROM public.landuse)"
    ) == [("abc", 0)]


def test_a_migration_that_fails_leaves_nothing(url):
    sql(url, "CREATE SCHEMA geolabel; CREATE TABLE geolabel.geolabel_operations (x int)")  # one of the last tables
    with pytest.raises(StoreFailed, match='relation "geolabel_operations" already exists'):
        open_store(url, create=True)
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'geolabel'::regnamespace"
    assert sql(url, tables) == [("geolabel_operations",)]
    assert sql(url, "SELECT count(*) FROM pg_extension WHERE extname = 'postgis'") == [(0,)]


def test_a_newer_workspace_is_refused(url):
    open_store(url, create=True).close()
    sql(url, "UPDATE geolabel.alembic_version SET version_num = '9999'")
    with pytest.raises(StoreFailed, match=r"made by a newer geolabel \(format 9999, this version knows formats up to"):
        open_store(url)


def test_the_documented_grants_are_enough(postgres, url, role):
    """Each is missed with a sentence, and then given."""
    name = url.rsplit("/", 1)[1]
    with pytest.raises(StoreFailed, match="does not allow that to your role: docs/postgis.md lists what it needs"):
        open_store(role, create=True)
    postgres.sql("CREATE SCHEMA geolabel AUTHORIZATION ann", name)
    with open_store(role, create=True) as store:
        store.create_project(Project("landuse", "Land use", "EPSG:32616", make_classes(["water"])))
        assert store.create("landuse", [NewAnnotation(Point(0, 0), "water")])[0].id == 1
        moon = Project("moon", "Moon", "IAU_2015:30100", make_classes(["crater"]))
        with pytest.raises(StoreFailed, match="does not allow that to your role"):
            store.create_project(moon)
        postgres.sql("GRANT INSERT ON spatial_ref_sys TO ann", name)
        store.create_project(moon)
        store.create("moon", [NewAnnotation(Point(0, 0), "crater")])
        store.delete_project("landuse")


def test_without_postgis(postgres, url):
    name = url.rsplit("/", 1)[1]
    postgres.sql(f"CREATE ROLE bob LOGIN; GRANT ALL ON DATABASE {name} TO bob")
    try:
        with pytest.raises(
            StoreFailed, match=r"has no PostGIS, and adding it failed \(permission denied .*CREATE EXTENSION postgis"
        ):
            open_store(url.replace("postgres@", "bob@"), create=True)
    finally:
        postgres.sql("DROP OWNED BY bob; DROP ROLE bob", name)


def test_a_database_that_cannot_hold_every_letter(postgres):
    postgres.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(
            StoreFailed, match="keeps text as LATIN1, which cannot hold every name: make one with CREATE"
        ):
            open_store(f"{postgres.url}/latin", create=True)
    finally:
        postgres.sql("DROP DATABASE latin")


@pytest.mark.parametrize(
    ("location", "error", "message"),
    [
        (
            "postgresql://ann:s3cret@127.0.0.1:1/labels",
            StoreFailed,
            r"postgresql://ann@127.0.0.1:1/labels cannot be reached: ",
        ),
        (
            "postgresql://ann:s3cret@no.such.host.invalid/labels",
            StoreFailed,
            r"ann@no.such.host.invalid/labels cannot be reached",
        ),
        (
            "postgresql:///labels?host=/nowhere&password=s3cret",
            StoreFailed,
            r"The workspace postgresql:///labels cannot be reached",
        ),
        (
            "postgresql://ann:s3cret@ret@127.0.0.1:1/x",
            InvalidInput,
            "URL of the workspace cannot be read: expected postgresql://",
        ),
        ("postgresql://ann:s3cret/x@127.0.0.1/x", InvalidInput, "In a password, write %40 for @, %3A for :, %2F for /"),
        ("postgresql://ann:s3cret@127.0.0.1:port/x", InvalidInput, "URL of the workspace cannot be read"),
        ("postgresql+asyncpg://ann:s3cret@127.0.0.1/x", InvalidInput, "URL of the workspace cannot be read"),
        ("postgresql://ann:s3cret@127.0.0.1/x?colour=red", InvalidInput, "URL of the workspace cannot be read"),
    ],
)
def test_a_database_that_cannot_be_reached(location, error, message):
    """And the password is in no sentence, nor in the trace of the error."""
    for create in (False, True):
        with pytest.raises(error, match=message) as caught:
            open_store(location, create=create)
        assert isinstance(caught.value, GeolabelError)
        trace = "".join(traceback.format_exception(caught.value))
        assert "s3cret" not in "".join(line for line in trace.splitlines() if "open_store(" not in line)


def test_a_database_that_is_not_there(postgres):
    with pytest.raises(StoreFailed, match='cannot be reached: .*database "nowhere" does not exist'):
        open_store(f"{postgres.url}/nowhere", create=True)


def test_the_password_is_shown_nowhere(url):
    secret = url.replace("postgres@", "postgres:s3cret@")
    assert shown(secret) == url
    with open_store(secret, create=True) as store:
        assert store.name == url
        assert store.location == secret, "what a worker is started with"
        store.close()
        with pytest.raises(StoreFailed) as caught:
            store.projects()
        assert "s3cret" not in f"{caught.value}{store!r}"
    command = [sys.executable, "-m", "geolabel", "init", "-w", secret]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "500"})
    assert f"Workspace ready in {url}. Next: geolabel scene add RASTER -w {url}" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


def test_without_the_driver(url):
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from geolabel.cli import main; sys.argv = ['geolabel', 'project', 'list', '-w', sys.argv[1]]; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "A PostGIS workspace needs the database driver psycopg" in said
    assert "pip install 'geolabel[postgis]'" in said
    assert "Traceback" not in said
