"""Rasters elsewhere: their versions, and their bytes in pages that are fetched when they are needed.

GDAL never speaks to a network here. It reads through `RemoteFile`, whose bytes come from `Contents`; those ask for ranges
under the condition that the file still is the one that the version names, so that no tile mixes two states of it.
"""

from __future__ import annotations

import io
import time
import warnings
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from rasterio.errors import RasterioDeprecationWarning
from rasterio.io import FilePath

from tiles import metrics
from tiles.allow import Address, read_address
from tiles.buckets import Buckets
from tiles.connect import Stamp, Web, read_networks
from tiles.errors import SourceChanged, SourceUnreachable, TilesError
from tiles.reader import Reader
from tiles.tiff import Directory, read_directories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tiles.settings import TilesSettings

PAGE: Final = 16 * 2**10
"""Bytes are fetched and kept in multiples of this."""

_FIRST: Final = 8
_AHEAD: Final = 4
# Pages between two runs that are rather fetched as well than asked for apart; more when there would be too many runs.
_GAP, _WIDE_GAP, _RUNS = 4, 64, 2
_MOST_AHEAD: Final = 32 * 2**20
_CHECKED_S: Final = 30.0
_REFUSED_S: Final = 10.0
_FAILURES: Final = 3
_REST_S: Final = 20.0


# Its successor (`opener`) keeps what is open in a context variable, so that no other thread may read or close it.
warnings.filterwarnings("ignore", "FilePath is supplanted", RasterioDeprecationWarning)


class Breaker:
    """Servers that failed several times in a row are left alone for a while: nobody waits for what will not come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[tuple[str, int], tuple[int, float]] = {}
        self._lock = Lock()

    def run(self, server: tuple[str, int], work: Callable[[], Any]) -> Any:
        """Do it, unless the server is left alone at this time.

        Raises:
            SourceUnreachable: it is, or the work said so.
        """
        with self._lock:
            count, until = self._failed.get(server, (0, 0.0))
            if count >= _FAILURES:
                if self._clock() < until:
                    raise SourceUnreachable(
                        f"The server {server[0]!r} failed {count} times in a row and is left alone for {max(1, round(until - self._clock()))} s."
                    )
                # One of those who ask now tries it; the others go on waiting.
                self._failed[server] = (count, self._clock() + _REST_S)
        try:
            done = work()
        except SourceUnreachable:
            with self._lock:
                count = self._failed.get(server, (0, 0.0))[0] + 1
                self._failed[server] = (count, self._clock() + _REST_S)
            raise
        with self._lock:
            self._failed.pop(server, None)
        return done


class Pages:
    """Pages of files, the least recently used thrown out first. For many threads.

    Args:
        limit: bytes that are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._kept: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self._coming: dict[tuple[str, str, int], Future[bytes]] = {}
        self._lock = Lock()

    def get(
        self,
        file: tuple[str, str],
        wanted: Sequence[int],
        ahead: Iterable[int],
        fetch: Callable[[list[int]], dict[int, bytes]],
    ) -> dict[int, bytes]:
        """Pages by number.

        Args:
            file: href and version.
            wanted: which; those that somebody else is fetching are waited for.
            ahead: which others to fetch with them when any of those is missing.
            fetch: gets those that are missing.
        """
        found: dict[int, bytes] = {}
        theirs: dict[int, Future[bytes]] = {}
        mine: dict[int, Future[bytes]] = {}
        with self._lock:
            for page in wanted:
                key = (*file, page)
                if key in self._kept:
                    self._kept.move_to_end(key)
                    found[page] = self._kept[key]
                elif key in self._coming:
                    theirs[page] = self._coming[key]
                else:
                    mine[page] = self._coming[key] = Future()
            if mine:
                for page in ahead:
                    key = (*file, page)
                    if key not in self._kept and key not in self._coming:
                        mine[page] = self._coming[key] = Future()
        if mine:
            found |= self._fetch(file, mine, fetch)
        return found | {page: future.result() for page, future in theirs.items()}

    def _fetch(
        self,
        file: tuple[str, str],
        mine: dict[int, Future[bytes]],
        fetch: Callable[[list[int]], dict[int, bytes]],
    ) -> dict[int, bytes]:
        try:
            got = fetch(sorted(mine))
        except BaseException as error:
            with self._lock:
                for page in mine:
                    del self._coming[*file, page]
            for future in mine.values():
                future.set_exception(error)
            raise
        with self._lock:
            for page, content in got.items():
                key = (*file, page)
                self._coming.pop(key, None)
                if key not in self._kept:
                    self._kept[key] = content
                    self._used += len(content)
            while self._used > self._limit and self._kept:
                self._used -= len(self._kept.popitem(last=False)[1])
        for page, future in mine.items():
            future.set_result(got[page])
        return got


