"""The one place where a raster is opened, and what is known about it before a pixel is asked for.

What a raster file may do here is decided, not inherited from GDAL's defaults:

- Only the drivers in `DRIVERS` are tried, whatever the file is called. Formats that open other files (VRT, GTI, WMS,
  STACTA...) are never among them.
- Only the file itself counts. Overviews, masks, statistics and world files beside it (`.ovr`, `.msk`, `.aux.xml`,
  `.tfw`...) are not read, because the version of a source is that of the one file; `RasterInfo.sidecars` names what
  was left unread, so that a user can be told. Nothing is ever written beside a raster.
- Size, band count and block size in the header are held against `TilesSettings` before the first read.
"""

from __future__ import annotations

import math
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Interleaving, MaskFlags
from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning, RasterioIOError, WarpOperationError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from tiles.errors import SourceNotFound, SourceRefused, SourceUnreadable
from tiles.settings import TilesSettings, from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiles.handles import Handles

DRIVERS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG", "WEBP")
"""GDAL drivers that may open a file (COG is GTiff)."""

SUFFIXES = (".tif", ".tiff", ".gtiff", ".gtif", ".jp2", ".j2k", ".png", ".jpg", ".jpeg", ".webp")
"""What a folder is searched for; any name is opened when it is asked for by name."""

GDAL_ENVIRONMENT = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
}

PROOF_BYTES = 64 * 2**20
"""How many bytes of decoded pixels `describe` reads to believe in a file."""

_PROOF_BLOCKS = 20_000
_SIDECARS = (".ovr", ".msk", ".aux.xml", ".tfw", ".tifw", ".jgw", ".jpgw", ".pgw", ".pngw", ".wld")

# RasterInfo says both: that there is no georeference, and that there are nodata values as well as an alpha band. Turned
# off once and not around each read, because warnings.catch_warnings is not safe in threads.
for _category in (NotGeoreferencedWarning, NodataShadowWarning):
    warnings.filterwarnings("ignore", category=_category)


@dataclass(frozen=True, slots=True)
class Source:
    """A raster file at one moment.

    Attributes:
        href: absolute path.
        version: changes whenever the file's size or modification time does.
    """

    href: str
    version: str

    @property
    def name(self) -> str:
        """The file's name without its folder: what messages show."""
        return Path(self.href).name


