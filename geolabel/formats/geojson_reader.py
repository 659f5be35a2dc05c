"""Read GeoJSON as a stream: FeatureCollections, single Features, lists of them, and GeoJSONSeq (also with RS).

Strictly: what is not JSON is refused with its place, and no number but a finite one is a coordinate. A large file goes
through `geolabel.formats.scan`; the few features that it does not know, and small files, through `read_feature` here.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import orjson

from geolabel.errors import InvalidGeometry, InvalidInput, Problem
from geolabel.formats.base import Features, odd_shapes
from geolabel.geo import crs as crs_
from geolabel.geo.geometry import read_geojson
from geolabel.geo.ragged import NONE, Ragged, from_shapely
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.formats.scan import Found

SMALL = 2_000_000
"""Bytes up to which the compiled scanner is not worth loading."""

_CHUNK = 8 << 20
_LARGEST_FEATURE = 1 << 30
_ROWS = 10_000
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"


class Rows(Mapping[str, list[Any]]):
    """Columns of features whose properties are objects, each with members of its own."""

    def __init__(self, properties: Sequence[Mapping[str, Any]]) -> None:
        self._properties = properties
        self._names = dict.fromkeys(chain.from_iterable(properties))

    def __getitem__(self, name: str) -> list[Any]:
        self._names[name]  # raises for a column that is not there
        return [one.get(name) for one in self._properties]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(slots=True)
class _Read:
    """One feature, read by hand."""

    geometry: BaseGeometry | None = None
    problem: Problem | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    measured: bool = False


def read_feature(value: Any, pointer: str) -> _Read:
    """Read a decoded Feature; a geometry that cannot be read is a problem of it, not an error."""
    if not isinstance(value, Mapping) or value.get("type") != "Feature":
        return _Read(problem=Problem(pointer, "expected a GeoJSON Feature"))
    read = _Read()
    given = value.get("properties") or {}
    if not isinstance(given, Mapping):
        read.problem = Problem(f"{pointer}/properties", "expected an object or null")
        return read
    read.properties = given
    own = value.get("id")
    if own is not None and not isinstance(own, bool | list | Mapping):
        read.id = str(own)
    if value.get("geometry") is not None:
        try:
            plain = _without_measures(value["geometry"])
            read.measured = plain is not value["geometry"]
            # How many vertices are too many is for the import to say.
            read.geometry = read_geojson(plain, f"{pointer}/geometry", max_vertices=sys.maxsize, collections=True)
        except InvalidGeometry as error:
            read.problem = error.problems[0]
    return read


def _without_measures(geometry: Any) -> Any:
    """The geometry with at most three numbers a position: a fourth (M) is not kept."""
    coordinates = geometry.get("coordinates") if isinstance(geometry, Mapping) else None
    first = coordinates
    while isinstance(first, list) and first and isinstance(first[0], list):
        first = first[0]
    if not isinstance(first, list) or len(first) <= 3 or not isinstance(first[0], int | float):
        return geometry

    def cut(value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], list):
            return [cut(item) for item in value]
        return value[:3] if isinstance(value, list) else value

    return {**geometry, "coordinates": cut(coordinates)}


def features_of(values: Sequence[Any], first: int, pointer: str | None, share: float = 1.0) -> Features:
    """Decoded Features as one batch.

    Args:
        values: what stands in a list of features.
        first: number of the first of them.
        pointer: JSON pointer of the list; None when it is a single Feature on its own.
        share: of the file that has been read now.
    """
    read = [
        read_feature(value, "" if pointer is None else f"{pointer}/{first + row}") for row, value in enumerate(values)
    ]
    geometries = np.array([*(one.geometry for one in read), None], dtype=object)[:-1]
    shapes = from_shapely(geometries)
    return Features(
        shapes=shapes,
        odd=odd_shapes(geometries, shapes.kinds),
        unreadable={row: one.problem for row, one in enumerate(read) if one.problem is not None},
        columns=Rows([one.properties for one in read]),
        numbers=range(first, first + len(read)),
        ids=[one.id for one in read],
        share=share,
        measures=sum(one.measured for one in read),
    )


def old_crs(member: Any) -> str:
    """The CRS that GeoJSON before RFC 7946 could name.

    Raises:
        InvalidInput: it names none.
    """
    try:
        return crs_.normalise(str(member["properties"]["name"]))
    except (TypeError, KeyError):
        raise InvalidInput(
            "The member 'crs' of the GeoJSON cannot be read: expected {type: name, properties: {name: ...}}."
        ) from None


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before the first feature.

    Attributes:
        begin: position of the first byte behind it.
        members: of the FeatureCollection, as far as they come before its features.
        pointer: JSON pointer of the list of features; None for a single Feature.
        separated: whether commas stand between the features; otherwise space, or the record separator.
    """

    begin: int
    members: Mapping[str, Any]
    pointer: str | None
    separated: bool


