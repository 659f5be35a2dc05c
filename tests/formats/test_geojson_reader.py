"""GeoJSON as a stream: the compiled scanner and the reader by hand give the same, to the last bit."""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolabel.errors import InvalidInput
from geolabel.formats import decimals, geojson_reader
from geolabel.formats.vector import open_body, open_labels

if TYPE_CHECKING:
    from pathlib import Path

    from geolabel.formats.base import LabelFile

POWERS = decimals.powers_of_ten()

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-180, 180).map(repr),
    st.decimals(-10_000_000, 10_000_000, places=9).map(lambda d: f"{d:f}"),
    st.tuples(st.integers(-(10**19), 10**19), st.integers(-345, 310)).map(lambda p: f"{p[0]}e{p[1]}"),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?\Z"),
    st.tuples(st.integers(1, 2**53), st.integers(-60, 60)).map(lambda p: _middle(*p)),
)


def _middle(mantissa: int, power: int) -> str:
    """A decimal exactly between two doubles, or next to it: the hardest to round."""
    low = math.ldexp(float(mantissa), power)
    high = math.nextafter(low, math.inf)
    n, d = ((low + high) / 2).as_integer_ratio() if math.isfinite(high) else (0, 1)
    return f"{n}e0" if d == 1 else repr(n / d)


def read(text: str) -> tuple[int, int, float]:
    return decimals.read_number(np.frombuffer(text.encode() + b"\0", np.uint8), 0, POWERS)


@given(NUMBERS)
def test_every_digit_of_a_number_counts(text: str) -> None:
    end, state, value = read(text)
    assert end == len(text)
    assert state != decimals.MALFORMED
    if state == decimals.EXACT:
        assert struct.pack("<d", value) == struct.pack("<d", float(text))
    else:
        digits = text.lower().lstrip("-").partition("e")[0].replace(".", "")
        assert len(digits) > 15 or not 1e-300 < abs(float(text)) < 1e300, "usual numbers are never left to Python"


@pytest.mark.parametrize("text", ["-", "01", "-01", ".5", "1.", "1e", "1e+", "+1", "NaN", "Infinity", "-.5", ""])
def test_what_json_calls_no_number_is_none(text: str) -> None:
    assert read(text)[1] == decimals.MALFORMED


# Features of all kinds, written in all ways

coordinate = st.floats(-180, 180).map(lambda x: round(x, 12))


@st.composite
def positions(draw: st.DrawFn, least: int, most: int, size: int) -> list[list[float]]:
    return draw(st.lists(st.lists(coordinate, min_size=size, max_size=size), min_size=least, max_size=most))


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any] | None:
    kind = draw(
        st.sampled_from(["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", None])
    )
    size = draw(st.sampled_from([2, 2, 2, 3]))

    def ring() -> list[list[float]]:
        given = draw(positions(3, 6, size))
        return [*given, given[0]]

    def polygon() -> list[list[list[float]]]:
        return [ring() for _ in range(draw(st.integers(1, 3)))]

    if kind is None:
        return None
    made: dict[str, Any] = {
        "Point": lambda: draw(positions(1, 1, size))[0],
        "LineString": lambda: draw(positions(2, 6, size)),
        "Polygon": polygon,
        "MultiPoint": lambda: draw(positions(1, 4, size)),
        "MultiLineString": lambda: [draw(positions(2, 4, size)) for _ in range(draw(st.integers(1, 3)))],
        "MultiPolygon": lambda: [polygon() for _ in range(draw(st.integers(1, 3)))],
    }
    shape = {"type": kind, "coordinates": made[kind]()}
    return dict(reversed(shape.items())) if draw(st.booleans()) else shape


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8) | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def features(draw: st.DrawFn) -> dict[str, Any]:
    members: list[tuple[str, Any]] = [
        ("type", "Feature"),
        ("geometry", draw(geometries())),
        ("properties", draw(st.none() | st.dictionaries(st.text(max_size=5), VALUES, max_size=3))),
    ]
    if draw(st.booleans()):
        members.append(("id", draw(st.integers(0, 10**6) | st.text(max_size=5))))
    if draw(st.integers(0, 5)) == 0:
        members.append(("bbox", [0, 0, 1, 1]))
    return dict(draw(st.permutations(members)))


@st.composite
def files(draw: st.DrawFn) -> bytes:
    some = draw(st.lists(features(), min_size=1, max_size=6))
    style: dict[str, Any] = draw(
        st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 2}, {"indent": "\t"}, {"ensure_ascii": False}])
    )
    form = draw(st.sampled_from(["collection", "list", "lines", "records"]))
    if form == "collection":
        text = json.dumps(
            {"type": "FeatureCollection", "name": '"features": [', "features": some, "after": [1, {}]}, **style
        )
    elif form == "list":
        text = json.dumps(some, **style)
    else:
        mark = "\x1e" if form == "records" else ""
        text = "".join(f"{mark}{json.dumps(one, **style)}\n" for one in some)
    return text.encode("utf-8", "surrogatepass")


def whole(file: Path) -> LabelFile:
    return open_body(file, crs=None, name="file").whole()


