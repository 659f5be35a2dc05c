"""Attacks on this very installation, each of which must fail: what `geolabel doctor` tries.

A setting that looks set but is not is worse than none. So each protection is tried by what it is there against, in a
process whose environment asks for the opposite; and each probe can take its protection away first (`--without NAME`),
when the attack must succeed: that is how the tests know that a probe can fail.

    python -m tiles.probes            # one JSON object a line: name, against, held, detail
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import warnings
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import numpy as np
import rasterio

from tiles import connect, limits, memory, pins, sources, workers
from tiles.allow import read_address
from tiles.errors import TilesError
from tiles.reader import Reader
from tiles.settings import TilesSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

POISON: Final = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "FALSE",
    "GDAL_PAM_ENABLED": "YES",
    "GDAL_GEOREF_SOURCES": "PAM,INTERNAL,TABFILE,WORLDFILE",
    "GDAL_VRT_ENABLE_PYTHON": "YES",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "YES",
    "GDAL_SKIP": "",
    "CPL_VSIL_CURL_HEADER_FILE_KVP_ENABLED": "YES",
}
"""What the environment of the probes says: the opposite of what is pinned."""

_VALUE: Final = 77


@dataclass(frozen=True, slots=True)
class Probe:
    """One attack.

    Attributes:
        name: of the protection.
        against: what it is there against.
        attack: true when it got through.
        without: takes the protection away for a while.
    """

    name: str
    against: str
    attack: Callable[[Path], bool]
    without: Callable[[], AbstractContextManager[Any]]


def _raster(path: Path, value: int = _VALUE, size: int = 64, **options: Any) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=1, dtype="uint8", crs="EPSG:3857",
        transform=rasterio.Affine(1, 0, 0, 0, -1, 0), **options,
    ) as out:  # fmt: skip
        out.write(np.full((1, size, size), value, np.uint8))
    return path


def _opens(path: Path, **given: Any) -> bool:
    """Whether a raster is opened and its first pixels can be read."""
    try:
        with sources.open_raster(sources.local_source(path), settings=TilesSettings(**given)) as dataset:
            dataset.read(1, window=((0, 1), (0, 1)))
    except TilesError:
        return False
    return True


def _disguised(folder: Path, text: str) -> bool:
    path = folder / "plain.tif"
    path.write_text(text, encoding="utf-8")
    return _opens(path)


def _vrt(folder: Path) -> bool:
    secret = _raster(folder / "secret.tif")
    return _disguised(
        folder,
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
    )


def _index(folder: Path) -> bool:
    secret = _raster(folder / "secret.tif")
    index = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}},
        "features": [
            {
                "type": "Feature",
                "properties": {"location": str(secret)},
                "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [64, 0], [64, -64], [0, -64], [0, 0]]]},
            }
        ],
    }
    (folder / "index.geojson").write_text(json.dumps(index), encoding="utf-8")
    return _disguised(
        folder,
        f"<GDALTileIndexDataset><IndexDataset>{folder / 'index.geojson'}</IndexDataset><ResX>1</ResX><ResY>1</ResY></GDALTileIndexDataset>",
    )


def _wms(folder: Path) -> bool:
    secret = _raster(folder / "secret.tif", size=64)
    return _disguised(
        folder,
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>file://{secret}?${{z}}</ServerUrl></Service><DataWindow><UpperLeftX>0</UpperLeftX>'
        "<UpperLeftY>0</UpperLeftY><LowerRightX>64</LowerRightX><LowerRightY>-64</LowerRightY><SizeX>64</SizeX><SizeY>64</SizeY>"
        "<TileLevel>0</TileLevel></DataWindow><BlockSizeX>64</BlockSizeX><BlockSizeY>64</BlockSizeY><BandsCount>1</BandsCount></GDAL_WMS>",
    )


def _named() -> AbstractContextManager[Any]:
    """Where the operating system does not name open files, GDAL gets a path, and looks around it."""
    return mock.patch.object(sources, "_check_held", lambda source, _: Path(source.href))


def _overviews_beside(folder: Path) -> bool:
    path = _raster(folder / "a.tif", size=512)
    _raster(folder / "b.tif", size=256).rename(folder / "a.tif.ovr")
    with _named(), sources.open_raster(sources.local_source(path)) as dataset:
        return bool(dataset.overviews(1))


def _place_beside(folder: Path) -> bool:
    path = folder / "a.tif"
    with rasterio.open(path, "w", driver="GTiff", width=8, height=8, count=1, dtype="uint8"):
        pass
    (folder / "a.tfw").write_text("5\n0\n0\n-5\n1000\n1000\n", encoding="ascii")
    with (
        _named(),
        _dropped("GDAL_DISABLE_READDIR_ON_OPEN")(),
        sources.open_raster(sources.local_source(path)) as dataset,
    ):
        return bool(dataset.transform.a == 5)


def _written_beside(folder: Path) -> bool:
    path = _raster(folder / "a.tif")
    with _named(), warnings.catch_warnings(), sources.open_raster(sources.local_source(path)) as dataset:
        warnings.simplefilter("ignore")  # there is no other way to have GDAL write beside a raster
        dataset.statistics(1)
    return (folder / "a.tif.aux.xml").exists()


@contextmanager
def _canary() -> Iterator[tuple[int, list[int]]]:
    """A port that nobody may come to, and how often somebody did."""
    visits: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    visitor, _ = server.accept()
                except OSError:
                    continue
                visits.append(1)
                visitor.close()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield server.getsockname()[1], visits
        finally:
            stop.set()
            listener.join()


def _gdal_calls(folder: Path) -> bool:
    """A name that has GDAL itself speak to a server, wherever it should slip in."""
    del folder
    with _canary() as (port, visits), rasterio.Env(**pins.GDAL_ENVIRONMENT):
        try:
            with rasterio.open(f"/vsicurl/http://127.0.0.1:{port}/a.tif"):
                pass
        except rasterio.errors.RasterioIOError:
            pass
        return bool(visits)


def _inside(folder: Path) -> bool:
    """An address of this machine's own network."""
    del folder
    with _canary() as (port, visits):
        with suppress(TilesError):
            connect.Web(2.0, ()).stat(read_address(f"http://127.0.0.1:{port}/a.tif"))
        return bool(visits)


