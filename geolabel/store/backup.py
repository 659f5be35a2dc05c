"""A workspace as one file: written while edits go on, proven by content hashes, restored into a new place.

A backup is the GeoPackage itself, out of one snapshot and without a log beside it, so that QGIS and GDAL open it, too. Two
tables more carry the manifest and the few small files that the workspace needs (settings, bodies of imports that wait).
Imagery, caches and exported datasets are not in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geolabel.errors import AlreadyExists, InvalidInput, NotFound, StorageFull, StoreFailed
from geolabel.settings import is_url
from geolabel.store.blob import register_functions
from geolabel.store.opening import FILE_NAME
from geolabel.store.room import check_room, free_bytes, megabytes
from geolabel.store.sums import TableSum, damage, table_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]

FORMAT = 1
_OWN = ("geolabel_backup", "geolabel_backup_files")
_SETTINGS = "geolabel.toml"
_IMPORTS = "imports"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    Attributes:
        created_at: RFC 3339, the moment of the snapshot.
        geolabel: version of the software that wrote it.
        revision: of the tables' form.
        tables: rows and content hash of each table of the file, by name.
        files: SHA-256 of each small file beside the database, by its path in the workspace.
        projects: number of annotations of each project, by its id.
        format: of the backup.
    """

    created_at: str
    geolabel: str
    revision: str
    tables: dict[str, TableSum]
    files: dict[str, str]
    projects: dict[str, int]
    format: int = field(default=FORMAT)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Manifest:
        """From what `to_json` gives."""
        tables = {name: TableSum(**found) for name, found in value["tables"].items()}
        return cls(**{**value, "tables": tables})


def write(store: Store, file: Path, *, at: str, overwrite: bool = False, progress: Progress | None = None) -> Manifest:
    """Back up a workspace that may be in use; the file appears under its name only when it is whole and proven.

    Args:
        store: the workspace. What is in PostGIS is copied into a GeoPackage first.
        file: what to write.
        at: the time.
        overwrite: put it in place of a backup that is there.
        progress: called with a share and a sentence.

    Raises:
        AlreadyExists: something is at `file`.
        StorageFull: there is no room for it.
        StoreFailed: the workspace is damaged, or the copy does not equal it.
    """
    tell = progress or (lambda _share, _message: None)
    file = file.expanduser().absolute()
    _check_free(file, overwrite=overwrite)
    with _beside(file) as staging:
        if is_url(store.location):
            tell(0.01, "Copying out of PostGIS")
            _copy_workspace(store, staging / "workspace")
            source = staging / "workspace" / FILE_NAME
        else:
            source = store.folder / FILE_NAME
        check_room(staging, source.stat().st_size, f"The backup {file.name}")
        partial = staging / file.name
        with _said(file):
            manifest = _copy(source, partial, at=at, folder=store.folder, tell=tell)
            tell(0.8, "Verifying")
            verify(partial)
            _fsync(partial)
            partial.replace(file)
            _fsync(file.parent)
    tell(1.0, f"Wrote {file.name}")
    return manifest


def _copy(source: Path, partial: Path, *, at: str, folder: Path, tell: Progress) -> Manifest:
    with closing(_connect(source, "ro")) as origin, closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        files = _snapshot(origin, folder)
        tell(0.05, "Adding up what is there")
        manifest = _describe(origin, files, at)

        def copied(_status: int, remaining: int, total: int) -> None:
            tell(0.3 + 0.5 * (1 - remaining / max(total, 1)), "Copying")

        # The snapshot is held by `origin` until it is closed, so writers go on and the copy never starts anew.
        origin.backup(copy, pages=5000, progress=copied)
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("PRAGMA synchronous = FULL")
        copy.execute("BEGIN")
        copy.execute("CREATE TABLE geolabel_backup (manifest TEXT NOT NULL)")
        copy.execute("CREATE TABLE geolabel_backup_files (path TEXT PRIMARY KEY, content BLOB NOT NULL)")
        copy.execute("INSERT INTO geolabel_backup VALUES (?)", (json.dumps(manifest.to_json()),))
        copy.executemany("INSERT INTO geolabel_backup_files VALUES (?, ?)", files.items())
        copy.execute("COMMIT")
    return manifest


