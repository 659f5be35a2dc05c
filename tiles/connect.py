"""Byte ranges over HTTP, from addresses that may be connected to and from no other.

The check is made where the connection is: names are resolved here, every address is looked at, and the socket goes to
one that was looked at. So a name that resolves anew (DNS rebinding), a redirect and an odd spelling of 127.0.0.1 all end
at the same question. Redirects are followed here, hop by hop, for the same reason.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import httpcore

from tiles.allow import Address, read_address
from tiles.errors import SourceChanged, SourceNotFound, SourceRefused, SourceUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MAX_HOPS: Final = 5
_RETRIED: Final = frozenset({429, 500, 502, 503, 504})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
# How long the end of a redirect is believed: signed targets of content networks live for minutes.
_MOVED_S: Final = 60.0
_CONNECTIONS: Final = 32
_MAX_HEADER: Final = 1024
# Networks that hold another address inside, which is what is reached through them.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_TUNNELS: Final = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"))

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one state of a file elsewhere from another.

    Attributes:
        size: in bytes.
        tag: its ETag with quotes, `W/` in front when it is a weak one, or its Last-Modified date; empty when it has neither.
    """

    size: int
    tag: str

    @property
    def version(self) -> str:
        """As the version of a Source."""
        return f"{self.size:x}-{self.tag}"

    @classmethod
    def of(cls, version: str) -> Stamp:
        """Read a version back."""
        size, _, tag = version.partition("-")
        return cls(int(size, 16), tag)

    @property
    def conditions(self) -> dict[bytes | str, bytes | str]:
        """Headers that have a server refuse (412) when its file is another one now."""
        if self.tag.startswith('"'):
            return {"If-Match": self.tag}
        return {} if not self.tag or self.tag.startswith("W/") else {"If-Unmodified-Since": self.tag}


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks of a setting, such as `10.0.0.0/8`.

    Raises:
        ValueError: one is none.
    """
    return tuple(ipaddress.ip_network(text) for text in texts)


def may_connect(text: str, networks: Iterable[Network]) -> bool:
    """Whether an IP address is one of the public internet, or of one of the networks.

    Everything else is somebody's inside: loopback, private and link-local ranges, the metadata services of clouds.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in tunnel for tunnel in _TUNNELS):
            return False
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        address = inner or address
    if any(address in network for network in networks):
        return True
    return address.is_global and not address.is_multicast and not address.is_reserved


@dataclass(frozen=True, slots=True)
class _Asked:
    """Bytes that are asked for, and until when."""

    address: Address
    start: int
    end: int
    conditions: Mapping[bytes | str, bytes | str]
    until: float


class _Checked(httpcore.NetworkBackend):
    """Connects only where it may."""

    def __init__(self, networks: Callable[[], tuple[Network, ...]]) -> None:
        self._networks = networks
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host!r} is not known") from error
        networks = self._networks()
        # One that may not be reached among several is enough: the next answer may hold it alone.
        if not all(may_connect(address, networks) for address in found):
            raise SourceRefused(
                f"{host!r} is an address inside of a network, which is not connected to. If it is yours, name its network in TILES_NETWORKS."
            )
        for address in sorted(found, key=lambda text: (":" in text, text)):
            try:
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failed = error
        raise failed


