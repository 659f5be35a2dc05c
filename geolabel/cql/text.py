"""CQL2 text to CQL2 JSON, in one pass from left to right.

Written by hand because the length of the work must follow the length of the text: of the parsers at hand, one takes
twice as long for every further parenthesis around a mistake and runs out of stack on 2,000 of them, the other does not
read `IS NOT NULL` or `'it''s'`. The tests hold this one against the first, where that one answers.

    expression = and {"OR" and}           and = not {"AND" not}           not = {"NOT"} comparison
    comparison = sum [operator sum | ["NOT"] ("LIKE" | "BETWEEN" | "IN") ... | "IS" ["NOT"] "NULL"]
    sum = product {("+" | "-") product}   product = factor {("*" | "/" | "%" | "DIV" | "^") factor}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 48
"""How deep parentheses and functions may be nested: Python's stack holds 70."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
      | (?P<text>'(?:''|[^'])*')
      | (?P<quoted>"(?:""|[^"])*")
      | (?P<name>[^\W\d][\w.:]*)
      | (?P<sign><>|<=|>=|[-=<>+*/%^(),])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_LETTER = re.compile(r"\s*(\S)")
_KEYWORDS = frozenset({"and", "or", "not", "like", "between", "in", "is", "null", "true", "false", "div"})
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_SHAPES = {
    "point": 0,
    "linestring": 1,
    "polygon": 2,
    "multipoint": 1,
    "multilinestring": 2,
    "multipolygon": 3,
}
"""How deep the coordinates of each geometry are nested."""

_NAMES = {
    "point": "Point",
    "linestring": "LineString",
    "polygon": "Polygon",
    "multipoint": "MultiPoint",
    "multilinestring": "MultiLineString",
    "multipolygon": "MultiPolygon",
    "geometrycollection": "GeometryCollection",
}


