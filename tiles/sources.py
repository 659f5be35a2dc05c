"""The one place where a raster is opened.

What a raster file may do here is decided, not inherited from GDAL's defaults:

- Only the drivers in `DRIVERS` are tried, whatever the file is called. Formats that open other files (VRT, GTI, WMS,
  STACTA...) are never among them. Only the codecs in `CODECS` are decoded.
- A file on this machine is opened once, by us, and GDAL gets what is open: no link that is swapped meanwhile leads it
  elsewhere, and it is the file whose version is in the name of the tile. GDAL never speaks to a network: what is
  elsewhere comes through `tiles.remote`.
- Only the file itself counts. Overviews, masks, statistics and world files beside it (`.ovr`, `.msk`, `.aux.xml`,
  `.tfw`...) are not read, because the version of a source is that of the one file; `RasterInfo.sidecars` names what
  was left unread, so that a user can be told. Nothing is ever written beside a raster.
- Size, band count, block size and codec in the header are held against `TilesSettings` before the first read.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import warnings
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio
from rasterio.enums import Compression
from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning, RasterioIOError, WarpOperationError

from tiles import jpegs, metrics, stack
from tiles.allow import is_address, read_address
from tiles.errors import SourceChanged, SourceNotFound, SourceRefused, SourceUnreadable, TooMuch
from tiles.info import read_info
from tiles.limits import check_header, check_images
from tiles.pins import GDAL_ENVIRONMENT
from tiles.proof import PROOF_BYTES, REMOTE_PROOF_BYTES, check_byte_ranges, check_png_end, decode_sample
from tiles.reader import Reader
from tiles.remote import RemoteReader, remote
from tiles.settings import TilesSettings, from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rasterio.io import DatasetReader

    from tiles.handles import Handles
    from tiles.info import RasterInfo
    from tiles.tiff import Reading

DRIVERS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG", "WEBP")
"""GDAL drivers that may open a file (COG is GTiff)."""

SUFFIXES = (".tif", ".tiff", ".gtiff", ".gtif", ".jp2", ".j2k", ".png", ".jpg", ".jpeg", ".webp")
"""What a folder is searched for; any name is opened when it is asked for by name."""

# What GDAL calls a file that it was given open.
_INTERNAL_NAME = re.compile(r"/proc/self/fd/\d+|/vsipythonfilelike/[0-9a-f/-]+")

# RasterInfo says both: that there is no georeference, and that there are nodata values as well as an alpha band. Turned
# off once and not around each read, because warnings.catch_warnings is not safe in threads.
for _category in (NotGeoreferencedWarning, NodataShadowWarning):
    warnings.filterwarnings("ignore", category=_category)


@dataclass(frozen=True, slots=True)
class Source:
    """A raster file at one moment.

    Attributes:
        href: absolute path, or an address (`https://`, `s3://`...).
        version: changes whenever the file's size or modification time (elsewhere: size or ETag) does.
        members: the files of a stack (`tiles.stack`), in the order of their bands; empty for one file.
    """

    href: str
    version: str
    members: tuple[Source, ...] = ()

    @property
    def is_remote(self) -> bool:
        """Whether it is not on this machine."""
        return is_address(self.href) or any(member.is_remote for member in self.members)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return int(self.version.partition("-")[0], 16)

    @property
    def name(self) -> str:
        """The file's name without its folder: what messages show."""
        if self.members:
            return " + ".join(member.name for member in self.members[:4]) + (" + ..." if len(self.members) > 4 else "")
        return Path(self.href).name


def local_source(path: str | os.PathLike[str]) -> Source:
    """Point at a file on this machine.

    Symbolic links are followed; the href is where they end.

    Raises:
        SourceNotFound: nothing is there, or it may not be read.
        SourceRefused: a folder or a device, or a name that GDAL would take for one of its virtual file systems.
        SourceUnreadable: the file is empty.
    """
    try:
        href = os.path.realpath(path, strict=True)
        status = os.stat(href)  # noqa: PTH116 - for each tile
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceNotFound(f"Expected a raster file at {str(path)!r}, but it cannot be found: {reason}.") from error
    if not stat.S_ISREG(status.st_mode):
        found = "a folder" if stat.S_ISDIR(status.st_mode) else "not a file"
        raise SourceRefused(f"Expected a raster file at {str(path)!r}, but it is {found}.")
    if href.startswith("/vsi"):
        raise SourceRefused(
            f"{str(path)!r} begins with '/vsi', which GDAL keeps for itself; move the file to another folder."
        )
    if not os.access(href, os.R_OK):
        raise SourceNotFound(f"The raster file {str(path)!r} may not be read: {os.strerror(errno.EACCES)}.")
    if status.st_size == 0:
        raise SourceUnreadable(f"{Path(href).name!r} is empty (0 bytes); copy or export it again.")
    return Source(href, version_of(status))


def version_of(status: os.stat_result) -> str:
    """The version of a file on this machine."""
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"