class Web:
    """Reads ranges of files on web servers. For many threads.

    Args:
        timeout_s: longest wait for a connection, for the next bytes, and for a whole answer.
        networks: that may be connected to although they are not public.
        counted: told of each request and how many bytes came.
    """

    def __init__(
        self, timeout_s: float, networks: tuple[Network, ...], counted: Callable[[int], None] = lambda _: None
    ) -> None:
        self._timeout = timeout_s
        self._counted = counted
        self._pool = httpcore.ConnectionPool(
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_CONNECTIONS,
            keepalive_expiry=30,
            network_backend=_Checked(lambda: networks),
        )
        self._moved: dict[Address, tuple[Address, float]] = {}

    def stat(self, address: Address, hop: Callable[[Address], None] = lambda _: None) -> Stamp:
        """Size and validator of a file, by asking for its first byte.

        Args:
            address: of the file.
            hop: looks at each redirect, and raises when it may not be followed.

        Raises:
            SourceNotFound, SourceRefused, SourceUnreachable: no such file, may not be read or not in parts, or no answer.
        """
        _, headers = self._get(address, 0, 1, {}, hop)
        return _stamp(address, headers)

    def fetch(self, address: Address, start: int, end: int, stamp: Stamp) -> bytes:
        """Bytes `start` up to (not with) `end` of a file that still is the one that the stamp is of.

        Raises:
            SourceChanged: it is another one now.
            SourceNotFound, SourceRefused, SourceUnreachable: as `stat`.
        """
        body, headers = self._get(address, start, end, stamp.conditions, lambda _: None)
        now = _stamp(address, headers)
        if now.size != stamp.size or (now.tag and stamp.tag and now.tag != stamp.tag):
            raise changed(address)
        if len(body) != end - start:
            raise SourceUnreachable(f"{name(address)} gave {len(body):,} bytes where {end - start:,} were asked for.")
        return body

    def _get(
        self,
        address: Address,
        start: int,
        end: int,
        conditions: Mapping[bytes | str, bytes | str],
        hop: Callable[[Address], None],
    ) -> tuple[bytes, dict[str, str]]:
        asked = _Asked(address, start, end, conditions, time.monotonic() + 2 * self._timeout)
        target, believed = self._moved.get(address, (address, 0.0))
        if time.monotonic() > believed:
            target = address
        status, body, headers = self._ask(asked, target)
        if target != address and status not in {206, 412}:  # the end of a redirect has run out
            target = address
            status, body, headers = self._ask(asked, target)
        hops = 0
        while status in _MOVED:
            hops += 1
            if hops > MAX_HOPS:
                raise SourceRefused(f"{name(address)} is redirected more than {MAX_HOPS} times.")
            further = read_address(urljoin(target.href, headers.get("location", "")), redirect=True)
            if not further.is_web or (target.scheme == "https" and further.scheme != "https"):
                raise SourceRefused(
                    f"{name(address)} is redirected from https to {further.scheme}, which is not followed."
                )
            hop(further)
            target = further
            status, body, headers = self._ask(asked, target)
        self._check_status(address, status, headers)
        if target != address:
            self._moved[address] = (target, time.monotonic() + _MOVED_S)
        return body, headers

    def _check_status(self, address: Address, status: int, headers: dict[str, str]) -> None:
        if status == 206:
            return
        if status in {412, 416}:
            raise changed(address)
        if status in {404, 410}:
            raise SourceNotFound(f"There is no file at {address.href!r} (any more).")
        if status in {401, 403, 407}:
            raise SourceRefused(f"{name(address)} may not be read: its server answers {status}.")
        if status == 200:
            raise SourceRefused(
                f"{name(address)} cannot be read in parts: its server does not answer range requests. Copy the file to this machine, or to an object store."
            )
        wait = f"; it asks to wait {headers['retry-after'][:8]} s" if headers.get("retry-after", "").isdigit() else ""
        raise SourceUnreachable(f"The server of {name(address)} fails: it answers {status}{wait}.")

    def _ask(self, asked: _Asked, target: Address) -> tuple[int, bytes, dict[str, str]]:
        """One request, and a second one when the first one met a passing fault."""
        for last in (False, True):
            try:
                answer = self._once(asked, target)
            except httpcore.TimeoutException as error:
                raise SourceUnreachable(
                    f"The server of {name(asked.address)} is too slow: no answer in {self._timeout:g} s (TILES_HTTP_TIMEOUT_S)."
                ) from error
            except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
                # The first time, perhaps only a kept connection that the server had closed.
                if last or isinstance(error, httpcore.ConnectError):
                    raise SourceUnreachable(
                        f"The server of {name(asked.address)} cannot be reached: {_reason(error)}."
                    ) from error
            else:
                if last or answer[0] not in _RETRIED:
                    return answer
        raise AssertionError

    def _once(self, asked: _Asked, target: Address) -> tuple[int, bytes, dict[str, str]]:
        host, port = target.server
        url = httpcore.URL(
            scheme=target.scheme,
            host=host,
            port=port if target.port else None,
            target=target.path + (f"?{target.query}" if target.query else ""),
        )
        headers: dict[bytes | str, bytes | str] = {
            "Host": target.href.split("/")[2],
            "User-Agent": "geolabel-tiles",
            "Accept-Encoding": "identity",  # ranges of a compressed body are not ranges of the file
            "Range": f"bytes={asked.start}-{asked.end - 1}",
            **asked.conditions,
        }
        limit = max(0.001, min(self._timeout, asked.until - time.monotonic()))
        limits = dict.fromkeys(("connect", "read", "write", "pool"), limit)
        with self._pool.stream("GET", url, headers=headers, extensions={"timeout": limits}) as answer:
            found = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in answer.headers}
            body = b"" if answer.status != 206 else b"".join(_received(answer, asked))
        self._counted(len(body))
        return answer.status, body, found

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()


def _received(answer: httpcore.Response, asked: _Asked) -> Iterator[bytes]:
    """What comes, as long as it is not more than was asked for and not a drop at a time."""
    count = 0
    for part in answer.iter_stream():
        count += len(part)
        if count > asked.end - asked.start:
            raise httpcore.RemoteProtocolError("more bytes than were asked for")
        if time.monotonic() > asked.until:
            raise httpcore.ReadTimeout("a drop at a time")
        yield part


def _stamp(address: Address, headers: dict[str, str]) -> Stamp:
    size = headers.get("content-range", "").rpartition("/")[2]
    if not (size.isascii() and size.isdigit()):
        raise SourceRefused(f"{name(address)} cannot be read in parts: its server does not say how large the file is.")
    tag = headers.get("etag") or _date(headers.get("last-modified", ""))
    if len(tag) > _MAX_HEADER or not (tag.isascii() and tag.isprintable()):
        raise SourceRefused(f"{name(address)} has an ETag that cannot be used.")
    return Stamp(int(size), tag)


def _date(text: str) -> str:
    """A Last-Modified header that is a date, or nothing."""
    try:
        parsedate_to_datetime(text)
    except ValueError:
        return ""
    return text


def changed(address: Address) -> SourceChanged:
    """What is said of a file that is another one now."""
    return SourceChanged(f"{name(address)} was replaced while it was read; ask again for the new one.")


def name(address: Address) -> str:
    """The file's name, in quotes: what messages show."""
    return repr(address.path.rsplit("/", 1)[-1] or address.host)


def _reason(error: BaseException) -> str:
    """In words: never the text of a library, which may hold an address."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate cannot be verified"
    if "is not known" in text:
        return "its name is not known"
    return "it refuses the connection" if "refused" in text.lower() else "the connection failed"
