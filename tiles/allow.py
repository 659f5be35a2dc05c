"""Names of rasters that are elsewhere: taken apart, held against what is allowed, and put together again by us.

GDAL reads much into a name (`/vsicurl?header_file=...`, `<VRTDataset>`, `WMS:...`), and so do URL parsers, each in its own
way. So nothing of what a user wrote is passed on: only scheme, host, port and path, each of a known form.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tiles.errors import SourceRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMES: Final = ("https", "http", "s3", "gs", "az")
"""What a raster elsewhere may be reached by: the web, and the object stores of Amazon (and alike), Google and Azure."""

_WEB: Final = frozenset({"https", "http"})
_PORTS: Final = {"https": 443, "http": 80}
_LABEL: Final = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_BUCKET: Final = re.compile(r"[a-z0-9$][a-z0-9._-]{0,62}")
_WEB_PATH: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})+")
_QUERY: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
# Escapes that a server may take for a step upwards, a separator or an end.
_SLY: Final = re.compile(r"%(?:2e|2f|5c|00|25|0a|0d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a raster elsewhere is.

    Attributes:
        scheme: one of `SCHEMES`.
        host: lower case, without a port; the bucket or container of an object store.
        port: None when it is the scheme's own.
        path: with the leading slash; of the web as it goes over the wire (percent-encoded).
        query: only that of a redirect; empty otherwise.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str = ""

    @property
    def href(self) -> str:
        """The name, put together anew."""
        port = "" if self.port is None else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{port}{self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def is_web(self) -> bool:
        """Whether it is reached by HTTP, and not through an object store's own protocol."""
        return self.scheme in _WEB

    @property
    def server(self) -> tuple[str, int]:
        """Host and port to connect to; for an object store the bucket, and port 0."""
        return self.host, self.port or _PORTS.get(self.scheme, 0)


def is_address(text: str) -> bool:
    """Whether a name means to be an address, and not a path on this machine."""
    return "://" in text


def read_address(text: str, *, redirect: bool = False) -> Address:
    """Take an address apart.

    Args:
        text: `https://host/path.tif`, `s3://bucket/key.tif`...
        redirect: whether a server gave it; then it may have a query.

    Raises:
        SourceRefused: it is not of that form; the sentence says where.
    """
    shown = _shown(text)
    if len(text) > 2048 or not text.isprintable() or "\\" in text or text != text.strip():
        raise SourceRefused(
            f"The address {shown} cannot be used: expected at most 2048 printable characters, no '\\' and no spaces around."
        )
    scheme, sep, rest = text.partition("://")
    scheme = scheme.lower()
    if not sep or scheme not in SCHEMES:
        raise SourceRefused(
            f"The address {shown} cannot be used: expected {', '.join(f'{s}://' for s in SCHEMES)} in front."
        )
    if scheme in _WEB:
        return _web(scheme, rest, shown, redirect=redirect)
    bucket, _, key = rest.partition("/")
    path = f"/{key}"
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or not key or key.startswith("/"):
        raise SourceRefused(f"The address {shown} cannot be used: expected {scheme}://BUCKET/KEY.")
    if _climbs(path) or set(path) & set('?#<>{}|^"`'):
        raise SourceRefused(f"The key in {shown} cannot be used: no '..', '?', '#' or quotes are expected in it.")
    return Address(scheme, bucket, None, path)


def _web(scheme: str, rest: str, shown: str, *, redirect: bool) -> Address:
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        port = parts.port
    except ValueError as error:
        raise SourceRefused(f"The address {shown} cannot be used: {error}.") from error
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise SourceRefused(
            f"The address {shown} cannot be used: a user name or password in it would be shown to others."
        )
    if (parts.query or parts.fragment or "#" in rest or "?" in rest) and not (redirect and not parts.fragment):
        raise SourceRefused(
            f"The address {shown} cannot be used: it has a part behind '?' or '#'. A signed address ends after a while and would be "
            "shown to others; use the object store's own name (s3://, gs://, az://) with credentials in the server's environment."
        )
    host = _host((parts.hostname or "").lower(), shown)
    if not _WEB_PATH.fullmatch(parts.path) or _climbs(parts.path) or _SLY.search(parts.path):
        raise SourceRefused(
            f"The path in {shown} cannot be used: expected a percent-encoded path of a file without '..' and escaped slashes."
        )
    if not _QUERY.fullmatch(parts.query):
        raise SourceRefused(f"The address {shown} cannot be used: its query is not percent-encoded.")
    if port == 0:
        raise SourceRefused(f"The address {shown} cannot be used: there is no port 0.")
    return Address(scheme, host, None if port == _PORTS[scheme] else port, parts.path, parts.query)


def _host(host: str, shown: str) -> str:
    """A name of the DNS, or an IP address in its one plain form."""
    last = host.rsplit(".", 1)[-1]
    try:
        if ":" in host:
            return str(ipaddress.IPv6Address(host))
        if last.isdigit() or last.startswith("0x"):  # what resolvers take for an address: 127.1, 0x7f.1, 2130706433
            return str(ipaddress.IPv4Address(host))
    except ValueError as error:
        raise SourceRefused(
            f"The address {shown} cannot be used: {host!r} is no IP address as they are written."
        ) from error
    if not host.isascii():
        raise SourceRefused(f"The host in {shown} cannot be used: write it as the DNS has it (xn--...).")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise SourceRefused(f"The host in {shown} cannot be used: expected a name such as data.example.org.")
    return host


def _climbs(path: str) -> bool:
    return "//" in path or any(part in {".", ".."} for part in path.split("/"))


def _shown(text: str) -> str:
    """A name for a message: not what stands before '@' or behind '?', where secrets are."""
    scheme, sep, rest = text.partition("://")
    rest = rest.split("?", 1)[0].split("#", 1)[0].rsplit("@", 1)[-1] if sep else ""
    return repr(f"{scheme}{sep}{rest}"[:160])


@dataclass(frozen=True, slots=True)
class Allowed:
    """The addresses that strangers may have opened.

    Attributes:
        entries: of the setting: `data.example.org` (https), `*.example.org`, `https://host:8443/folder`, `s3://bucket/prefix`.
    """

    entries: tuple[Address, ...]

    @classmethod
    def read(cls, entries: Iterable[str]) -> Allowed:
        """Read a list of hosts, buckets and prefixes.

        Raises:
            SourceRefused: an entry is not of one of the forms.
        """
        found = []
        for entry in entries:
            text = (entry if "://" in entry else f"https://{entry}").rstrip("/")
            wild = "://*." in text
            # An entry without a path is read with one, because an address needs it.
            bare = text.count("/") == 2
            address = read_address(text.replace("://*.", "://", 1) + ("/-" if bare else ""))
            host = f"*.{address.host}" if wild else address.host
            found.append(Address(address.scheme, host, address.port, "" if bare else address.path))
        return cls(tuple(found))

    def __contains__(self, address: Address) -> bool:
        return any(_covers(entry, address) for entry in self.entries)


def _covers(entry: Address, address: Address) -> bool:
    if (entry.scheme, entry.port) != (address.scheme, address.port):
        return False
    if entry.host.startswith("*."):
        if not address.host.endswith(entry.host[1:]):
            return False
    elif entry.host != address.host:
        return False
    return not entry.path or address.path == entry.path or address.path.startswith(f"{entry.path}/")
