"""Several files on one grid as one raster: the single-band files in which Sentinel-2 and Landsat come."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tiles.errors import SourceRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    from tiles.info import BandInfo, RasterInfo

PREFIX: Final = "stack:"
"""How the text begins that names several files as one raster."""

MAX_FILES: Final = 64

# A hundredth of a pixel: as two programs write the same corner.
_SAME: Final = 0.01


@dataclass(frozen=True, slots=True)
class Stack:
    """Which files.

    Attributes:
        files: paths or addresses, in the order of their bands.
        names: of the bands, one per file.
    """

    files: tuple[str, ...]
    names: tuple[str, ...]

    def __str__(self) -> str:
        """The one text that a workspace keeps."""
        return PREFIX + json.dumps({"files": self.files, "names": self.names}, ensure_ascii=False)


def read_stack(text: str) -> Stack:
    """The files of a text that begins with `PREFIX`.

    Raises:
        SourceRefused: it cannot be read.
    """
    try:
        given = json.loads(text.removeprefix(PREFIX))
        files, names = given["files"], given["names"]
        usable = all(isinstance(part, str) and part for part in (*files, *names)) and len(files) == len(names)
    except (ValueError, TypeError, KeyError, RecursionError):
        usable = False
    if not usable or not 1 <= len(files) <= MAX_FILES:
        raise SourceRefused(f"A stack of files cannot be read: expected {PREFIX}{{files, names}}; got {text[:80]!r}.")
    return Stack(tuple(files), tuple(names))


def name_bands(files: Sequence[str]) -> tuple[str, ...]:
    """What the bands of single-band files are called: the part of each name that is its own (`B04` of `T32UMU_20240501_B04_10m.jp2`)."""
    stems = [PurePath(file).stem for file in files]
    parts = [re.split(r"[_\-. ]+", stem) for stem in stems]
    if len(files) > 1 and len({len(part) for part in parts}) == 1:
        own = [i for i in range(len(parts[0])) if len({part[i] for part in parts}) > 1]
        names = tuple("_".join(part[i] for i in own) for part in parts)
        if len(set(names)) == len(names):
            return names
    return tuple(stems)


def common_name(files: Sequence[str]) -> str:
    """What the names of files have in common, for one name of all."""
    parts = [re.split(r"[_\-. ]+", PurePath(file).stem) for file in files]
    shared = [part for part in parts[0] if all(part in other for other in parts)]
    return "_".join(shared or parts[0])


def combine(infos: Sequence[RasterInfo], stack: Stack) -> RasterInfo:
    """What is known of all files together.

    Raises:
        SourceRefused: they do not lie on one grid.
    """
    first = infos[0]
    shown = [PurePath(file).name for file in stack.files]
    for info, name in zip(infos[1:], shown[1:], strict=True):
        if _grid(info) != _grid(first) or not _same_place(info, first):
            raise SourceRefused(
                f"{name!r} does not lie on the grid of {shown[0]!r}: expected {_words(first)}; got {_words(info)}. Bring it there first: "
                f"gdalwarp -t_srs EPSG:n -te xmin ymin xmax ymax -tr {abs(first.transform[0]):g} {abs(first.transform[4]):g} {name} OUTPUT.tif"
            )
    bands: list[BandInfo] = []
    for info, name in zip(infos, stack.names, strict=True):
        for band in info.bands:
            called = name if len(info.bands) == 1 else f"{name} {band.description or band.index}"
            bands.append(replace(band, index=len(bands) + 1, description=called, color_interp="undefined"))
    return replace(
        first,
        bands=tuple(bands),
        overviews=first.overviews if len({info.overviews for info in infos}) == 1 else (),
        has_mask=any(info.has_mask for info in infos),
        interleave="band",
        is_tiled=all(info.is_tiled for info in infos),
        palette=None,
        datetime=next((info.datetime for info in infos if info.datetime), None),
        sidecars=tuple(name for info in infos for name in info.sidecars),
    )


def _grid(info: RasterInfo) -> tuple[Any, ...]:
    return info.width, info.height, info.crs or info.crs_wkt, info.gcp_points


def _same_place(one: RasterInfo, other: RasterInfo) -> bool:
    """Whether the four corners of two rasters of one size are the same."""
    a, b, _, d, e, _ = one.transform
    pixel = max(abs(a), abs(b), abs(d), abs(e))
    apart = np.subtract(one.transform, other.transform)
    columns, rows = np.array([0, one.width, one.width, 0]), np.array([0, 0, one.height, one.height])
    x, y = apart[0] * columns + apart[1] * rows + apart[2], apart[3] * columns + apart[4] * rows + apart[5]
    return bool(np.hypot(x, y).max() <= _SAME * pixel)


def _words(info: RasterInfo) -> str:
    a, _, c, _, e, f = info.transform
    return f"{info.width} x {info.height} pixels of {abs(a):g} x {abs(e):g} in {info.crs or 'its CRS'}, corner ({c:.10g}, {f:.10g})"


class StackReader:
    """Open files as one open raster: as much of rasterio's `DatasetReader` as is asked for here.

    Args:
        members: open rasters of one size.
    """

    def __init__(self, members: Sequence[DatasetReader]) -> None:
        self._bands = [(member, band) for member in members for band in member.indexes]
        self._first = members[0]

    def read_picture(self, _indexes: tuple[int, ...], _window: Any) -> None:
        """As of Reader: there is no faster way."""

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self._first.width)

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self._first.height)

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self._bands)

    @property
    def indexes(self) -> tuple[int, ...]:
        """1-based."""
        return tuple(range(1, self.count + 1))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """One per band."""
        return tuple(member.dtypes[band - 1] for member, band in self._bands)

    @property
    def nodatavals(self) -> tuple[float | None, ...]:
        """One per band."""
        return tuple(member.nodatavals[band - 1] for member, band in self._bands)

    @property
    def mask_flag_enums(self) -> tuple[list[Any], ...]:
        """One list per band."""
        return tuple(member.mask_flag_enums[band - 1] for member, band in self._bands)

    @property
    def block_shapes(self) -> list[tuple[int, int]]:
        """(rows, columns) of a block, one per band."""
        return [member.block_shapes[band - 1] for member, band in self._bands]

    def check(self, indexes: Any, **options: Any) -> None:
        """Raises TooMuch when a call would read more than the limit (`tiles.reader.Reader.check`)."""
        for member in {id(member): member for member, _ in self._bands}.values():
            member.check(tuple(range(1, len(indexes or self.indexes) + 1)), **options)

    @property
    def driver(self) -> str:
        """No name of GDAL's: its files are not one of them."""
        return "stack"

    @property
    def colorinterp(self) -> tuple[Any, ...]:
        """One per band."""
        return tuple(member.colorinterp[band - 1] for member, band in self._bands)

    def colormap(self, band: int) -> dict[int, tuple[int, int, int, int]]:
        """Of one band."""
        member, index = self._bands[band - 1]
        found: dict[int, tuple[int, int, int, int]] = member.colormap(index)
        return found

    def tags(self) -> dict[str, str]:
        """Of the first file."""
        found: dict[str, str] = self._first.tags()
        return found

    def read(self, indexes: Any = None, *, out_dtype: str | None = None, **options: Any) -> NDArray[Any]:
        """Bands (n, height, width) in the one type that holds all, or one band (height, width): as rasterio's."""
        if isinstance(indexes, int):
            member, band = self._bands[indexes - 1]
            alone: NDArray[Any] = member.read(band, out_dtype=out_dtype, **options)
            return alone
        wanted = [self._bands[index - 1] for index in (indexes or self.indexes)]
        kind = out_dtype or str(np.result_type(*(member.dtypes[band - 1] for member, band in wanted)))
        return np.stack([member.read(band, out_dtype=kind, **options) for member, band in wanted])

    def read_near(self, indexes: tuple[int, ...], window: Any, out_dtype: str) -> NDArray[Any]:
        """As of Reader."""
        wanted = [self._bands[index - 1] for index in indexes]
        return np.concatenate([member.read_near((band,), window, out_dtype) for member, band in wanted])

    def read_masks(self, indexes: Any = None, **options: Any) -> NDArray[np.uint8]:
        """Masks (n, height, width), or one (height, width): as rasterio's."""
        if isinstance(indexes, int):
            member, band = self._bands[indexes - 1]
            alone: NDArray[np.uint8] = member.read_masks(band, **options)
            return alone
        wanted = [self._bands[index - 1] for index in (indexes or self.indexes)]
        return np.stack([member.read_masks(band, **options) for member, band in wanted])