def read_head(stream: BinaryIO, name: str) -> Head | None:
    """Look at the beginning of a file; None when it is not GeoJSON (TopoJSON, Esri JSON, no JSON at all).

    Raises:
        InvalidInput: JSON that holds no features.
    """
    text = stream.read(1 << 16)
    begin = len(text) - len(text.removeprefix(_BOM).lstrip(_SPACE + b"\x1e"))
    text = text[begin:]
    if text[:1] == b"[":
        return Head(begin + 1, {}, "", separated=True)
    if text[:1] != b"{":
        return None
    while True:
        found = _features_member(text)
        if found is not None or len(text) > 64 << 20:
            break
        more = stream.read(1 << 20)
        if not more:
            break
        text += more
    if found is not None:
        return _head_of_collection(text[:found], begin, name)
    if (kind := _first_type(text)) == "Feature":
        return Head(begin, {}, "", separated=False)
    if kind in {"Topology", None}:
        return None
    raise InvalidInput(
        f"{name} is not GeoJSON labels: expected a FeatureCollection, a Feature or a list of Features, got {kind!r}."
    )


def _head_of_collection(text: bytes, begin: int, name: str) -> Head | None:
    """The head of an object with a list `features`, cut behind its bracket; None when the features are Esri's."""
    try:
        members = orjson.loads(text + b"]}")
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{name} is not JSON: {error} (byte {begin + error.pos}).") from None
    del members["features"]
    esri = {"fieldAliases", "geometryType", "spatialReference"} & members.keys()
    if members.get("type", "FeatureCollection") != "FeatureCollection" or (esri and "type" not in members):
        return None
    return Head(begin + len(text), members, "/features", separated=True)


def _features_member(text: bytes) -> int | None:
    """Where the list `features` of the outermost object begins, behind its bracket."""
    at = text.find(b'"features"')
    while at >= 0:
        behind = text[at + 10 : at + 200].lstrip(_SPACE)
        if behind[:1] == b":" and behind[1:].lstrip(_SPACE)[:1] == b"[" and _depth(text[:at]) == 1:
            return text.index(b"[", at) + 1
        at = text.find(b'"features"', at + 1)
    return None


def _depth(text: bytes) -> int:
    """How many objects and lists are open at the end of a piece of JSON; -1 inside of a text."""
    depth, at = 0, 0
    while at < len(text):
        byte = text[at]
        if byte == 34:
            end = at + 1
            while end < len(text) and text[end] != 34:
                end += 2 if text[end] == 92 else 1
            if end >= len(text):
                return -1
            at = end
        elif byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
        at += 1
    return depth


def _first_type(text: bytes) -> str | None:
    """The member `type` of the first object in a text, which may be cut."""
    at = text.find(b'"type"')
    while at >= 0:
        if _depth(text[:at]) == 1:
            rest = text[at + 6 :].lstrip(_SPACE + b":")
            end = rest.find(b'"', 1)
            return rest[1:end].decode(errors="replace") if rest[:1] == b'"' and end > 0 else None
        at = text.find(b'"type"', at + 1)
    return None


def read_stream(stream: BinaryIO, head: Head, size: int, name: str) -> Generator[Features]:
    """The features behind the head.

    Args:
        stream: seekable.
        head: of the file.
        size: of the file in bytes.
        name: for messages.

    Raises:
        InvalidInput: it is not JSON; the message says at which feature and byte.
    """
    if size <= SMALL:
        yield from _read_small(stream, head, name)
    else:
        yield from _read_large(stream, head, size, name)