def find_source(
    href: str | os.PathLike[str], *, believed: str | None = None, settings: TilesSettings | None = None
) -> Source:
    """Point at a file, on this machine or elsewhere, as it is now.

    Args:
        href: a path, or an address (`https://`, `s3://`, `gs://`, `az://`), or several as one (`tiles.stack.Stack`).
        believed: its version when it was looked at last. With it nobody waits for a server: what is elsewhere is looked at
            again in the background, every half a minute, and each read from it asks for that version and no other.
        settings: how rasters elsewhere are reached; the environment's unless given.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `local_source`.
        SourceUnreachable: it is elsewhere, and whoever has it does not answer.
    """
    text = os.fspath(href)
    if text.startswith(stack.PREFIX):
        files = stack.read_stack(text).files
        versions = believed.split(",") if believed else []
        known = versions if len(versions) == len(files) else [None] * len(files)
        members = tuple(
            find_source(file, believed=version, settings=settings) for file, version in zip(files, known, strict=True)
        )
        return Source(text, ",".join(member.version for member in members), members)
    if not is_address(text):
        return local_source(text)
    address = read_address(text)
    return Source(address.href, remote(settings or from_environment()).version(address.href, believed))


@contextmanager
def open_raster(
    source: Source, *, overview: int | None = None, settings: TilesSettings | None = None
) -> Iterator[DatasetReader]:
    """Open a raster for reading, in the pinned GDAL environment, which lasts as long as the block.

    A handle belongs to the thread that opened it. What goes wrong with the file inside the block is raised as
    SourceUnreadable.

    Args:
        source: the raster.
        overview: 0-based overview level that takes the place of the full resolution.
        settings: the limits; the environment's unless given.

    Raises:
        SourceNotFound: the file has gone.
        SourceRefused: not one of `DRIVERS`, or beyond a limit.
        SourceUnreadable: damaged or cut short.
    """
    with _opened(source, overview, settings or from_environment()) as dataset, _said_of(source):
        yield dataset


@contextmanager
def lend_raster(
    handles: Handles, source: Source, *, overview: int | None = None, settings: TilesSettings | None = None
) -> Iterator[DatasetReader]:
    """As `open_raster`, with a handle that stays open for the next one who asks. Only its reads have the pinned GDAL environment.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `open_raster`.
    """
    limits = settings or from_environment()
    with (
        handles.lend((source, overview), lambda: _opened(source, overview, limits)) as dataset,
        _said_of(source, pinned=False),
    ):
        yield dataset


@contextmanager
def _opened(source: Source, overview: int | None, settings: TilesSettings) -> Iterator[DatasetReader]:
    if source.members:
        with ExitStack() as files:
            yield stack.StackReader(
                [files.enter_context(_opened(member, overview, settings)) for member in source.members]
            )
        return
    options: dict[str, Any] = {} if overview is None else {"overview_level": overview}
    options |= {"driver": list(DRIVERS), "sharing": False}
    with rasterio.Env(**GDAL_ENVIRONMENT):
        try:
            dataset, held = (
                (RemoteReader.make(remote(settings).contents(source.href, source.version), **options), None)
                if source.is_remote
                else _open_here(source, options)
            )
        except RasterioIOError as error:
            raise _not_opened(source, error) from error
    # Closed by hand, outside any GDAL environment: a handle may end in another thread than it began in.
    metrics.HANDLES.inc()
    try:
        with rasterio.Env(**GDAL_ENVIRONMENT):
            check_header(source.name, dataset, settings)
        if overview is None and dataset.driver == "GTiff":
            check_images(source.name, _bytes_of(source, held, settings), settings)
        dataset.bind(source.name, settings)
        size = (dataset.width, dataset.height)
        # Of a remote file, all blocks of a window are asked for together.
        if held is not None and dataset.driver == "GTiff" and dataset.compression is not None:
            dataset.key = (source, size)
            dataset.worth = 1 if overview is None else 2.0 ** (overview + 1)
        if held is not None and dataset.driver == "GTiff" and dataset.compression is Compression.jpeg:
            read = _bytes_of(source, held, settings)
            dataset.jpegs = lambda window, bands: jpegs.read_window(
                source, read, size, window, bands, worth=dataset.worth
            )
        yield dataset
    finally:
        metrics.HANDLES.dec()
        dataset.close()
        if held is not None:
            os.close(held)


def _bytes_of(source: Source, held: int | None, settings: TilesSettings) -> Reading:
    """Reads bytes of what is open, by offset and length."""
    if held is None:
        return remote(settings).contents(source.href, source.version).read
    return lambda start, length: os.pread(held, length, start)