def both(file: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> tuple[LabelFile, LabelFile]:
    by_hand = whole(file)
    with monkeypatch.context() as patched:
        patched.setattr(geojson_reader, "SMALL", 0)
        patched.setattr(geojson_reader, "_CHUNK", chunk)
        return by_hand, whole(file)


@settings(max_examples=60)
@given(text=files(), chunk=st.integers(200, 4000))
def test_the_scanner_and_the_reader_by_hand_agree(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, chunk: int
) -> None:
    file = tmp_path_factory.mktemp("json") / "some.json"
    file.write_bytes(text)
    with pytest.MonkeyPatch.context() as monkeypatch:
        slow, fast = both(file, monkeypatch, chunk)
    assert list(slow.columns) == list(fast.columns)
    for name, column in slow.columns.items():
        assert column.tolist() == fast.columns[name].tolist()
    assert slow.feature_ids.tolist() == fast.feature_ids.tolist()
    for one, other in zip(slow.geometries, fast.geometries, strict=True):
        assert (one is None) == (other is None)
        assert one is None or shapely.to_wkb(one) == shapely.to_wkb(other)


def test_real_files_come_as_shapely_reads_them(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    for file in sorted((data / "pairs").rglob("*.geojson")):
        values = json.loads(file.read_text())["features"]
        by_hand, scanned = both(file, monkeypatch, 10_000)
        expected = [shapely.from_geojson(json.dumps(value["geometry"])) for value in values]
        assert [shapely.to_wkb(g) for g in expected] == [shapely.to_wkb(g) for g in scanned.geometries]
        assert [shapely.to_wkb(g) for g in expected] == [shapely.to_wkb(g) for g in by_hand.geometries]
        seen += len(values)
    assert seen > 100


POINT = '{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,2]}}'
COLLECTION = '{"type":"FeatureCollection","features":['


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{COLLECTION}{POINT},{POINT}", "not JSON at .*byte|does not end"),
        (f"{COLLECTION}{POINT},{POINT}]", "not JSON"),
        (
            f"{COLLECTION}{POINT},]}}",
            "not JSON at (feature 1, byte 123: expected a Feature, got|byte 12[0-9])",
        ),
        (f"{COLLECTION}{POINT} {POINT}]}}", "not JSON at (feature 1, )?byte 12[0-9]"),
        (f"{COLLECTION}{POINT}]}} trailing", "not JSON"),
        (POINT.replace("[1,2]", "[NaN,2]"), "not JSON at feature 0, byte 7[0-9]"),
        (POINT.replace("[1,2]", "[1,Infinity]"), "not JSON at feature 0"),
        (POINT.replace("[1,2]", "[01,2]"), "not JSON at feature 0"),
        (POINT.replace("{}", '{"a":\x01"b"}'), "not JSON at feature 0"),
        (POINT.replace("{}", '{"a":NaN}'), "not JSON at feature 0"),
        (POINT + "\n" + POINT.replace("{}", '{"a":tru}'), "not JSON at feature 1"),
        (f"[{POINT},7]", "expected a GeoJSON Feature at /1|not JSON at feature 1"),
        (POINT.replace("[1,2]", "[1e999,2]"), "cannot be read|not JSON"),
        (POINT.replace("[1,2]", '["1",2]'), "a coordinate is a number, got str at /geometry|/0/geometry"),
        ('{"type":"Topology","objects":{}}', "is not GeoJSON"),
        ("hello", "is not GeoJSON"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str, small: bool
) -> None:
    file = tmp_path / "some.json"
    file.write_text(text)
    if not small:
        monkeypatch.setattr(geojson_reader, "SMALL", 0)
    with pytest.raises(InvalidInput, match=message):
        whole(file)


def test_broken_utf_8_is_refused_in_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "some.json"
    file.write_bytes(
        b'{"type":"FeatureCollection","features":['
        + POINT.replace("{}", '{"a":"?"}').encode().replace(b"?", b"\xff")
        + b"]}"
    )
    for size in (2_000_000, 0):
        monkeypatch.setattr(geojson_reader, "SMALL", size)
        with pytest.raises(InvalidInput, match="not JSON"):
            whole(file)


def test_measures_are_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "some.json"
    file.write_text(f"[{POINT},{POINT.replace('[1,2]', '[1,2,3,4]')}]")
    for size in (2_000_000, 0):
        monkeypatch.setattr(geojson_reader, "SMALL", size)
        [batch] = open_body(file, crs=None, name="x").batches
        assert batch.measures == 1
        assert [g.wkt for g in batch.geometries()] == ["POINT (1 2)", "POINT Z (1 2 3)"]


def test_a_crs_behind_the_features_comes_too_late(tmp_path: Path) -> None:
    file = tmp_path / "late.geojson"
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32616"}}
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [json.loads(POINT)], "crs": crs}))
    with pytest.raises(InvalidInput, match="names its CRS behind its features, too late"):
        open_labels(file).whole()


def test_a_feature_larger_than_what_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    angles = np.linspace(0, 2 * np.pi, 5000)[:-1]
    ring = np.column_stack((np.cos(angles), np.sin(angles))).tolist()
    shape = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    file = tmp_path / "round.geojson"
    file.write_text(json.dumps([{"type": "Feature", "properties": {}, "geometry": shape}] * 3))
    by_hand, scanned = both(file, monkeypatch, 1000)
    assert len(scanned.geometries) == 3
    assert shapely.equals_identical(by_hand.geometries, scanned.geometries).all()