@dataclass(frozen=True, slots=True)
class BandInfo:
    """One band.

    Attributes:
        index: 1-based, as GDAL counts.
        dtype: numpy's name.
        description: the band's own name in the file, or None.
        nodata: the value that means "no data", or None.
        color_interp: `red`, `alpha`, `palette`, `gray`, `undefined`...
        scale: what a stored value is multiplied by to get one in `unit`.
        offset: what is added to it then.
        unit: of the values that scale and offset give, or None.
    """

    index: int
    dtype: str
    description: str | None
    nodata: float | None
    color_interp: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What a raster's header says. An odd georeference is data here, not an error.

    Attributes:
        driver: GDAL's name of the format.
        width: in pixels.
        height: in pixels.
        crs_wkt: WKT2 of its CRS, or None.
        crs: `EPSG:n` when the CRS is exactly that one, else None.
        transform: (a, b, c, d, e, f), x = a col + b row + c, y = d col + e row + f, from continuous pixel coordinates;
            the identity when the file has none.
        gcps: number of ground control points; when there are any, `transform` means nothing.
        gcp_points: their (col, row, x, y), x and y in `gcp_crs`.
        gcp_crs: `EPSG:n` or WKT2, or None.
        rpcs: whether it carries rational polynomial coefficients.
        bands: in file order, an alpha band included.
        is_tiled: whether its blocks are tiles, so that a part can be read alone.
        block_shape: (rows, columns) of a block.
        overviews: decimation factors of the overviews inside the file, finest first.
        has_mask: whether it carries a mask band inside the file.
        interleave: `pixel`, `band` or `line`.
        compression: `deflate`, `jpeg`..., or None.
        palette: RGBA per pixel value of the first band, or None.
        datetime: the TIFF's date as `YYYY-MM-DDTHH:MM:SS`, without a time zone, or None.
        sidecars: names of files beside it that GDAL would read and that are left unread here.
    """

    driver: str
    width: int
    height: int
    crs_wkt: str | None
    crs: str | None
    transform: tuple[float, float, float, float, float, float]
    gcps: int
    gcp_points: tuple[tuple[float, float, float, float], ...] = field(repr=False)
    gcp_crs: str | None
    rpcs: bool
    bands: tuple[BandInfo, ...]
    is_tiled: bool
    block_shape: tuple[int, int]
    overviews: tuple[int, ...]
    has_mask: bool
    interleave: str
    compression: str | None
    palette: tuple[tuple[int, int, int, int], ...] | None = field(repr=False)
    datetime: str | None
    sidecars: tuple[str, ...]

    @property
    def alpha(self) -> int | None:
        """1-based index of the alpha band, or None."""
        return next((band.index for band in self.bands if band.color_interp == "alpha"), None)


def local_source(path: str | os.PathLike[str]) -> Source:
    """Point at a file on this machine.

    Symbolic links are followed; the href is where they end.

    Raises:
        SourceNotFound: nothing is there, or it may not be read.
        SourceRefused: a folder or a device, or a name that GDAL would take for one of its virtual file systems.
        SourceUnreadable: the file is empty.
    """
    try:
        file = Path(path).resolve(strict=True)
        status = file.stat()
    except (OSError, ValueError, RuntimeError) as error:
        # ValueError: a NUL in the name; RuntimeError: links in a circle.
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceNotFound(f"Expected a raster file at {str(path)!r}, but it cannot be found: {reason}.") from error
    if not file.is_file():
        raise SourceRefused(
            f"Expected a raster file at {str(path)!r}, but it is {'a folder' if file.is_dir() else 'not a file'}."
        )
    if str(file).startswith("/vsi"):
        raise SourceRefused(
            f"{str(path)!r} begins with '/vsi', which GDAL keeps for itself; move the file to another folder."
        )
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise SourceNotFound(f"The raster file {str(path)!r} may not be read: {error.strerror}.") from error
    if status.st_size == 0:
        raise SourceUnreadable(f"{file.name!r} is empty (0 bytes); copy or export it again.")
    return Source(str(file), f"{status.st_size:x}-{status.st_mtime_ns:x}")


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
    """As `open_raster`, with a handle that stays open for the next one who asks.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `open_raster`.
    """
    limits = settings or from_environment()
    with handles.lend((source, overview), lambda: _opened(source, overview, limits)) as dataset, _said_of(source):
        yield dataset


@contextmanager
def _opened(source: Source, overview: int | None, settings: TilesSettings) -> Iterator[DatasetReader]:
    options: dict[str, Any] = {} if overview is None else {"overview_level": overview}
    with rasterio.Env(**GDAL_ENVIRONMENT):
        try:
            # DatasetReader and not rasterio.open, which takes a single driver. A Path is not parsed as a URL.
            dataset = DatasetReader(Path(source.href), driver=list(DRIVERS), sharing=False, **options)
        except RasterioIOError as error:
            raise _not_opened(source, error) from error
        try:
            _check_header(source, dataset, settings)
        except BaseException:
            dataset.close()
            raise
    # Closed by hand, outside any GDAL environment: a handle may end in another thread than it began in.
    try:
        yield dataset
    finally:
        dataset.close()


@contextmanager
def _said_of(source: Source) -> Iterator[None]:
    """The pinned GDAL environment for the block, and what goes wrong in it as SourceUnreadable."""
    with rasterio.Env(**GDAL_ENVIRONMENT):
        try:
            yield
        except (RasterioIOError, WarpOperationError) as error:
            raise _unreadable(source, error) from error


def inspect(source: Source, *, settings: TilesSettings | None = None) -> RasterInfo:
    """Read the header only.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `open_raster`.
    """
    with open_raster(source, settings=settings) as dataset:
        return _info(source, dataset)


def describe(source: Source, *, settings: TilesSettings | None = None) -> RasterInfo:
    """Read the header, and prove that the pixels can be read.

    The proof: the byte range of every block, overviews included, lies inside the file (GeoTIFF; of 20,000 blocks,
    evenly spread, when there are more), or the file ends as it should (PNG, which GDAL fills up in silence); then blocks are decoded until `PROOF_BYTES` of pixels have been seen: all of
    them when that is enough, else the first, the last and an even spread between; then the same for the mask. A file
    under 64 MiB of pixels is so proven whole; in a larger one a single damaged block can hide, and is reported when a
    tile or chip needs it.

    Raises:
        SourceNotFound, SourceRefused: as `open_raster`.
        SourceUnreadable: the header or a block is damaged, or the file is cut short.
    """
    with open_raster(source, settings=settings) as dataset:
        info = _info(source, dataset)
        if info.driver == "GTiff":
            _check_byte_ranges(source, dataset)
        elif info.driver == "PNG":
            _check_png_end(source)
        with rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING="YES"):
            _decode_sample(dataset)
        return info


def _not_opened(source: Source, error: RasterioIOError) -> SourceNotFound | SourceRefused | SourceUnreadable:
    text = str(error)
    if not Path(source.href).is_file():
        return SourceNotFound(f"The raster file {source.name!r} is not there any more.")
    if "not recognized as" in text:
        return SourceRefused(
            f"{source.name!r} is not a raster of a format that is opened here; expected GeoTIFF, JPEG 2000, PNG, JPEG or "
            f"WebP. Convert it first: gdal_translate -of COG INPUT OUTPUT.tif"
        )
    return _unreadable(source, error)


def _unreadable(source: Source, error: BaseException) -> SourceUnreadable:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    reason = str(getattr(cause, "errmsg", None) or cause).replace(source.href, source.name).strip().rstrip(".")
    return SourceUnreadable(
        f"The pixels of {source.name!r} cannot be read, it is damaged or cut short ({reason}); copy or download it again."
    )


def _check_header(source: Source, dataset: DatasetReader, settings: TilesSettings) -> None:
    pixels = dataset.width * dataset.height
    if pixels > settings.max_pixels:
        raise SourceRefused(
            f"{source.name!r} claims {dataset.width} x {dataset.height} = {pixels:,} pixels, more than the limit of "
            f"{settings.max_pixels:,}; raise TILES_MAX_PIXELS if that is right."
        )
    if dataset.count == 0:
        raise SourceRefused(f"{source.name!r} has no bands of its own; expected a raster with at least one.")
    if dataset.count > settings.max_bands:
        raise SourceRefused(
            f"{source.name!r} claims {dataset.count:,} bands, more than the limit of {settings.max_bands:,}; raise TILES_MAX_BANDS if that is right."
        )
    block = _block_bytes(dataset)
    if block > settings.max_block_mb * 2**20:
        raise SourceRefused(
            f"A single block of {source.name!r} takes {block / 2**20:,.0f} MiB, more than the limit of {settings.max_block_mb} MiB; "
            f"rewrite it in tiles (gdal_translate -of COG INPUT OUTPUT.tif) or raise TILES_MAX_BLOCK_MB."
        )


def _block_bytes(dataset: DatasetReader) -> int:
    """Decoded bytes of one stored block: all bands of it when they are stored together."""
    rows, columns = dataset.block_shapes[0]
    together = dataset.count if _pixel_interleaved(dataset) else 1
    # Complex integers have no numpy type; the largest is as wide as a complex64.
    item = max(8 if name.startswith("complex_") else np.dtype(name).itemsize for name in dataset.dtypes)
    return int(rows * columns * together * item)


def _pixel_interleaved(dataset: DatasetReader) -> bool:
    return bool(dataset.count > 1 and dataset.interleaving != Interleaving.band)


def _crs_name(crs: Any) -> str | None:
    authority = crs.to_authority(confidence_threshold=100)
    return f"EPSG:{authority[1]}" if authority and authority[0] == "EPSG" else None


def _info(source: Source, dataset: DatasetReader) -> RasterInfo:
    points, gcp_crs = dataset.gcps
    crs = dataset.crs
    transform = dataset.transform
    colors = [interp.name for interp in dataset.colorinterp]
    flags = dataset.mask_flag_enums[0]
    interleave = dataset.interleaving
    compression = dataset.compression
    return RasterInfo(
        driver=dataset.driver,
        width=dataset.width,
        height=dataset.height,
        crs_wkt=crs.to_wkt(version="WKT2_2019") if crs else None,
        crs=_crs_name(crs) if crs else None,
        transform=(transform.a, transform.b, transform.c, transform.d, transform.e, transform.f),
        gcps=len(points),
        gcp_points=tuple((p.col, p.row, p.x, p.y) for p in points),
        gcp_crs=(_crs_name(gcp_crs) or gcp_crs.to_wkt(version="WKT2_2019")) if gcp_crs else None,
        rpcs=dataset.rpcs is not None,
        bands=tuple(
            BandInfo(
                index,
                str(dtype),
                description or None,
                None if nodata is None else float(nodata),
                color,
                *_scaling(scale, offset),
                unit or None,
            )
            for index, dtype, description, nodata, color, scale, offset, unit in zip(
                dataset.indexes,
                dataset.dtypes,
                dataset.descriptions,
                dataset.nodatavals,
                colors,
                dataset.scales,
                dataset.offsets,
                dataset.units,
                strict=True,
            )
        ),
        is_tiled=bool(dataset.profile.get("tiled")),
        block_shape=tuple(dataset.block_shapes[0]),
        overviews=tuple(dataset.overviews(1)),
        has_mask=MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags,
        interleave=interleave.value.lower() if interleave else "band",
        compression=compression.value.lower() if compression else None,
        palette=_palette(dataset),
        datetime=_datetime(dataset.tags().get("TIFFTAG_DATETIME")),
        sidecars=_sidecars(Path(source.href)),
    )


def _scaling(scale: float, offset: float) -> tuple[float, float]:
    """As they are, unless they are nonsense: a band times zero, or by what is no number."""
    usable = math.isfinite(scale) and math.isfinite(offset) and scale != 0
    return (float(scale), float(offset)) if usable else (1.0, 0.0)


def _palette(dataset: DatasetReader) -> tuple[tuple[int, int, int, int], ...] | None:
    if dataset.colorinterp[0] != ColorInterp.palette:
        return None
    colors = dataset.colormap(1)
    return tuple(colors.get(value, (0, 0, 0, 0)) for value in range(max(colors) + 1))


def _datetime(tag: str | None) -> str | None:
    """TIFF writes `YYYY:MM:DD HH:MM:SS`; scanners write anything."""
    digits = (tag or "").strip()
    if len(digits) == len("YYYY:MM:DD HH:MM:SS") and digits[4] == digits[7] == ":":
        try:
            return str(np.datetime64(f"{digits[:10].replace(':', '-')}T{digits[11:]}", "s"))
        except ValueError:
            return None
    return None


def _sidecars(file: Path) -> tuple[str, ...]:
    beside = {file.with_name(file.name + suffix) for suffix in _SIDECARS} | {
        file.with_suffix(suffix) for suffix in _SIDECARS
    }
    return tuple(sorted(path.name for path in beside if path.exists()))


def _spread(count: int, most: int) -> list[int]:
    """At most `most` (at least 2) of `count` positions, evenly spread, first and last always among them, ascending."""
    if count <= most:
        return list(range(count))
    return sorted({round(i) for i in np.linspace(0, count - 1, max(most, 2))})


def _check_byte_ranges(source: Source, dataset: DatasetReader) -> None:
    """Hold the stored block table against the size of the file, without reading a block."""
    size = Path(source.href).stat().st_size
    bands = [1] if _pixel_interleaved(dataset) else list(dataset.indexes)
    levels = [None, *range(len(dataset.overviews(1)))]
    for level in levels:
        options = {} if level is None else {"ovr": level}
        # The overviews' own block shape is not known here; theirs is at most the full resolution's.
        rows, columns = dataset.block_shapes[0]
        factor = 1 if level is None else dataset.overviews(1)[level]
        down = math.ceil(dataset.height / factor / rows)
        across = math.ceil(dataset.width / factor / columns)
        for position in _spread(down * across * len(bands), _PROOF_BLOCKS):
            band, block = bands[position // (down * across)], position % (down * across)
            y, x = divmod(block, across)
            offset = dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band, **options)
            length = dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=band, **options)
            # A block without an entry is a hole in a sparse file: nodata, not damage.
            if offset is not None and length is not None and int(offset) + int(length) > size:
                raise SourceUnreadable(
                    f"{source.name!r} is cut short: a block ends at byte {int(offset) + int(length):,}, the file at byte {size:,}; copy or download it again."
                )


def _check_png_end(source: Source) -> None:
    with Path(source.href).open("rb") as file:
        file.seek(-min(Path(source.href).stat().st_size, 4096), os.SEEK_END)
        if b"IEND" not in file.read():
            raise SourceUnreadable(
                f"{source.name!r} is cut short: a PNG ends with an IEND chunk; copy or download it again."
            )


def _decode_sample(dataset: DatasetReader) -> None:
    """Decode blocks, evenly spread, up to `PROOF_BYTES`."""
    rows, columns = dataset.block_shapes[0]
    down, across = math.ceil(dataset.height / rows), math.ceil(dataset.width / columns)
    # One band decodes all of a pixel-interleaved block.
    bands = [1] if _pixel_interleaved(dataset) else list(dataset.indexes)
    flags = dataset.mask_flag_enums[0]
    masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
    count = down * across * len(bands)
    for position in _spread(count, PROOF_BYTES // _block_bytes(dataset)):
        band, block = bands[position // (down * across)], position % (down * across)
        y, x = divmod(block, across)
        window = Window(
            x * columns, y * rows, min(columns, dataset.width - x * columns), min(rows, dataset.height - y * rows)
        )
        dataset.read(band, window=window)
        if masked:
            dataset.read_masks(band, window=window)