def _open_here(source: Source, options: dict[str, Any]) -> tuple[Reader, int]:
    """Open a file on this machine; the file stays open beside GDAL's handle, which may open it again by its number."""
    try:
        held = os.open(source.href, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise _gone(source) from error
    try:
        path = _check_held(source, held)
        # A reader of rasterio and not its open(), which takes a single driver. A Path is not parsed as a URL.
        return Reader(path, **options), held
    except BaseException:
        os.close(held)
        raise


def _check_held(source: Source, held: int) -> Path:
    """What to call an open file, which must be the one of the source."""
    status = os.fstat(held)
    path = Path(f"/proc/self/fd/{held}")
    # Where the operating system names open files, their name must be the one that was asked for.
    named = path.parent.is_dir()
    if not stat.S_ISREG(status.st_mode) or (named and str(path.readlink()) != source.href):
        raise _gone(source)
    if version_of(status) != source.version:
        raise _changed(source)
    return path if named else Path(source.href)


def _gone(source: Source) -> SourceNotFound:
    return SourceNotFound(f"The raster file {source.name!r} is not there any more.")


def _changed(source: Source) -> SourceChanged:
    return SourceChanged(f"{source.name!r} was replaced while it was read; ask again for the new one.")


def _check_unchanged(source: Source) -> None:
    """Raises SourceChanged when a file on this machine was written to meanwhile; elsewhere, every read is asked with its version."""
    for member in source.members:
        _check_unchanged(member)
    if source.is_remote or source.members:
        return
    try:
        status = os.stat(source.href)  # noqa: PTH116 - once per tile
    except OSError as error:
        raise _gone(source) from error
    if version_of(status) != source.version:
        raise _changed(source)


@contextmanager
def _said_of(source: Source, *, pinned: bool = True) -> Iterator[None]:
    """The pinned GDAL environment for the block, if asked for, and what goes wrong in it as an error of ours."""
    with rasterio.Env(**GDAL_ENVIRONMENT) if pinned else nullcontext():
        try:
            yield
        except (RasterioIOError, WarpOperationError) as error:
            _check_unchanged(source)
            if "memory" in str(_root(error)).lower():
                raise _too_much(source) from error
            raise _unreadable(source, error) from error
        except MemoryError as error:
            raise _too_much(source) from error
    _check_unchanged(source)


def _too_much(source: Source) -> TooMuch:
    return TooMuch(
        f"There is not enough memory here to read {source.name!r} as was asked; rewrite it in small tiles (gdal_translate -of COG INPUT OUTPUT.tif), "
        "or raise TILES_MEMORY_MB."
    )


def inspect(source: Source, *, settings: TilesSettings | None = None) -> RasterInfo:
    """Read the header only.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `open_raster`.
    """
    if source.members:
        members = [inspect(member, settings=settings) for member in source.members]
        return stack.combine(members, stack.read_stack(source.href))
    with open_raster(source, settings=settings) as dataset:
        return read_info(dataset, _file(source))


def describe(source: Source, *, settings: TilesSettings | None = None) -> RasterInfo:
    """Read the header, and prove that the pixels can be read.

    The proof: the byte range of every block, overviews included, lies inside the file (GeoTIFF; of 20,000 blocks,
    evenly spread, when there are more), or the file ends as it should (PNG, which GDAL fills up in silence); then blocks are decoded until `PROOF_BYTES` of pixels have been seen: all of
    them when that is enough, else the first, the last and an even spread between; then the same for the mask. A file
    under 64 MiB of pixels (4 MiB elsewhere) is so proven whole; in a larger one a single damaged block can hide, and is reported when a
    tile or chip needs it.

    Raises:
        SourceNotFound, SourceRefused: as `open_raster`.
        SourceUnreadable: the header or a block is damaged, or the file is cut short.
    """
    if source.members:
        members = [describe(member, settings=settings) for member in source.members]
        return stack.combine(members, stack.read_stack(source.href))
    with open_raster(source, settings=settings) as dataset:
        info = read_info(dataset, _file(source))
        if info.driver == "GTiff":
            check_byte_ranges(source.name, source.size, dataset)
        elif info.driver == "PNG" and not source.is_remote:
            check_png_end(source.name, Path(source.href))
        with rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING="YES"):
            decode_sample(dataset, REMOTE_PROOF_BYTES if source.is_remote else PROOF_BYTES)
        return info


def _not_opened(source: Source, error: RasterioIOError) -> SourceNotFound | SourceRefused | SourceUnreadable:
    text = str(error)
    if not source.is_remote and not Path(source.href).is_file():
        return _gone(source)
    if "not recognized as" in text:
        return SourceRefused(
            f"{source.name!r} is not a raster of a format that is opened here; expected GeoTIFF, JPEG 2000, PNG, JPEG or "
            f"WebP. Convert it first: gdal_translate -of COG INPUT OUTPUT.tif"
        )
    return _unreadable(source, error)


def _unreadable(source: Source, error: BaseException) -> SourceUnreadable:
    cause = _root(error)
    reason = str(getattr(cause, "errmsg", None) or cause).replace(source.href, source.name)
    reason = _INTERNAL_NAME.sub(source.name, reason).strip().rstrip(".")
    return SourceUnreadable(
        f"The pixels of {source.name!r} cannot be read, it is damaged or cut short ({reason}); copy or download it again."
    )


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _file(source: Source) -> Path | None:
    return None if source.is_remote else Path(source.href)