def _snapshot(origin: sqlite3.Connection, folder: Path) -> dict[str, bytes]:
    """Begin the snapshot; the small files that belong to it."""
    settings = folder / _SETTINGS
    files = {_SETTINGS: settings.read_bytes()} if settings.is_file() else {}
    for _ in range(_ATTEMPTS):
        origin.execute("BEGIN")
        waiting = origin.execute(
            "SELECT params FROM geolabel_jobs WHERE kind IN ('import', 'predictions') AND state IN ('queued', 'running')"
        )
        names = [f"{_IMPORTS}/{Path(json.loads(params)['file']).name}" for (params,) in waiting]
        try:
            return files | {name: (folder / name).read_bytes() for name in names}
        except FileNotFoundError:  # that import has ended since: a newer snapshot has its labels
            origin.execute("ROLLBACK")
    origin.execute("BEGIN")
    return files


def _describe(origin: sqlite3.Connection, files: dict[str, bytes], at: str) -> Manifest:
    from geolabel import __version__  # noqa: PLC0415 (the package's own name is not known while it loads)

    tables = table_sums(origin)
    projects = [id_ for (id_,) in origin.execute("SELECT id FROM geolabel_projects ORDER BY key")]
    (revision,) = origin.execute("SELECT version_num FROM alembic_version").fetchone()
    return Manifest(
        created_at=at,
        geolabel=__version__,
        revision=revision,
        tables=tables,
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        projects={id_: tables[id_].rows for id_ in projects},
    )


def verify(file: Path) -> Manifest:
    """Check every row of a backup against its manifest, and the file's own structure; nothing is changed.

    Raises:
        NotFound: no such file.
        InvalidInput: the file is no backup, or one of a newer geolabel.
        StoreFailed: it is damaged; the sentence says where.
    """
    if not file.is_file():
        raise NotFound(f"There is no backup {file}: expected a file that `geolabel backup` has written.")
    with closing(_connect(file, "ro&immutable=1")) as connection:
        manifest = _read_manifest(connection, file)
        if file.with_name(f"{file.name}-wal").exists():
            raise StoreFailed(
                f"Another program has the backup {file} open (there is a {file.name}-wal): close it there first."
            )
        try:
            found = damage(connection) or _differences(manifest, connection)
        except sqlite3.Error as error:
            found = str(error)
    if found:
        raise StoreFailed(f"The backup {file} is damaged: {found}. Take an older one.")
    return manifest


def _read_manifest(connection: sqlite3.Connection, file: Path) -> Manifest:
    try:
        (text,) = connection.execute("SELECT manifest FROM geolabel_backup").fetchone()
        value = json.loads(text)
    except (sqlite3.Error, TypeError, ValueError) as error:
        if "malformed" in str(error):
            raise StoreFailed(f"The backup {file} is damaged: {error}. Take an older one.") from error
        raise InvalidInput(
            f"The file {file} is not a backup: expected one that `geolabel backup` has written."
        ) from error
    if value.get("format") != FORMAT:
        raise InvalidInput(
            f"The backup {file} was written by a newer geolabel ({value.get('geolabel')}): update geolabel to restore it."
        )
    return Manifest.from_json(value)


def _differences(manifest: Manifest, connection: sqlite3.Connection) -> str | None:
    """The first thing that is not as the manifest says."""
    sums = table_sums(connection, leave_out=_OWN)
    for name, expected in manifest.tables.items():
        got = sums.get(name)
        if got != expected:
            rows = 0 if got is None else got.rows
            return (
                f"table {name} should hold {expected.rows} rows of hash {expected.sha256[:12]}, but holds {rows} others"
            )
    if more := sorted(sums.keys() - manifest.tables.keys()):
        return f"it holds tables that it did not have: {', '.join(more)}"
    files = dict(connection.execute("SELECT path, content FROM geolabel_backup_files"))
    if {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} != manifest.files:
        return "the files in it are not those that were put there"
    return None


