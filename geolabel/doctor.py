"""What `geolabel doctor` looks at: attacks that must fail, the database, rights, room, settings, scenes."""

from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Literal

from geolabel import __version__
from geolabel.errors import GeolabelError, StoreFailed
from geolabel.imagery import check_hosts, find_registered
from geolabel.settings import Settings, is_url
from geolabel.store.opening import shown
from geolabel.store.store import open_store
from tiles.errors import TilesError
from tiles.settings import read_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geolabel.store.store import Store

State = Literal["ok", "note", "fault"]

_LITTLE: Final = 2 * 2**30
_PROBES_S: Final = 300
_NAMED_SCENES: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: `attacks`, `database`, `rights`, `room`, `settings`, `scenes`, `versions`.
        name: what.
        state: `ok`, `note` (works, worth knowing) or `fault` (to be mended).
        detail: a sentence; what to do, unless all is well.
    """

    area: str
    name: str
    state: State
    detail: str

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` gives."""
        return {"area": self.area, "name": self.name, "state": self.state, "detail": self.detail}


def examine(settings: Settings, progress: Callable[[float, str], None]) -> list[Finding]:
    """Look at everything; nothing is changed.

    Args:
        settings: of the workspace; there may be none there yet.
        progress: called with a share and a sentence.
    """
    found: list[Finding] = []
    steps: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("Looking at the settings", lambda: _settings(settings)),
        ("Looking at the workspace", lambda: _workspace(settings)),
        ("Trying attacks that must fail", _attacks),
    ]
    for i, (what, look) in enumerate(steps):
        progress(i / len(steps), what)
        found += look()
    progress(1.0, "Done")
    return found


def _attacks() -> Iterator[Finding]:
    """In a process of its own, whose environment asks for the opposite of what is pinned."""
    from tiles.probes import POISON  # noqa: PLC0415 - only the doctor has it

    command = [sys.executable, "-m", "tiles.probes"]
    try:
        run = subprocess.run(  # noqa: S603 - our own module
            command, env={**os.environ, **POISON}, capture_output=True, text=True, check=False, timeout=_PROBES_S
        )
    except subprocess.TimeoutExpired:
        yield Finding("attacks", "all", "fault", f"The attacks did not end within {_PROBES_S} s.")
        return
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    for line in lines:
        if line["held"]:
            yield Finding("attacks", line["name"], "ok", f"Holds off {line['against']}.")
        else:
            why = f" ({line['detail']})" if line["detail"] else ""
            yield Finding(
                "attacks", line["name"], "fault", f"Does not hold off {line['against']}{why}: do not serve strangers."
            )
    if not lines:
        last = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        yield Finding("attacks", "all", "fault", f"The attacks could not be tried: {last}")


def _settings(settings: Settings) -> Iterator[Finding]:
    yield Finding("versions", "geolabel", "ok", f"{__version__}, Python {platform.python_version()}, {_libraries()}.")
    try:
        limits = read_environment()
        check_hosts(settings)
    except (TilesError, GeolabelError) as error:
        yield Finding("settings", "imagery", "fault", str(error))
        return
    for prefix, given in (("GEOLABEL", settings), ("TILES", limits)):
        for name in type(given).model_fields:
            value = getattr(given, name)
            usual = value == type(given).model_fields[name].get_default(call_default_factory=True)
            text = shown(value) if name == "workspace" else value
            yield Finding("settings", f"{prefix}_{name.upper()}", "ok", f"{text}" + ("" if usual else " (set)"))
    if settings.no_auth:
        yield Finding(
            "settings",
            "no accounts",
            "note",
            "GEOLABEL_NO_AUTH is set: whoever reaches the server may write. Keep strangers out by a proxy in front.",
        )
    for network in limits.networks:
        yield Finding("settings", "networks", "note", f"Rasters may be reached inside of {network} (TILES_NETWORKS).")


def _libraries() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("rasterio", "pyproj", "shapely", "numpy", "fastapi"))


def _workspace(settings: Settings) -> Iterator[Finding]:
    where = shown(settings.workspace)
    try:
        store = open_store(settings.workspace)
    except StoreFailed as error:
        yield Finding("database", "open", "fault", str(error))
        return
    except GeolabelError as error:
        yield Finding("database", "open", "note", str(error))
        return
    try:
        scenes, projects = store.scenes(), store.projects()
        yield Finding("database", "open", "ok", f"{where}: {len(scenes)} scenes, {len(projects)} projects.")
        yield from _rights(settings, store)
        yield from _room(store)
        yield from _scenes(settings, store)
    except StoreFailed as error:
        yield Finding("database", "read", "fault", str(error))
    finally:
        store.close()


def _rights(settings: Settings, store: Store) -> Iterator[Finding]:
    folder = store.folder
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("rights", "folder", "fault", f"{folder} cannot be written to by this user.")
    else:
        yield Finding("rights", "folder", "ok", f"{folder} can be written to.")
    for path in (folder / "workspace.gpkg", folder / "geolabel.toml"):
        if path.exists() and os.name == "posix" and path.stat().st_mode & stat.S_IWOTH:
            yield Finding("rights", path.name, "fault", f"Everybody on this machine may write to {path}: chmod o-w.")
    if is_url(settings.workspace) and (folder / "geolabel.toml").exists():
        mode = (folder / "geolabel.toml").stat().st_mode
        if mode & stat.S_IROTH:
            yield Finding(
                "rights",
                "geolabel.toml",
                "note",
                "Everybody on this machine may read geolabel.toml; it may hold a password.",
            )


def _room(store: Store) -> Iterator[Finding]:
    free = shutil.disk_usage(store.folder).free
    state: State = "ok" if free > _LITTLE else "note"
    yield Finding("room", "disk", state, f"{free / 2**30:,.1f} GiB are free in {store.folder}.")


def _scenes(settings: Settings, store: Store) -> Iterator[Finding]:
    try:
        limits = read_environment()
    except TilesError:  # said with the settings
        return
    changed, gone = [], []
    for scene in store.scenes():
        try:
            source = find_registered(scene.href, scene.version, settings, limits)
        except TilesError as error:
            gone.append(f"{scene.id}: {error}")
            continue
        if source.version != scene.version:
            changed.append(scene.id)
    for text in gone[:_NAMED_SCENES]:
        yield Finding("scenes", "files", "fault", f"{text} `geolabel scene relink` says where it is now.")
    if len(gone) > _NAMED_SCENES:
        yield Finding("scenes", "files", "fault", f"... and {len(gone) - _NAMED_SCENES} more.")
    if changed:
        names = ", ".join(changed[:_NAMED_SCENES])
        yield Finding(
            "scenes",
            "versions",
            "note",
            f"Their files changed since they were registered: {names}. `geolabel scene relink` takes them up.",
        )
    if not gone and not changed:
        yield Finding("scenes", "files", "ok", "All are where they were registered, and unchanged.")
