"""Imagery at the edge: which rasters strangers may have registered, where a registered one is, and all its tiles at once."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from geolabel.errors import AlreadyExists, InvalidInput, InvalidRaster, NotAllowed
from tiles import offline
from tiles.allow import Address, Allowed, is_address, read_address
from tiles.errors import InvalidParameter, InvalidSetting, SourceRefused, TilesError, UnknownScene
from tiles.pictures import Pictures
from tiles.remote import remote
from tiles.render import FORMATS
from tiles.settings import from_environment, read_environment
from tiles.sources import find_source
from tiles.stack import read_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geolabel.model import Scene
    from geolabel.settings import Settings
    from tiles.matrix import Tile
    from tiles.render import Format
    from tiles.settings import TilesSettings
    from tiles.sources import Source

    Progress = Callable[[float, str], None]

_HOW = "Register it at the command line with `geolabel scene add`, or name its {what} in {setting}."


def check_hosts(settings: Settings) -> None:
    """Raises InvalidInput when `imagery_hosts` cannot be read."""
    try:
        Allowed.read(settings.imagery_hosts)
    except SourceRefused as error:
        raise InvalidInput(f"The setting GEOLABEL_IMAGERY_HOSTS cannot be read: {error}") from error


def keep_on_disk(pictures: Pictures, folder: Path) -> None:
    """Have tiles kept on the disk, in the folder of a workspace unless the settings of the tiles name another."""
    pictures.keep_on_disk(folder / "cache" / "tiles")


def allowed_href(href: str, settings: Settings) -> str:
    """The path or address of a raster that may be registered over HTTP, as it is stored.

    Links and redirects are followed before they are compared, and nothing is said about what lies outside.

    Raises:
        NotAllowed: it does not lie under the roots, or on the hosts, of the settings.
        InvalidRaster: it does, and cannot be had.
    """
    return _allowed_address(href, settings) if is_address(href) else str(_allowed_path(href, settings))


def _allowed_address(href: str, settings: Settings) -> str:
    how = _HOW.format(what="host or bucket", setting="GEOLABEL_IMAGERY_HOSTS")
    allowed = Allowed.read(settings.imagery_hosts)

    def check(address: Address) -> None:
        if address not in allowed:
            raise NotAllowed(f"The host or bucket {address.host!r:.120} is not one that rasters may be on. {how}")

    if not settings.imagery_hosts:
        raise NotAllowed(f"No raster of another server may be registered over HTTP here. {how}")
    try:
        address = read_address(href)
        check(address)
        # Asked here, so that each step of a redirect is held against the list.
        remote(from_environment()).look(address, check)
    except SourceRefused as error:
        raise NotAllowed(str(error)) from error
    except TilesError as error:
        raise InvalidRaster(str(error)) from error
    return address.href


def _allowed_path(href: str, settings: Settings) -> Path:
    how = _HOW.format(what="folder", setting="GEOLABEL_IMAGERY_ROOTS")
    if not settings.imagery_roots:
        raise NotAllowed(f"No raster may be registered over HTTP here. {how}")
    # GDAL reads addresses, /vsi paths and XML as file names; only a plain absolute path goes on.
    if not href.startswith("/") or href.startswith(("//", "/vsi")) or not href.isprintable():
        raise NotAllowed(f"Only an absolute path of a file may be registered over HTTP, got {href!r:.120}. {how}")
    try:
        path = Path(href).resolve()
        inside = _under_roots(path, settings)
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that is too long
        inside = False
    if not inside:
        raise NotAllowed(f"The file {href!r:.120} does not lie under the folders of GEOLABEL_IMAGERY_ROOTS. {how}")
    return path


def _under_roots(path: Path, settings: Settings) -> bool:
    return any(path.is_relative_to(root.resolve()) for root in settings.imagery_roots)


def find_registered(href: str, version: str, settings: Settings, limits: TilesSettings) -> Source:
    """The raster of a registered scene, as it is at this moment.

    Args:
        href: as it was registered.
        version: of what it was then.
        settings: with the roots.
        limits: how rasters elsewhere are reached.

    Raises:
        UnknownScene: it was registered under a root and now leads out of all of them: a link was put in its way.
        TilesError: as `tiles.sources.find_source`.
    """
    source = find_source(href, believed=version, settings=limits)
    pairs = zip(read_stack(href).files, source.members, strict=True) if source.members else [(href, source)]
    for registered, found in pairs:
        moved = found.href != registered and not found.is_remote
        if moved and _under_roots(Path(registered), settings) and not _under_roots(Path(found.href), settings):
            raise UnknownScene("The file of this scene is not where it was registered any more.")
    return source


class SceneTiles:
    """The tiles of one scene in one style, drawn without a server.

    Args:
        scene: a registered one.
        folder: of the workspace.
        style: as in the address of a tile.
        fmt: of the files.

    Raises:
        InvalidRaster: the scene's file cannot be read, or has no place on the map.
        InvalidInput: the style or the format cannot be used.
    """

    def __init__(self, scene: Scene, folder: Path, style: str, fmt: str) -> None:
        self._scene = scene
        with _said():
            self._format = _picture_format(fmt)
            limits = read_environment()
            self._pictures = Pictures(limits)
            keep_on_disk(self._pictures, folder)
            self._source = find_source(scene.href, settings=limits)
            self._style = offline.read_look(self._pictures.info(self._source), style)
            self._placement = self._pictures.placement(self._source, offline.TMS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pictures.close()

    def warm(self, zoom: str | None, progress: Progress) -> dict[str, Any]:
        """Have every tile in the cache on the disk.

        Returns:
            `tiles` and `zooms`.
        """
        with _said():
            zooms = offline.read_zooms(zoom, self._placement)
            count = sum(1 for _ in self._draw(zooms, progress))
        return {"scene": self._scene.id, "tiles": count, "zooms": list(zooms)}

    def export(self, out: Path, zoom: str | None, progress: Progress, *, overwrite: bool) -> dict[str, Any]:
        """Write them into a PMTiles file.

        Returns:
            `file`, `tiles`, `bytes` and `zooms`.

        Raises:
            AlreadyExists: there is a file of that name.
        """
        if out.exists() and not overwrite:
            raise AlreadyExists(f"{out} is already there; --overwrite replaces it.")
        with _said():
            zooms = offline.read_zooms(zoom, self._placement)
            drawn = self._draw(zooms, progress)
            count, size = offline.write_pmtiles(out, drawn, self._placement, self._scene.id, self._format)
        return {"scene": self._scene.id, "file": str(out), "tiles": count, "bytes": size, "zooms": list(zooms)}

    def _draw(self, zooms: range, progress: Progress) -> Iterator[tuple[Tile, bytes]]:
        def tell(done: int, total: int) -> None:
            progress(done / total, f"{done} of {total} tiles")

        return offline.draw(self._pictures, self._source, self._style, self._format, zooms=zooms, progress=tell)


def _picture_format(text: str) -> Format:
    found = next((fmt for fmt in FORMATS if fmt == text), None)
    if found is None:
        raise InvalidParameter(f"The format {text[:16]!r} is not known; expected one of {', '.join(FORMATS)}.")
    return found


@contextmanager
def _said() -> Iterator[None]:
    """What goes wrong with tiles, as an error of geolabel."""
    try:
        yield
    except (InvalidParameter, InvalidSetting) as error:
        raise InvalidInput(str(error)) from error
    except TilesError as error:
        raise InvalidRaster(str(error)) from error