def restore(file: Path, location: Path | str, *, progress: Progress | None = None) -> Manifest:
    """Make a workspace out of a backup; it is there as a whole or not at all.

    Args:
        file: what `write` has written.
        location: the new workspace: a folder that is not there yet or empty, or the URL of an empty PostGIS database.
        progress: called with a share and a sentence.

    Raises:
        AlreadyExists: the folder or the database holds something.
        NotFound, InvalidInput, StoreFailed: the backup cannot be used; see `verify`.
        StorageFull: there is no room.
    """
    tell = progress or (lambda _share, _message: None)
    if not is_url(location):
        folder = Path(location).expanduser().absolute()
        _check_empty(folder)
        return _restore(file, folder, tell)
    from geolabel.store.store import open_store  # noqa: PLC0415 (it can write backups, so it knows this module)

    with tempfile.TemporaryDirectory(prefix="geolabel-restore-") as temporary:
        manifest = _restore(file, Path(temporary) / "workspace", tell)
        tell(0.7, "Copying into PostGIS")
        with open_store(Path(temporary) / "workspace") as source:
            _copy_workspace(source, location)
    return manifest


def _copy_workspace(source: Store, target: Path | str) -> None:
    """Into a new one, with the jobs and the files that the waiting ones need."""
    from geolabel.store.copying import copy_workspace  # noqa: PLC0415
    from geolabel.store.store import open_store  # noqa: PLC0415

    with open_store(target, create=True) as copy:
        copy_workspace(source, copy, work=True)
        if is_url(copy.location) and (source.folder / _IMPORTS).is_dir():
            shutil.copytree(source.folder / _IMPORTS, copy.folder / _IMPORTS, dirs_exist_ok=True)


def _restore(file: Path, folder: Path, tell: Progress) -> Manifest:
    tell(0.05, "Verifying the backup")
    manifest = verify(file)
    with _said(folder), _beside(folder) as staging:
        check_room(staging, file.stat().st_size, "The restored workspace")
        tell(0.4, "Copying")
        database = staging / FILE_NAME
        shutil.copyfile(file, database)
        with closing(_connect(database, "rw")) as connection:
            files = dict(connection.execute("SELECT path, content FROM geolabel_backup_files"))
            tell(0.6, "Verifying the workspace")
            found = _differences(manifest, connection)
            if found:
                raise StoreFailed(f"The copy of {file} in {folder} is not what was copied: {found}. Check that disk.")
            connection.execute("BEGIN")
            for table in _OWN:
                connection.execute(f"DROP TABLE {table}")
            connection.execute("COMMIT")
        for path, content in files.items():
            target = staging / path
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)
            _fsync(target)
        _fsync(database)
        _fsync(staging)
        _appear(staging, folder)
    tell(1.0, f"Restored {folder.name}")
    return manifest


def _check_free(file: Path, *, overwrite: bool) -> None:
    if not file.parent.is_dir():
        raise NotFound(f"The backup cannot be written to {file}: there is no folder {file.parent}.")
    if not file.exists():
        return
    if file.is_dir():
        raise AlreadyExists(f"The backup is one file, but {file} is a folder: give the name of a file in it.")
    if not overwrite:
        raise AlreadyExists(f"There is a file {file} already: give another name, or pass --overwrite to replace it.")
    with closing(_connect(file, "ro&immutable=1")) as connection:  # of all files, only a backup is replaced
        _read_manifest(connection, file)


def _check_empty(folder: Path) -> None:
    try:
        first = next(folder.iterdir(), None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidInput(f"The workspace cannot be restored into {folder}: {error.strerror}.") from error
    if first is not None:
        raise AlreadyExists(
            f"The folder {folder} is not empty (it holds {first.name}): restore into a new folder, then put it in place of the old one."
        )


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder on the same disk, gone afterwards unless it was renamed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _appear(staging: Path, folder: Path) -> None:
    if folder.exists():
        folder.rmdir()  # empty, or this fails
    staging.chmod(0o777 & ~_umask())
    staging.rename(folder)
    _fsync(folder.parent)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=10)
    register_functions(connection)
    return connection


@contextmanager
def _said(place: Path) -> Iterator[None]:
    """What the disk or SQLite reports while a file is written, as a sentence."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        free = free_bytes(place.parent)
        words = getattr(error, "strerror", None) or str(error)
        if "full" in words.lower() or "no space" in words.lower():
            sentence = f"The disk is full ({megabytes(free or 0)} are free)"
            raise StorageFull(
                f"{sentence}, so {place} cannot be written: make room.", f"{sentence}.", free=free
            ) from error
        raise StoreFailed(f"{place} cannot be written: {words}.") from error


def _fsync(path: Path) -> None:
    """Make a file, or the names in a folder, outlive a power cut."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