class Contents:
    """The bytes of one state of a file elsewhere.

    Args:
        href: of the file.
        stamp: of the state.
        pages: where its bytes are kept.
        fetch: gets bytes, from and up to an offset.
    """

    def __init__(self, href: str, stamp: Stamp, pages: Pages, fetch: Callable[[int, int], bytes]) -> None:
        self.href = href
        self.size = stamp.size
        self._file = (href, stamp.version)
        self._pages = pages
        self._fetch = fetch
        self._directories: list[Directory] | None = None

    def read(self, start: int, length: int) -> bytes:
        """Bytes from an offset; fewer at the end of the file."""
        end = min(start + length, self.size)
        if start >= end:
            return b""
        first, last = start // PAGE, (end - 1) // PAGE
        most = (self.size - 1) // PAGE
        beyond = _FIRST if first == 0 else last + _AHEAD
        got = self._pages.get(
            self._file,
            range(first, last + 1),
            range(last + 1, min(beyond, most + 1)),
            self._get,
        )
        joined = b"".join(got[page] for page in range(first, last + 1))
        return joined[start - first * PAGE : end - first * PAGE]

    def fetch_ahead(self, width: int, height: int, window: tuple[int, int, int, int], bands: tuple[int, ...]) -> None:
        """Get the blocks of a window, of the image of this size and of its mask, before GDAL asks for them one by one."""
        if self._directories is None:
            self._directories = read_directories(self.read)
        ranges = [
            piece
            for directory in self._directories
            if (directory.width, directory.height) == (width, height)
            for piece in directory.ranges(window, bands)
        ]
        if not ranges or sum(end - start for start, end in ranges) > _MOST_AHEAD:
            return
        most = (self.size - 1) // PAGE
        wanted = sorted({p for a, b in ranges for p in range(a // PAGE, min((b - 1) // PAGE, most) + 1)})
        self._pages.get(self._file, wanted, (), self._get)

    def _get(self, missing: list[int]) -> dict[int, bytes]:
        runs = _runs(missing)
        parts = list(_FETCHERS.map(self._run, runs)) if len(runs) > 1 else [self._run(runs[0])]
        return {page: content for part in parts for page, content in part.items()}

    def _run(self, run: tuple[int, int]) -> dict[int, bytes]:
        first, last = run
        body = self._fetch(first * PAGE, min((last + 1) * PAGE, self.size))
        return {first + i: body[i * PAGE : (i + 1) * PAGE] for i in range(last - first + 1)}


_FETCHERS: Final = ThreadPoolExecutor(16, thread_name_prefix="ranges")


def _runs(pages: list[int]) -> list[tuple[int, int]]:
    """First and last page of each stretch to ask for at once."""
    runs: list[tuple[int, int]] = []
    for page in pages:
        if runs and page - runs[-1][1] - 1 <= _GAP:
            runs[-1] = (runs[-1][0], page)
        else:
            runs.append((page, page))
    while len(runs) > _RUNS:
        gap, i = min((runs[i + 1][0] - runs[i][1], i) for i in range(len(runs) - 1))
        if gap > _WIDE_GAP:
            break
        runs[i : i + 2] = [(runs[i][0], runs[i + 1][1])]
    return runs


class RemoteFile(io.RawIOBase):
    """What GDAL reads from; it asks for a copy of its own through `fs`, each with its own position."""

    def __init__(self, contents: Contents) -> None:
        super().__init__()
        self.contents = contents
        self.path, self.mode = contents.href, "rb"
        self.failure: TilesError | None = None
        self._at = 0

    @property
    def fs(self) -> _Opener:
        """Gives the copies: rasterio looks for a file system here."""
        return _Opener(self)

    def read(self, size: int = -1) -> bytes:
        """The next bytes. What goes wrong is kept in `failure`, because it cannot be raised through GDAL."""
        try:
            got = self.contents.read(self._at, self.contents.size - self._at if size < 0 else size)
        except TilesError as error:
            self.failure = error
            return b""
        self._at += len(got)
        return got

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.contents.size}[whence]
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at


class _Opener:
    """Opens copies of a file, and has their failures told by the first one."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file

    def open(self, path: str, mode: str) -> RemoteFile:
        """A copy at its beginning."""
        del path, mode
        return _Copy(self._file)


class _Copy(RemoteFile):
    def __init__(self, first: RemoteFile) -> None:
        self._first = first
        super().__init__(first.contents)

    def read(self, size: int = -1) -> bytes:
        got = super().read(size)
        if self.failure is not None:
            self._first.failure, self.failure = self.failure, None
        return got


class RemoteReader(Reader):
    """A raster elsewhere, whose windows are fetched whole before GDAL reads them block by block."""

    file: RemoteFile
    path: FilePath

    @classmethod
    def make(cls, contents: Contents, **options: Any) -> RemoteReader:
        """Open it.

        Args:
            contents: its bytes.
            options: of DatasetReader.

        Raises:
            TilesError: its bytes cannot be had.
            RasterioIOError: they are not those of a raster.
        """
        file = RemoteFile(contents)
        path = FilePath(file)
        try:
            reader = cls(path.name, **options)
        except BaseException:
            path.close()
            if file.failure is not None:
                raise file.failure from None
            raise
        reader.file, reader.path = file, path
        return reader

    def read(self, indexes: Any = None, *more: Any, **options: Any) -> Any:
        """As of DatasetReader."""
        self._ahead(indexes, **options)
        return self._told(lambda: super(RemoteReader, self).read(indexes, *more, **options))

    def read_masks(self, indexes: Any = None, *more: Any, **options: Any) -> Any:
        """As of DatasetReader."""
        self._ahead(indexes, **options)
        return self._told(lambda: super(RemoteReader, self).read_masks(indexes, *more, **options))

    def close(self) -> None:
        """Close it."""
        super().close()
        self.path.close()

    def _told(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception:
            if self.file.failure is not None:
                raise self.file.failure from None
            raise

    def _ahead(self, indexes: Any, *, window: Any = None, out_shape: Any = None, **_: Any) -> None:
        self.check(indexes, window=window, out_shape=out_shape)
        place = self.place(window)
        if out_shape is not None and out_shape[-1] * 2 <= place[2]:
            return  # GDAL takes an overview then, and knows best which blocks of it
        self.file.contents.fetch_ahead(self.width, self.height, place, self.bands(indexes))


class Remote:
    """Files elsewhere, as the settings let them be reached. For many threads; one for a process and its settings."""

    def __init__(self, settings: TilesSettings) -> None:
        self._web = Web(settings.http_timeout_s, read_networks(settings.networks), metrics.fetched)
        self._buckets = Buckets(settings.http_timeout_s, metrics.fetched)
        self._breaker = Breaker()
        self._pages = Pages(settings.remote_mb * 2**20)
        self._stamps: dict[str, tuple[Stamp, float]] = {}
        self._refused: dict[str, tuple[TilesError, float]] = {}
        self._checking: set[str] = set()
        self._contents: OrderedDict[tuple[str, str], Contents] = OrderedDict()
        self._lock = Lock()

    def version(self, href: str, believed: str | None = None) -> str:
        """The version of a file, as it was at most half a minute ago.

        Args:
            href: of the file.
            believed: a version from earlier; with it, nobody waits: it is looked up while the answer is made.

        Raises:
            SourceNotFound, SourceRefused, SourceUnreachable: it has none.
        """
        address = read_address(href)
        stamp, until = self._stamps.get(href, (None, 0.0))
        if stamp is None and believed:
            try:
                stamp = Stamp.of(believed)
            except ValueError:  # of a time when this scene was another file
                stamp = None
        if stamp is None:
            return self.look(address).version
        if time.monotonic() > until:
            self._check_later(address)
        return stamp.version

    def look(self, address: Address, hop: Callable[[Address], None] | None = None) -> Stamp:
        """What a file is now; asks its server.

        Args:
            address: of the file.
            hop: looks at each redirect, and raises when it may not be followed.

        Raises:
            SourceNotFound, SourceRefused, SourceUnreachable: it cannot be had; said again for ten seconds without asking.
        """
        error, until = self._refused.get(address.href, (None, 0.0))
        if error is not None and hop is None and time.monotonic() < until:
            raise type(error)(str(error))
        try:
            stamp: Stamp = self._breaker.run(
                address.server, lambda: self._by(address).stat(address, hop or (lambda _: None))
            )
        except TilesError as error:
            if hop is None:
                self._refused[address.href] = (error, time.monotonic() + _REFUSED_S)
            raise
        self._refused.pop(address.href, None)
        self._stamps[address.href] = (stamp, time.monotonic() + _CHECKED_S)
        return stamp

    def contents(self, href: str, version: str) -> Contents:
        """The bytes of a version of a file."""
        with self._lock:
            known = self._contents.get((href, version))
            if known is None:
                address, stamp = read_address(href), Stamp.of(version)
                known = Contents(href, stamp, self._pages, lambda start, end: self._fetch(address, start, end, stamp))
                self._contents[href, version] = known
                if len(self._contents) > 1000:
                    self._contents.popitem(last=False)
            return known

    def _fetch(self, address: Address, start: int, end: int, stamp: Stamp) -> bytes:
        try:
            got: bytes = self._breaker.run(address.server, lambda: self._by(address).fetch(address, start, end, stamp))
        except SourceChanged:
            self._stamps.pop(address.href, None)
            self.look(address)
            raise
        return got

    def _by(self, address: Address) -> Web | Buckets:
        return self._web if address.is_web else self._buckets

    def _check_later(self, address: Address) -> None:
        with self._lock:
            if address.href in self._checking:
                return
            self._checking.add(address.href)

        def check() -> None:
            try:
                self.look(address)
            except TilesError:  # told to whoever reads from it
                pass
            finally:
                self._checking.discard(address.href)

        _CHECKERS.submit(check)


_CHECKERS: Final = ThreadPoolExecutor(4, thread_name_prefix="versions")


@cache
def remote(settings: TilesSettings) -> Remote:
    """The one of this process for these settings."""
    return Remote(settings)
