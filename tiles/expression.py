"""Band math: `(b4-b3)/(b4+b3)` as text, as a tree, as pixels. A grammar of our own: nothing of the text is ever run.

expressions = comparison { ";" comparison }            one for gray, three for red, green, blue
comparison  = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
sum         = product { ("+" | "-") product }
product     = sign { ("*" | "/") sign }
sign        = [ "-" | "+" ] sign | value
value       = number | band | name "(" comparison { "," comparison } ")" | "(" comparison ")"
band        = "b" digits                                1-based
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from tiles.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

MAX_LENGTH: Final = 1000
MAX_DEPTH: Final = 32

PRESETS: Final = {
    "ndvi": "({nir}-{red})/({nir}+{red})",
    "ndwi": "({green}-{nir})/({green}+{nir})",
}
"""Indices by name, in the roles of bands. Sources: Rouse et al. 1974; McFeeters 1996."""

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)|(?P<name>[A-Za-z_]\w*)|(?P<sign><=|>=|==|!=|[-+*/(),;<>]))"
)
_BAND: Final = re.compile(r"[bB]([1-9][0-9]{0,3})\Z")

_OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "negative": np.negative,
    "min": np.minimum,
    "max": np.maximum,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "where": lambda condition, yes, no: np.where(np.asarray(condition, dtype=bool), yes, no),
}
FUNCTIONS: Final = {"min": 2, "max": 2, "abs": 1, "sqrt": 1, "where": 3}
"""What can be called, and with how many values."""


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Band:
    """The values of a band, 1-based."""

    index: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operation or a function, by its name in the grammar."""

    name: str
    arguments: tuple[Node, ...]


Node = Number | Band | Call


def parse(text: str) -> tuple[Node, ...]:
    """Read one expression, or three with `;` between them.

    Raises:
        InvalidParameter: what is wrong, and where.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidParameter(
            f"The expression cannot be used: expected at most {MAX_LENGTH} characters, got {len(text)}."
        )
    reader = _Reader(text)
    nodes = [reader.comparison()]
    while reader.take(";"):
        nodes.append(reader.comparison())
    if reader.sign or reader.kind != "end":
        reader.fail("an operator or the end")
    if len(nodes) not in {1, 3}:
        raise InvalidParameter(
            f"The expression cannot be used: expected one (gray) or three (red; green; blue) with ';' between them, got {len(nodes)}."
        )
    return tuple(nodes)


def bands_of(nodes: tuple[Node, ...]) -> tuple[int, ...]:
    """The bands that are used, ascending, each once."""
    return tuple(sorted({band for node in nodes for band in _bands(node)}))


def _bands(node: Node) -> Iterator[int]:
    if isinstance(node, Band):
        yield node.index
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield from _bands(argument)


def evaluate(node: Node, bands: Mapping[int, NDArray[Any]]) -> NDArray[np.float64]:
    """Values of an expression; not finite where it has none (a division by zero, the root of a negative number).

    Args:
        node: the expression.
        bands: values by 1-based index, all of one shape.
    """
    shape = next(iter(bands.values())).shape
    with np.errstate(all="ignore"):
        values = _value(node, bands)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), shape)


def _value(node: Node, bands: Mapping[int, NDArray[Any]]) -> Any:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Band):
        return bands[node.index].astype(np.float64, copy=False)
    return _OPERATIONS[node.name](*(_value(argument, bands) for argument in node.arguments))


class _Reader:
    """A text, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0
        self._next()

    def _next(self) -> None:
        self._start = self._position
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            rest = self._text[self._position :].strip()
            self.kind, self.word = ("end", "") if not rest else ("unknown", rest[:1])
        else:
            self._position = match.end()
            self.kind, self.word = str(match.lastgroup), match[str(match.lastgroup)]

    @property
    def sign(self) -> str:
        return self.word if self.kind == "sign" else ""

    def take(self, *signs: str) -> str:
        """The next sign, passed over, when it is one of these; empty otherwise."""
        found = self.sign
        if found not in signs or not found:
            return ""
        self._next()
        return found

    def fail(self, expected: str) -> NoReturn:
        got = "the end" if self.kind == "end" else repr(self.word)
        raise InvalidParameter(
            f"The expression cannot be read: expected {expected} at character {self._start + 1}, got {got}. "
            "It is made of bands (b1, b2, ...), numbers, + - * / ( ), comparisons and "
            f"{', '.join(FUNCTIONS)}, like (b4-b3)/(b4+b3)."
        )

    def comparison(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidParameter(f"The expression cannot be used: it is nested more than {MAX_DEPTH} deep.")
        node = self._sum()
        if sign := self.take("<", "<=", ">", ">=", "==", "!="):
            node = Call(sign, (node, self._sum()))
        self._depth -= 1
        return node

    def _sum(self) -> Node:
        node = self._product()
        while sign := self.take("+", "-"):
            node = Call(sign, (node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._signed()
        while sign := self.take("*", "/"):
            node = Call(sign, (node, self._signed()))
        return node

    def _signed(self) -> Node:
        negative = False
        while sign := self.take("-", "+"):
            negative ^= sign == "-"
        node = self._atom()
        return Call("negative", (node,)) if negative else node

    def _atom(self) -> Node:
        if self.take("("):
            node = self.comparison()
            self._close()
            return node
        kind, word, band = self.kind, self.word, _BAND.match(self.word)
        if kind != "number" and not band and word.lower() not in FUNCTIONS:
            self.fail("a band, a number, a function or '('")
        self._next()
        if kind == "number":
            return Number(float(word))
        return Band(int(band[1])) if band else self._call(word.lower())

    def _call(self, name: str) -> Node:
        if not self.take("("):
            self.fail(f"'(' after {name}")
        arguments = [self.comparison()]
        while self.take(","):
            arguments.append(self.comparison())
        self._close()
        if len(arguments) != FUNCTIONS[name]:
            raise InvalidParameter(
                f"The expression cannot be used: {name} takes {FUNCTIONS[name]} values, got {len(arguments)}."
            )
        return Call(name, tuple(arguments))

    def _close(self) -> None:
        if not self.take(")"):
            self.fail("')'")