def parse(text: str) -> Any:
    """Read a filter written as text.

    Returns:
        The same as CQL2 JSON.

    Raises:
        InvalidInput: it cannot be read; the message says where.
    """
    parser = _Parser(text)
    value = parser.expression()
    if parser.kind != "end":
        parser.fail("AND, OR or the end")
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0
        self.kind, self.token, self.at, self.after = "", "", 0, 0
        self.step()

    def step(self) -> str:
        """Go on to the next token; the one that was."""
        passed = self.token
        match = _TOKEN.match(self.text, self.after)
        if match is None:
            self.at = _LETTER.match(self.text, self.after).start(1)  # type: ignore[union-attr]
            self.kind, self.token = "", self.text[self.at]
            self.fail("a name, a number or a 'text'")
        self.kind = str(match.lastgroup)
        self.token = match[self.kind]
        self.at, self.after = match.start(self.kind), match.end()
        return passed

    def fail(self, expected: str) -> NoReturn:
        found = "the end" if self.kind == "end" else repr(self.text[self.at : self.at + 20])
        raise InvalidInput(
            f"The filter cannot be read at character {self.at + 1}: expected {expected}, got {found}.",
        )

    def word(self) -> str:
        """The keyword or name here in lower case; empty for anything else."""
        return self.token.lower() if self.kind == "name" else ""

    def takes(self, *words: str) -> bool:
        """Pass over one of these keywords or signs."""
        if (self.word() or self.token if self.kind in {"name", "sign"} else "") in words:
            self.step()
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.takes(sign):
            self.fail(f"'{sign}'" if len(sign) == 1 else sign.upper())

    def next_letter(self) -> str:
        """What comes after this token, without the space between."""
        match = _LETTER.match(self.text, self.after)
        return match[1] if match else ""

    def nested(self, read: Callable[[], Any]) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InvalidInput(f"The filter is nested more than {MAX_DEPTH} deep: simplify it.")
        value = read()
        self.depth -= 1
        return value

    def expression(self) -> Any:
        return self.chain("or", lambda: self.chain("and", self.negation))

    def chain(self, word: str, part: Callable[[], Any]) -> Any:
        parts = [part()]
        while self.takes(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        same = [isinstance(p, dict) and p.get("op") == word for p in parts]
        return {
            "op": word,
            "args": [q for p, flat in zip(parts, same, strict=True) for q in (p["args"] if flat else [p])],
        }

    def negation(self) -> Any:
        return self.nested(lambda: _not(self.negation())) if self.takes("not") else self.comparison()

    def comparison(self) -> Any:
        left = self.sum()
        if self.kind == "sign" and self.token in _COMPARISONS:
            return {"op": self.step(), "args": [left, self.sum()]}
        if self.takes("is"):
            negative = self.takes("not")
            self.expect("null")
            return _not({"op": "isNull", "args": [left]}, negative)
        negative = self.takes("not")
        if self.takes("like"):
            return _not({"op": "like", "args": [left, self.sum()]}, negative)
        if self.takes("between"):
            low = self.sum()
            self.expect("and")
            return _not({"op": "between", "args": [left, low, self.sum()]}, negative)
        if self.takes("in"):
            self.expect("(")
            return _not({"op": "in", "args": [left, self.items(self.sum)]}, negative)
        if negative:
            self.fail("LIKE, BETWEEN or IN after NOT")
        return left

    def items(self, item: Callable[[], Any]) -> list[Any]:
        """Items with commas between them, and the closing parenthesis."""
        items = [item()]
        while self.takes(","):
            items.append(item())
        self.expect(")")
        return items

    def sum(self) -> Any:
        return self.calculation({"+", "-"}, lambda: self.calculation({"*", "/", "%", "div", "^"}, self.factor))

    def calculation(self, signs: set[str], part: Callable[[], Any]) -> Any:
        value = part()
        while (self.word() or self.token) in signs and self.kind in {"sign", "name"}:
            sign = self.step().lower()
            value = {"op": sign, "args": [value, part()]}
        return value

    def factor(self) -> Any:
        negative = False
        while self.kind == "sign" and self.token in {"-", "+"}:
            negative ^= self.step() == "-"
        value = self.primary()
        if not negative:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
        return {"op": "*", "args": [-1, value]}

    def primary(self) -> Any:
        if self.kind in _LITERALS:
            return _LITERALS[self.kind](self.step())
        if self.takes("("):
            value = self.nested(self.expression)
            self.expect(")")
            return value
        word = self.word()
        if word in _CONSTANTS:
            self.step()
            return _CONSTANTS[word]
        if not word or word in _KEYWORDS:
            self.fail("a name, a number or a 'text'")
        if self.next_letter() == "(" or (word in _NAMES and self.next_letter() in {"z", "Z"}):
            return self.nested(self.call)
        return {"property": self.step()}

    def call(self) -> Any:
        name = self.step().lower()
        if name in _NAMES:
            return self.geometry(name)
        self.expect("(")
        if name in {"date", "timestamp"}:
            if self.kind != "text":
                self.fail(f"a 'text' inside {name.upper()}(...)")
            value: Any = {name: _unquoted(self.step())}
            self.expect(")")
            return value
        if self.takes(")"):
            return {"op": name, "args": []}
        arguments = self.items(self.expression)
        if name == "interval":
            return {"interval": arguments}
        return {"bbox": arguments} if name == "bbox" else {"op": name, "args": arguments}

    def geometry(self, name: str) -> Any:
        self.takes("z")
        self.expect("(")
        if name == "geometrycollection":
            return {"type": _NAMES[name], "geometries": self.items(self.member)}
        if name == "point":
            position = self.position()
            self.expect(")")
            return {"type": _NAMES[name], "coordinates": position}
        return {"type": _NAMES[name], "coordinates": self.items(lambda: self.positions(name, _SHAPES[name] - 1))}

    def member(self) -> Any:
        if self.word() not in _SHAPES:
            self.fail("POINT, LINESTRING, POLYGON or a MULTI... of them")
        return self.geometry(self.step().lower())

    def positions(self, name: str, depth: int) -> Any:
        if depth > 0:
            self.expect("(")
            return self.items(lambda: self.positions(name, depth - 1))
        if name == "multipoint" and self.takes("("):
            position = self.position()
            self.expect(")")
            return position
        return self.position()

    def position(self) -> list[float]:
        numbers = []
        while self.kind == "number" or (self.kind == "sign" and self.token in {"-", "+"}):
            negative = False
            if self.kind == "sign":
                negative = self.step() == "-"
                if self.kind != "number":
                    self.fail("a number")
            number = float(self.step())
            numbers.append(-number if negative else number)
        if len(numbers) not in {2, 3}:
            self.fail("a position of two or three numbers")
        return numbers


def _not(value: Any, negative: bool = True) -> Any:
    return {"op": "not", "args": [value]} if negative else value


def _number(token: str) -> int | float:
    return int(token) if token.isdecimal() and len(token) < 19 else float(token)


def _unquoted(token: str) -> str:
    # The standard lets \' stand for a quote, too. Clients that write '' would be open to texts that hold \'.
    return token[1:-1].replace("''", "'")


_LITERALS: dict[str, Callable[[str], Any]] = {
    "number": _number,
    "text": _unquoted,
    "quoted": lambda token: {"property": token[1:-1].replace('""', '"')},
}
_CONSTANTS = {"true": True, "false": False, "null": None}
