"""What a knob of a ChipSpec may be, each refusal a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SIZE = 16_384
MOST = 1e15
_MAX_BAND = 65_535


def whole(name: str, value: object, low: int, high: int, unit: str = "") -> None:
    """Refuse what is no whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        what = f"a whole number{f' of {unit}' if unit else ''} from {low} to {high}"
        raise InvalidSpec(f"{name} must be {what}, got {value!r:.80}.")


def number(name: str, value: object, low: float, high: float, *, above: bool = False, unit: str = "") -> None:
    """Refuse what is no number from `low` (or above it) to `high`."""
    good = not isinstance(value, bool) and isinstance(value, int | float) and low <= value <= high
    if not good or (above and value == low):
        what = f"a number{f' of {unit}' if unit else ''} {'above' if above else 'from'} {low:g} to {high:g}"
        raise InvalidSpec(f"{name} must be {what}, got {value!r:.80}.")


def one_of(name: str, value: object, choices: Sequence[str], otherwise: str | None = None) -> None:
    """Refuse what is not among the choices."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise InvalidSpec(
            f"{name} must be one of {listed}{f' or {otherwise}' if otherwise else ''}, got {value!r:.80}."
        )


def flag(name: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise InvalidSpec(f"{name} must be true or false, got {value!r:.80}.")


def edge(name: str, value: object, units: str) -> None:
    """Refuse what is no length of a chip's edge, or pair of them (width, height)."""
    parts = value if isinstance(value, tuple) else (value,)
    if isinstance(value, tuple) and len(value) != 2:
        raise InvalidSpec(f"{name} must be one length or a pair (width, height), got {value!r:.80}.")
    for part in parts:
        if units == "px":
            whole(name, part, 1, MAX_SIZE, "pixels")
        else:
            number(name, part, 0, 1e7, above=True, unit="metres")


def numbers(name: str, value: object, what: str) -> tuple[float, ...]:
    """A tuple of finite numbers."""
    parts = tuple(value) if isinstance(value, list | tuple) else ()
    if not parts or any(
        isinstance(p, bool) or not isinstance(p, int | float) or not math.isfinite(p) or abs(p) > MOST for p in parts
    ):
        raise InvalidSpec(f"{name} must be {what}, got {value!r:.80}.")
    return parts


def names(name: str, value: object, what: str) -> tuple[str, ...]:
    """A tuple of different texts."""
    parts = tuple(value) if isinstance(value, list | tuple) else ()
    if not parts or any(not isinstance(p, str) or not p for p in parts) or len(set(parts)) < len(parts):
        raise InvalidSpec(f"{name} must be {what}, got {value!r:.80}.")
    return parts


def bands(value: object) -> tuple[int, ...]:
    """Band numbers, counted from 1."""
    chosen = tuple(value) if isinstance(value, list | tuple) else ()
    if not chosen or any(isinstance(b, bool) or not isinstance(b, int) or not 1 <= b <= _MAX_BAND for b in chosen):
        raise InvalidSpec(f"bands must be one or more band numbers, counted from 1, got {value!r:.80}.")
    return chosen


def split(value: object, splits: Sequence[str]) -> tuple[float, float, float]:
    """Three fractions that sum to 1."""
    shares = tuple(value) if isinstance(value, list | tuple) else ()
    if len(shares) != len(splits) or any(isinstance(s, bool) or not isinstance(s, int | float) for s in shares):
        raise InvalidSpec(
            f"split must be three fractions (train, val, test) such as (0.7, 0.2, 0.1), got {value!r:.80}."
        )
    if any(not 0 <= s <= 1 for s in shares) or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise InvalidSpec(
            f"The fractions of split must each be 0 to 1 and sum to 1, got {value!r:.80} (sum {sum(shares):g})."
        )
    return (float(shares[0]), float(shares[1]), float(shares[2]))


def text_to_text(name: str, value: object, what: str, *, nothing: bool) -> tuple[tuple[str, str | None], ...]:
    """Pairs of texts from an object; with `nothing`, the second may be None."""
    pairs: Any = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(pairs, list | tuple):
        raise InvalidSpec(f"{name} must be {what}, got {value!r:.80}.")
    found: list[tuple[str, str | None]] = []
    for pair in pairs:
        key, other = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
        if (
            not isinstance(key, str)
            or not key
            or not ((isinstance(other, str) and other) or (nothing and other is None))
        ):
            raise InvalidSpec(f"{name} must be {what}, got {pair!r:.80}.")
        found.append((key, other))
    if len({key for key, _ in found}) < len(found):
        raise InvalidSpec(f"{name} names something twice: {value!r:.80}.")
    return tuple(found)


def groups(name: str, value: object) -> tuple[tuple[str, ...], ...]:
    """Groups of two or more different scenes; one group may come alone."""
    given: Any = value
    if isinstance(given, list | tuple) and given and all(isinstance(part, str) for part in given):
        given = (given,)
    parts = (
        tuple(tuple(group) for group in given if isinstance(group, list | tuple))
        if isinstance(given, list | tuple)
        else ()
    )
    if not parts or len(parts) != len(given) or any(len(group) < 2 for group in parts):
        raise InvalidSpec(f"{name} must be groups of two or more scenes, got {value!r:.80}.")
    for group in parts:
        names(name, group, "groups of two or more different scenes")
    return parts