def _many_pixels(folder: Path) -> bool:
    path = folder / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=1_000_000, height=1_000_000, count=1, dtype="uint8", tiled=True,
        blockxsize=8192, blockysize=8192, SPARSE_OK=True,
    ):  # fmt: skip
        pass
    return _opens(path)


def _many_bands(folder: Path) -> bool:
    path = folder / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=8, height=8, count=5000, dtype="uint8", interleave="pixel", SPARSE_OK=True
    ):
        pass
    return _opens(path)


def _large_block(folder: Path) -> bool:
    path = folder / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=32768, height=32768, count=1, dtype="uint8", tiled=True, blockxsize=32768,
        blockysize=32768, SPARSE_OK=True,
    ):  # fmt: skip
        pass
    return _opens(path)


def _large_mask(folder: Path) -> bool:
    """A mask whose one block has 400 million pixels, behind an image of small ones."""
    tags = {256: 600, 257: 600, 258: 8, 259: 8, 262: 1, 277: 1, 322: 256, 323: 256, 324: 0, 325: 0}
    mask = {**tags, 254: 4, 258: 1, 262: 4, 322: 20_480, 323: 20_480}
    size = 2 + 12 * len(mask) + 4
    content = b"II" + struct.pack("<HI", 42, 8)
    for entries, following in ((tags, 8 + size), (mask, 0)):
        body = struct.pack("<H", len(entries))
        body += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
        content += (body + struct.pack("<I", following)).ljust(size, b"\0")
    (folder / "a.tif").write_bytes(content)
    return _opens(folder / "a.tif")


def _slow(folder: Path) -> bool:
    """Work that does not end, as that of a decoder which a file leads in circles; it gets through when it holds who asked."""
    del folder
    ended = threading.Event()

    async def wanted() -> bool:
        return False

    async def ask() -> None:
        await workers.Workers(1, 0.1).run(lambda: ended.wait(2), wanted)

    try:
        asyncio.run(ask())
    except TilesError:
        return False
    finally:
        ended.set()
    return True


async def _for_ever(_: workers.Workers, future: asyncio.Future[Any]) -> bool:
    await asyncio.wait((future,))
    return True


def _unknown_codec(folder: Path) -> bool:
    return _opens(_raster(folder / "a.tif", compress="LZMA"))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _in_one_piece(folder: Path) -> bool:
    """A PNG of 40,000 x 40,000 pixels in a few hundred bytes."""
    side = 40_000
    body = zlib.compress(bytes(side + 1), 9)
    (folder / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    )  # fmt: skip
    return _opens(folder / "a.png")


