"""Open the database of a workspace: find or make it, check it, bring it up to date."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from geolabel.errors import InvalidInput, NotFound, StoreFailed
from geolabel.settings import is_url
from geolabel.store import geopackage, migrations
from geolabel.store.dialect import Database
from geolabel.store.failures import said_in_sentences
from geolabel.store.livefile import Hold
from geolabel.store.mounts import refuse_network

if TYPE_CHECKING:
    from sqlalchemy import Engine

FILE_NAME = "workspace.gpkg"


def open_database(location: Path | str, *, create: bool) -> Database:
    """Open the database of a workspace. See `geolabel.store.open_store`."""
    if is_url(location):
        from geolabel.store import server  # noqa: PLC0415 (its driver is an extra)

        return server.open_database(str(location), create=create)
    return _open_folder(Path(location).expanduser().absolute(), create=create)


def shown(location: Path | str) -> str:
    """A location as people may see it: the folder in full, the URL without its password."""
    if is_url(location):
        from geolabel.store import postgres  # noqa: PLC0415 (its driver is an extra)

        return postgres.shown(postgres.parse_url(str(location)))
    return str(Path(location).expanduser().absolute())


def _open_folder(folder: Path, *, create: bool) -> Database:
    if folder.name == FILE_NAME and _is_there(folder):
        folder = folder.parent
    refuse_network(folder)
    file = folder / FILE_NAME
    if not _is_there(file):
        if not create:
            raise NotFound(
                f"There is no workspace in {folder}: expected the file {FILE_NAME} there. `geolabel init` makes one."
            )
        _make_file(file)
    _check_access(file)
    engine = geopackage.make_engine(file)
    try:
        with said_in_sentences(str(file)):
            _bring_up_to_date(engine, file, create=create)
            closing = Hold(file)
    except BaseException:
        engine.dispose()
        raise
    return Database(
        name=str(file),
        location=str(folder),
        folder=folder,
        engine=engine,
        busy_seconds=geopackage.BUSY_SECONDS,
        closing=closing,
    )


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError as error:
        raise StoreFailed(f"The workspace {file.parent} cannot be looked into: {error.strerror}.") from error


def _make_file(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(exist_ok=True)
    except FileExistsError as error:
        raise InvalidInput(f"A workspace is a folder, but {file.parent} is a file: give another name.") from error
    except ValueError as error:
        raise InvalidInput(
            f"A workspace is a folder, but {str(file.parent)!r} cannot be the name of one: {error}."
        ) from error
    except OSError as error:
        raise StoreFailed(f"The workspace {file.parent} cannot be made: {error.strerror}.") from error


def _check_access(file: Path) -> None:
    """SQLite would open a read-only file and fail at the first write; say so at once."""
    effective = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
    for place in (file, file.parent):
        if not os.access(place, os.R_OK | os.W_OK, **effective):
            raise StoreFailed(f"The workspace {file} cannot be written to: give yourself write permission on {place}.")


def _bring_up_to_date(engine: Engine, file: Path, *, create: bool) -> None:
    revision = None
    with engine.connect() as connection:
        if geopackage.is_blank(connection):
            if not create:
                raise NotFound(f"There is no workspace in {file}: the file is empty. `geolabel init` makes one.")
        elif not geopackage.is_geopackage(connection) or (revision := migrations.revision(connection)) is None:
            raise StoreFailed(f"The file {file} is not a geolabel workspace: expected one made by `geolabel init`.")
    geopackage.use_log(engine)
    if revision != migrations.HEAD:
        with engine.execution_options(write=True).begin() as connection:
            migrations.upgrade(connection, str(file))
        geopackage.settle(engine)
