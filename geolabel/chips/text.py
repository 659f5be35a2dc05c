"""A ChipSpec from texts: what stands behind an option on the command line, or in the query of a URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def spec_from_text(values: Mapping[str, Any]) -> ChipSpec:
    """Read knobs that are texts; values that are none are taken as they are.

    Lists have commas between: `size=512,256`, `split=0.7,0.2,0.1`; groups of a stack `;`; pairs `=`: `classes=hut=house,tree=`,
    `cloud_mask=s2=s2_clouds`. Areas are GeoJSON.

    Raises:
        InvalidSpec: a knob that does not exist, a text that does not say what it should, or a value out of range.
    """
    return ChipSpec.from_json(read_texts(values))


def read_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that texts stand for, not checked further; others as they are.

    Raises:
        InvalidSpec: a text that does not say what it should.
    """
    return {name: _READERS.get(name, _word)(name, v) if isinstance(v, str) else v for name, v in values.items()}


def _word(_name: str, text: str) -> str:
    return text


def _number(name: str, text: str) -> int | float:
    try:
        number = float(text)
    except ValueError:
        raise InvalidSpec(f"{name} must be a number, got {text!r:.80}.") from None
    return int(text) if text.strip().lstrip("+-").isdigit() else number


def _numbers(name: str, text: str) -> tuple[int | float, ...]:
    try:
        return tuple(_number(name, part) for part in text.split(","))
    except InvalidSpec:
        raise InvalidSpec(f"{name} must be numbers with commas between, got {text!r:.80}.") from None


def _one_or_more(name: str, text: str) -> int | float | tuple[int | float, ...]:
    try:
        numbers = _numbers(name, text)
    except InvalidSpec:
        raise InvalidSpec(
            f"{name} must be a number, or two for width and height such as 512,256; got {text!r:.80}."
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _number_or_word(name: str, text: str) -> int | float | str:
    try:
        return _number(name, text)
    except InvalidSpec:
        return text


def _numbers_or_word(name: str, text: str) -> tuple[int | float, ...] | str:
    return text if text.replace("_", "").isalpha() else _numbers(name, text)


def _words(_name: str, text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _groups(_name: str, text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(_words("", group) for group in text.split(";"))


def _pairs(name: str, text: str) -> dict[str, str | None]:
    pairs = [part.partition("=") for part in text.split(",")]
    if any(not sign for _, sign, _ in pairs):
        raise InvalidSpec(f"{name} must be pairs such as a=b, with commas between, got {text!r:.80}.")
    return {key.strip(): value.strip() or None for key, _, value in pairs}


def _pairs_or_word(name: str, text: str) -> dict[str, str | None] | str:
    return _pairs(name, text) if "=" in text else text


def _yes_or_no(name: str, text: str) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in known:
        raise InvalidSpec(f"{name} must be true or false, got {text!r:.80}.")
    return known[text.lower()]


def _area(name: str, text: str) -> Any:
    if text in {"coverage", "tasks"}:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidSpec(
            f"{name} must be polygons as GeoJSON{' or coverage' if name == 'within' else ''}, got {text!r:.80}."
        ) from None


_READERS: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("size", "stride"), _one_or_more),
    **dict.fromkeys(("size_range", "rotate", "bands", "split"), _numbers),
    **dict.fromkeys(
        (
            *("padding", "resolution", "count", "margin", "within_share", "min_overlap", "min_area_px", "buffer"),
            *("max_nodata", "max_cloud", "split_block", "split_buffer", "folds", "seed"),
        ),
        _number,
    ),
    "negatives": _number_or_word,
    "stretch": _numbers_or_word,
    "stack": _groups,
    "within": _area,
    "split_areas": _area,
    "classes": _pairs,
    "cloud_mask": _pairs_or_word,
    "status": _words,
    "all_touched": _yes_or_no,
    "stratify": _yes_or_no,
}