def _read_at_once(folder: Path) -> bool:
    path = folder / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=70_000, height=70_000, count=1, dtype="uint8", tiled=True, blockxsize=512,
        blockysize=512, SPARSE_OK=True,
    ):  # fmt: skip
        pass
    try:
        with sources.open_raster(sources.local_source(path), settings=TilesSettings()) as dataset:
            dataset.read(1, out_shape=(64, 64))
    except TilesError:
        return False
    return True


def _link(folder: Path) -> bool:
    """A link that takes the place of a file between the check and the opening."""
    mine, secret = _raster(folder / "mine.tif", 1), _raster(folder / "secret.tif")
    source = sources.local_source(mine)
    mine.unlink()
    mine.symlink_to(secret)
    os.utime(secret, ns=(0, int(source.version.partition("-")[2], 16)))
    try:
        with sources.open_raster(source) as dataset:
            return bool(dataset.read(1, window=((0, 1), (0, 1)))[0, 0] == _VALUE)
    except TilesError:
        return False


def _by_path(source: sources.Source, options: dict[str, Any]) -> tuple[Reader, int]:
    """As everybody opens a file."""
    return Reader(Path(source.href), **options), os.open(os.devnull, os.O_RDONLY)


def _much_memory(folder: Path) -> bool:
    del folder
    memory.bound(_BOUND)
    try:
        return bool(np.empty((2 * _BOUND, 2**20), np.uint8).nbytes)
    except MemoryError:
        return False
    finally:
        memory.unbound()


_BOUND: Final = 1024


def _plugin(folder: Path) -> bool:
    """A driver in Python, which GDAL imports and runs when it looks for drivers."""
    witness = folder / "witness"
    (folder / "gdal_probe.py").write_text(
        "# gdal: DRIVER_NAME = 'PROBE'\n# gdal: DRIVER_SUPPORTED_API_VERSION = [1]\n# gdal: DRIVER_DCAP_VECTOR = 'YES'\n"
        f"# gdal: DRIVER_DMD_LONGNAME = 'probe'\nopen({str(witness)!r}, 'w').close()\n",
        encoding="utf-8",
    )
    setting = "GDAL_PYTHON_DRIVER_PATH"
    again = f"os.environ[{setting!r}] = {str(folder)!r}" if os.environ.get("PROBE_WITHOUT") == setting else ""
    code = (
        f"import os\nfrom tiles import pins\n{again}\nimport pyogrio\n"
        f"try: pyogrio.read_info({str(folder / 'gdal_probe.py')!r})\nexcept Exception: pass\n"
    )
    # A process of its own: GDAL looks for drivers once.
    environment = {**os.environ, setting: str(folder)}
    subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False, timeout=120)  # noqa: S603
    return witness.exists()


