from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiles.errors import InvalidParameter
from tiles.expression import MAX_DEPTH, MAX_LENGTH, bands_of, evaluate, parse

BANDS = {1: np.array([1, 2, 0], np.uint8), 2: np.array([4, 5, 0], np.uint16), 3: np.array([7.5, -8, 9], np.float32)}


def value(text: str) -> list[float]:
    [node] = parse(text)
    return evaluate(node, BANDS).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b1", [1, 2, 0]),
        ("B2 - b1", [3, 3, 0]),
        ("b1-b2", [-3, -3, 0]),  # bytes do not wrap around
        ("1+2*3", [7, 7, 7]),
        ("(1+2)*3", [9, 9, 9]),
        ("8/4/2", [1, 1, 1]),
        ("8-4-2", [2, 2, 2]),
        ("-b1+--3", [2, 1, 3]),
        ("2*-b1", [-2, -4, 0]),
        ("1e2 + .5", [100.5] * 3),
        ("min(b1, 1)", [1, 1, 0]),
        ("MAX(b1,b2)", [4, 5, 0]),
        ("abs(b3)", [7.5, 8, 9]),
        ("sqrt(b2)", [2, math.sqrt(5), 0]),
        ("where(b3 > 0, b1, -1)", [1, -1, 0]),
        ("where(b1 == b1, 1, 0)", [1, 1, 1]),
        ("(b2-b1)/(b2+b1)", [0.6, 3 / 7, math.nan]),
    ],
)
def test_values(text: str, expected: list[float]) -> None:
    assert value(text) == pytest.approx(expected, nan_ok=True)


def test_what_has_no_value_is_not_finite() -> None:
    assert not np.isfinite(value("b1/(b2-b2)")).any()
    assert np.isnan(value("sqrt(b3)")[1])


def test_three_for_colors() -> None:
    nodes = parse("b3; b2 ;b1")
    assert len(nodes) == 3
    assert bands_of(nodes) == (1, 2, 3)
    assert bands_of(parse("b2*(b2+7)")) == (2,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected a band, a number, a function or '\\(' at character 1, got the end"),
        ("b1 b2", "expected an operator or the end at character 3, got 'b2'"),
        ("b1 +", "got the end"),
        ("(b1", "expected '\\)' at character 4, got the end"),
        ("b0", "got 'b0'"),
        ("b1;b2", "expected one \\(gray\\) or three"),
        ("sqrt(b1, b2)", "sqrt takes 1 values, got 2"),
        ("where(b1)", "where takes 3 values, got 1"),
        ("__import__('os')", "got '__import__'"),
        ("b1 ** 2", r"got '\*'"),
        ("b1 if b2 else b3", "got 'if'"),
        ("b1.real", r"got '\.'"),
        ("min", "expected '\\(' after min"),
        ("b1 & b2", "got '&'"),
        ("1" * (MAX_LENGTH + 1), f"at most {MAX_LENGTH} characters"),
        ("(" * (MAX_DEPTH + 1) + "b1" + ")" * (MAX_DEPTH + 1), "nested more than"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, sentence: str) -> None:
    with pytest.raises(InvalidParameter, match=sentence):
        parse(text)


# The reference: the same tree in Python's own words.

numbers = st.integers(0, 9).map(lambda n: (str(n), f"np.float64({n})"))
bands = st.integers(1, 3).map(lambda i: (f"b{i}", f"B[{i}]"))


def joined(children: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    two = st.tuples(children, children)
    return st.one_of(
        st.tuples(st.sampled_from("+-*/"), two).map(
            lambda p: tuple(f"({a} {p[0]} {b})" for a, b in zip(*p[1], strict=True))
        ),
        two.map(lambda p: (f"min({p[0][0]},{p[1][0]})", f"np.minimum({p[0][1]},{p[1][1]})")),
        children.map(lambda c: (f"abs({c[0]})", f"np.abs({c[1]})")),
        children.map(lambda c: (f"-{c[0]}", f"(-{c[1]})")),
        st.tuples(children, two).map(
            lambda p: (
                f"where({p[0][0]}>{p[1][0][0]},{p[1][0][0]},{p[1][1][0]})",
                f"np.where({p[0][1]}>{p[1][0][1]},{p[1][0][1]},{p[1][1][1]})",
            )
        ),
    )


@given(st.recursive(st.one_of(numbers, bands), joined, max_leaves=12))
def test_values_are_those_of_numpy(pair: tuple[str, str]) -> None:
    text, reference = pair
    with np.errstate(all="ignore"):
        floats = {index: band.astype(float) for index, band in BANDS.items()}
        expected = np.broadcast_to(eval(reference, {"np": np, "B": floats}), (3,))
    assert np.array_equal(value(text), expected, equal_nan=True)


@settings(max_examples=300)
@given(st.text(alphabet="b123()+-*/;,<>=. minabsqrtwhe_'\"[]{}eE", max_size=40))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        nodes = parse(text)
    except InvalidParameter:
        return
    bands = dict.fromkeys(bands_of(nodes), BANDS[1]) or {1: BANDS[1]}
    for node in nodes:
        assert evaluate(node, bands).shape == (3,)
