"""Which rasters strangers may have registered, and where a registered one is found again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geolabel.errors import InvalidInput, InvalidRaster, NotAllowed
from tiles.allow import Address, Allowed, is_address, read_address
from tiles.errors import SourceRefused, TilesError, UnknownScene
from tiles.remote import remote
from tiles.settings import from_environment
from tiles.sources import find_source

if TYPE_CHECKING:
    from geolabel.settings import Settings
    from tiles.settings import TilesSettings
    from tiles.sources import Source

_HOW = "Register it at the command line with `geolabel scene add`, or name its {what} in {setting}."


def check_hosts(settings: Settings) -> None:
    """Raises InvalidInput when `imagery_hosts` cannot be read."""
    try:
        Allowed.read(settings.imagery_hosts)
    except SourceRefused as error:
        raise InvalidInput(f"The setting GEOLABEL_IMAGERY_HOSTS cannot be read: {error}") from error


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
    moved = source.href != href and not source.is_remote
    if moved and _under_roots(Path(href), settings) and not _under_roots(Path(source.href), settings):
        raise UnknownScene("The file of this scene is not where it was registered any more.")
    return source