def _pixel_function(folder: Path) -> bool:
    """Code inside of a VRT, for whoever opens one."""
    witness = folder / "witness"
    _raster(folder / "a.tif")
    (folder / "a.vrt").write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand">'
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionType>f</PixelFunctionType><PixelFunctionCode><![CDATA[\n"
        f"open({str(witness)!r}, 'w').close()\ndef f(*a, **k): pass\n]]></PixelFunctionCode><SimpleSource>"
        f"<SourceFilename>{folder / 'a.tif'}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
        encoding="utf-8",
    )
    try:
        with rasterio.open(folder / "a.vrt") as dataset:
            dataset.read(1)
    except rasterio.errors.RasterioIOError:
        pass
    return witness.exists()


def _dropped(setting: str) -> Callable[[], AbstractContextManager[Any]]:
    """Without one of the settings for the time that a raster is open."""

    def drop() -> AbstractContextManager[Any]:
        rest = {name: value for name, value in pins.GDAL_ENVIRONMENT.items() if name != setting}
        return mock.patch.dict(pins.GDAL_ENVIRONMENT, rest, clear=True)

    return drop


def _unpinned(setting: str) -> Callable[[], AbstractContextManager[Any]]:
    """Without one of the settings of the process: as the environment had it."""
    return lambda: mock.patch.dict(os.environ, {setting: POISON.get(setting, ""), "PROBE_WITHOUT": setting})


def _drivers(name: str) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: mock.patch.object(sources, "DRIVERS", (*sources.DRIVERS, name))


def _raised(field: str) -> Callable[[], AbstractContextManager[Any]]:
    """With a limit so high that it is none."""
    return lambda: mock.patch.dict(os.environ, {f"TILES_{field.upper()}": str(10**15)})


PROBES: Final = (
    Probe("driver list: VRT", "a VRT named .tif that shows another file", _vrt, _drivers("VRT")),
    Probe("driver list: GTI", "a tile index named .tif that shows other files", _index, _drivers("GTI")),
    Probe("driver list: WMS", "a service description named .tif that reads a file", _wms, _drivers("WMS")),
    Probe("GDAL_DISABLE_READDIR_ON_OPEN", "overviews beside a raster that take its place", _overviews_beside, _dropped("GDAL_DISABLE_READDIR_ON_OPEN")),
    Probe("GDAL_GEOREF_SOURCES", "a world file beside a raster that moves it", _place_beside, _dropped("GDAL_GEOREF_SOURCES")),
    Probe("GDAL_PAM_ENABLED", "files written beside a raster", _written_beside, _dropped("GDAL_PAM_ENABLED")),
    Probe("CPL_VSIL_CURL_ALLOWED_FILENAME", "a name that has GDAL call a server", _gdal_calls, _dropped("CPL_VSIL_CURL_ALLOWED_FILENAME")),
    Probe("GDAL_VRT_ENABLE_PYTHON", "code inside of a VRT", _pixel_function, _unpinned("GDAL_VRT_ENABLE_PYTHON")),
    Probe("GDAL_PYTHON_DRIVER_PATH", "a folder of drivers in Python", _plugin, _unpinned("GDAL_PYTHON_DRIVER_PATH")),
    Probe("peer addresses", "a raster on a server inside of the network", _inside, lambda: mock.patch.object(connect, "may_connect", return_value=True)),
    Probe("links", "a link that takes the place of a file", _link, lambda: mock.patch.object(sources, "_open_here", _by_path)),
    Probe("TILES_MAX_PIXELS", "a header that claims 10^12 pixels", _many_pixels, _raised("max_pixels")),
    Probe("TILES_MAX_BANDS", "a header that claims 5,000 bands", _many_bands, _raised("max_bands")),
    Probe("TILES_MAX_BLOCK_MB", "a block that takes a gigabyte", _large_block, _raised("max_block_mb")),
    Probe("blocks of masks", "a mask whose block takes 400 MB", _large_mask, lambda: mock.patch.object(sources, "check_images")),
    Probe("TILES_MAX_SECONDS", "a raster that is decoded without end", _slow, lambda: mock.patch.object(workers.Workers, "_in_time", _for_ever)),
    Probe("TILES_MAX_READ_MPX", "a preview that reads 5,000 million pixels", _read_at_once, _raised("max_read_mpx")),
    Probe("codec list", "a codec that takes gigabytes if a file says so", _unknown_codec, lambda: mock.patch.object(limits, "CODECS", limits.CODECS | {"lzma"})),
    Probe("sequential formats", "a PNG of 1.6 thousand million pixels", _in_one_piece, lambda: mock.patch.object(limits, "MAX_SEQUENTIAL", 10**15)),
    Probe("TILES_MEMORY_MB", "a process that takes all memory", _much_memory, lambda: mock.patch.object(memory, "bound")),
)  # fmt: skip
"""All of them."""


def run(probe: Probe, *, without: bool = False) -> tuple[bool, str]:
    """Try an attack.

    Args:
        probe: which.
        without: with its protection taken away.

    Returns:
        Whether it was held off, and what was unexpected.
    """
    with tempfile.TemporaryDirectory(prefix="probe-") as name:
        folder = Path(name).resolve()
        try:
            if not without:
                return not probe.attack(folder), ""
            with probe.without():
                return not probe.attack(folder), ""
        except Exception as error:  # noqa: BLE001 - a probe that cannot be run says so; it has not held
            return False, f"{type(error).__name__}: {error}"


def main() -> int:
    """Try them all, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tiles.probes", description="Attacks that must fail here.")
    parser.add_argument("--without", action="store_true", help="take each protection away first")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    held = True
    for probe in PROBES:
        if given.names and probe.name not in given.names:
            continue
        held_off, detail = run(probe, without=given.without)
        held &= held_off
        line = {"name": probe.name, "against": probe.against, "held": held_off, "detail": detail}
        print(json.dumps(line), flush=True)  # noqa: T201 - what this module is run for
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