def _read_small(stream: BinaryIO, head: Head, name: str) -> Generator[Features]:
    stream.seek(0)
    text = stream.read().removeprefix(_BOM)
    values = _listed(text, head, name) if head.separated else list(_sequence(text, name))
    pointer = None if not head.separated and len(values) == 1 else head.pointer
    for start in range(0, len(values), _ROWS):
        part = values[start : start + _ROWS]
        yield features_of(part, start, pointer, (start + len(part)) / len(values))


def _listed(text: bytes, head: Head, name: str) -> list[Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _not_json(name, str(error), error.pos, None) from None
    if isinstance(value, list):
        return value
    _check_late_crs(value, head, name)
    features: list[Any] = value["features"]
    return features


def _sequence(text: bytes, name: str) -> Iterator[Any]:
    try:
        rest = text.decode()
    except UnicodeDecodeError as error:
        raise _not_json(name, "it is not UTF-8", error.start, None) from None
    at, decoder = 0, json.JSONDecoder()
    for number in count():
        at += len(rest) - len(rest := rest.lstrip(" \t\r\n\x1e"))
        if not rest:
            return
        try:
            _, end = decoder.raw_decode(rest)
            yield orjson.loads(rest[:end])
        except ValueError as error:  # of either decoder
            raise _not_json(name, str(error), at + getattr(error, "pos", 0), number) from None
        rest = rest[end:]
        at += end


def _read_large(stream: BinaryIO, head: Head, size: int, name: str) -> Generator[Features]:
    from geolabel.formats import scan  # noqa: PLC0415 (it is compiled: see geolabel.compiled)

    stream.seek(head.begin)
    kept, at, number, after_one = b"", head.begin, 0, False
    while True:
        fresh = stream.read(max(_CHUNK, len(kept)))
        text = kept + fresh
        buffer = np.frombuffer(text + bytes(64), dtype=np.uint8)
        found = scan.room_for(len(text))
        why, behind, rows, after_one = scan.scan(buffer, len(text), head.separated, after_one, found)
        if rows:
            share = min(1.0, (at + behind) / size)
            yield _features_found(found, rows, text, number, head=head, at=at, share=share, name=name)
            number += rows
        if why == scan.END:
            stream.seek(at + behind)
            _check_tail(stream.read(), head, name)
            return
        if why == scan.WRONG:
            raise _not_json(name, _expected(text, behind, head, number), at + behind, number)
        if not fresh:
            if head.separated or text[behind:].strip(_SPACE + b"\x1e"):
                _explain(text[behind:].lstrip(_SPACE + b","), name, at + behind, number)
            return
        kept = text[behind:]
        at += behind
        if len(kept) > _LARGEST_FEATURE:
            raise _not_json(name, "it is longer than a gigabyte", at, number)


def _expected(text: bytes, at: int, head: Head, number: int) -> str:
    what = "a Feature"
    if head.separated and number and not text[:at].rstrip(_SPACE).endswith(b","):
        what = "a comma and a Feature, or the end of the list"
    return f"expected {what}, got {text[at : at + 20].decode(errors='replace')!r}"


def _explain(text: bytes, name: str, at: int, number: int) -> None:
    """Raise what JSON itself has to say about a feature that does not end."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _not_json(name, str(error), at + error.pos, number) from None
    raise _not_json(name, "the list of features does not end", at, number)


def _not_json(name: str, why: str, at: int, number: int | None) -> InvalidInput:
    where = f"byte {at}" if number is None else f"feature {number}, byte {at}"
    return InvalidInput(f"{name} is not JSON at {where}: {why.rstrip('.')}.", [Problem(where, why)])


def _check_tail(tail: bytes, head: Head, name: str) -> None:
    """Refuse what is wrong behind the features, and a CRS that comes too late to be used."""
    try:
        if head.pointer != "/features":
            orjson.loads(b"[]" + tail)
            return
        members = orjson.loads(b'{"features":[]' + tail)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{name} is not JSON behind its features: {error}.") from None
    _check_late_crs(members, head, name)


def _check_late_crs(members: Mapping[str, Any], head: Head, name: str) -> None:
    late = members.get("crs")
    if late is not None and not crs_.same(old_crs(late), _crs_of(head)):
        raise InvalidInput(f"{name} names its CRS behind its features, too late to be used. Say it with --crs.")


def _crs_of(head: Head) -> str:
    return CRS84 if head.members.get("crs") is None else old_crs(head.members["crs"])


def _features_found(
    found: Found, rows: int, text: bytes, first: int, *, head: Head, at: int, share: float, name: str
) -> Features:
    """What a scan has found, with the features that it left to us."""
    from geolabel.formats import scan  # noqa: PLC0415

    kinds = found.kinds[:rows].copy()
    unusual = np.flatnonzero(kinds == scan.UNKNOWN)
    kinds[kinds < 0] = NONE
    shapes = found.shapes[: rows + 1]
    parts = found.parts[: shapes[-1] + 1]
    rings = found.rings[: parts[-1] + 1]
    z = found.z[: rings[-1]]
    ragged = Ragged(
        kinds,
        found.xy[: rings[-1]].copy(),
        None if np.isnan(z).all() else z.copy(),
        rings.copy(),
        parts.copy(),
        shapes.copy(),
    )
    spans = found.spans[:rows]
    by_hand = _by_hand(unusual, spans, text, first, head=head, at=at, name=name)
    properties = _properties(spans, text, first, at, name)
    ids: list[str | None] = [None] * rows
    for row in np.flatnonzero(spans[:, 4] >= 0).tolist():
        ids[row] = text[spans[row, 4] : spans[row, 5]].decode().strip('"')
    for row, read in by_hand.items():
        properties[row], ids[row] = read.properties, read.id
    geometries = np.array([*(read.geometry for read in by_hand.values()), None], dtype=object)[:-1]
    held = from_shapely(geometries)
    odd = {int(unusual[index]): shape for index, shape in odd_shapes(geometries, held.kinds).items()}
    return Features(
        shapes=ragged.with_rows(unusual, held),
        odd=odd,
        unreadable={row: read.problem for row, read in by_hand.items() if read.problem is not None},
        columns=Rows(properties),
        numbers=range(first, first + rows),
        ids=ids,
        share=share,
        measures=sum(read.measured for read in by_hand.values()),
    )


def _by_hand(
    rows: NDArray[np.int64], spans: NDArray[np.int64], text: bytes, first: int, *, head: Head, at: int, name: str
) -> dict[int, _Read]:
    result = {}
    for row in rows.tolist():
        begin, end = spans[row, :2].tolist()
        try:
            value = orjson.loads(text[begin:end])
        except orjson.JSONDecodeError as error:
            raise _not_json(name, str(error), at + begin + error.pos, first + row) from None
        result[row] = read_feature(value, f"{head.pointer}/{first + row}")
    return result


def _properties(spans: NDArray[np.int64], text: bytes, first: int, at: int, name: str) -> list[Mapping[str, Any]]:
    """The decoded properties of each feature; nothing where there are none."""
    result: list[Mapping[str, Any]] = [{}] * len(spans)
    rows = np.flatnonzero(spans[:, 2] >= 0)
    pieces = [text[begin:end] for begin, end in spans[rows, 2:4].tolist()]
    try:
        values = orjson.loads(b"[" + b",".join(pieces) + b"]")
    except orjson.JSONDecodeError:
        for row, piece in zip(rows.tolist(), pieces, strict=True):
            try:
                orjson.loads(piece)
            except orjson.JSONDecodeError as error:
                raise _not_json(name, str(error), at + int(spans[row, 2]) + error.pos, first + row) from None
        raise
    if len(rows) == len(spans):
        return list(values)
    for row, value in zip(rows.tolist(), values, strict=True):
        result[row] = value
    return result


def open_geojson(path: Path, name: str, crs: str | None) -> tuple[str, Generator[Features]] | None:
    """Begin to read a GeoJSON file; None when it is something else.

    Args:
        path: of the file.
        name: for messages.
        crs: CRS of the coordinates; wins over the file's own.

    Returns:
        The CRS, and the features.
    """
    with path.open("rb") as stream:
        head = read_head(stream, name)
    if head is None:
        return None

    def batches() -> Generator[Features]:
        with path.open("rb") as stream:
            size = stream.seek(0, io.SEEK_END)
            yield from read_stream(stream, head, size, name)

    return crs_.normalise(crs) if crs else _crs_of(head), batches()
