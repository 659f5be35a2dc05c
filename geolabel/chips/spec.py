"""ChipSpec: every knob of the chip builder in one frozen value, validated at birth."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

SPLITS = ("train", "val", "test")
"""Names of the splits, in the order of the fractions in `ChipSpec.split`."""

MATCHES = ("date", "scene", "all")
EDGES = ("pad", "shift", "drop")
MAX_SIZE = 16_384
_MAX_BAND = 65_535
_MOST = 1e15


@dataclass(frozen=True, slots=True)
class ChipSpec:
    """How chips are cut, chosen, split and written.

    Attributes:
        size: edge of the square chip, in pixels of the scene's native grid.
        stride: from one chip's left (upper) edge to the next one's, in pixels; None means `size`.
        edges: what happens where the scene ends inside a chip: `pad` keeps the chip and fills it up with nodata,
            `shift` moves the last chip back inside, `drop` leaves it out.
        bands: 1-based bands of the scene in the order wanted; None takes all of them in file order.
        min_overlap: an annotation stays on a chip only when at least this share of its area (of its length, for a
            line) lies on it, 0..1.
        min_area_px: a polygon stays on a chip only when at least this many square pixels of it lie on it.
        negatives: chips without annotations: `all`, `none`, or how many per chip with annotations.
        split: fractions for train, val and test that sum to 1; None puts everything in train.
        split_block: edge of a block of ground that goes to one split as a whole, in chips.
        split_buffer: ground left out on both sides of the border between splits, in chips.
        match: which annotations a scene's chips take: those valid at its `date` and those without a time, those drawn
            on the `scene`, or `all`.
        seed: of everything drawn by lot.
        coco_holes: how COCO says a polygon with holes: `rle`, or `keyhole` (one ring with bridges to the holes).
        image_format: `tif` (any dtype, any number of bands, CRS and transform inside) or `png` (8 bit; 1, 3 or 4 bands).
    """

    size: int = 512
    stride: int | None = None
    edges: Literal["pad", "shift", "drop"] = "pad"
    bands: tuple[int, ...] | None = None
    min_overlap: float = 0.0
    min_area_px: float = 1.0
    negatives: Literal["all", "none"] | float = "all"
    split: tuple[float, float, float] | None = None
    split_block: int = 4
    split_buffer: float = 0.0
    match: Literal["date", "scene", "all"] = "date"
    seed: int = 0
    coco_holes: Literal["rle", "keyhole"] = "rle"
    image_format: Literal["tif", "png"] = "tif"

    def __post_init__(self) -> None:
        _whole("size", self.size, 1, MAX_SIZE, "pixels")
        if self.stride is not None:
            _whole("stride", self.stride, 1, MAX_SIZE, "pixels")
        _one_of("edges", self.edges, EDGES)
        if self.bands is not None:
            object.__setattr__(self, "bands", _bands(self.bands))
        _number("min_overlap", self.min_overlap, 0, 1)
        _number("min_area_px", self.min_area_px, 0, _MOST)
        if isinstance(self.negatives, str):
            _one_of("negatives", self.negatives, ("all", "none"), "a number of chips per chip with annotations")
        else:
            _number("negatives", self.negatives, 0, _MOST)
        if self.split is not None:
            object.__setattr__(self, "split", _split(self.split))
        _whole("split_block", self.split_block, 1, 100_000, "chips")
        _number("split_buffer", self.split_buffer, 0, 100_000)
        _one_of("match", self.match, MATCHES)
        _whole("seed", self.seed, 0, 2**63 - 1)
        _one_of("coco_holes", self.coco_holes, ("rle", "keyhole"))
        _one_of("image_format", self.image_format, ("tif", "png"))

    @property
    def step(self) -> int:
        """From one chip to the next, in pixels: the stride, or the size when none was asked for."""
        return self.size if self.stride is None else self.stride

    def to_json(self) -> dict[str, Any]:
        """Every knob, the stride resolved."""
        values = asdict(self) | {"stride": self.step}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ChipSpec:
        """Read what `to_json` wrote, or any part of it; what is not named takes its default.

        Raises:
            InvalidSpec: a knob that does not exist, or one out of range.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise InvalidSpec(f"Chips have no option {', '.join(map(repr, unknown))}; they have: {', '.join(known)}.")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
        return cls(**values)


def _whole(name: str, value: object, low: int, high: int, unit: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        what = f"a whole number{f' of {unit}' if unit else ''} from {low} to {high}"
        raise InvalidSpec(f"{name} must be {what}, got {value!r}.")


def _number(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidSpec(f"{name} must be a number from {low:g} to {high:g}, got {value!r:.80}.")


def _one_of(name: str, value: object, choices: tuple[str, ...], otherwise: str | None = None) -> None:
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise InvalidSpec(f"{name} must be one of {listed}{f' or {otherwise}' if otherwise else ''}, got {value!r}.")


def _bands(value: object) -> tuple[int, ...]:
    bands = tuple(value) if isinstance(value, list | tuple) else ()
    if not bands or any(isinstance(b, bool) or not isinstance(b, int) or not 1 <= b <= _MAX_BAND for b in bands):
        raise InvalidSpec(f"bands must be one or more band numbers, counted from 1, got {value!r:.80}.")
    return bands


def _split(value: object) -> tuple[float, float, float]:
    shares = tuple(value) if isinstance(value, list | tuple) else ()
    if len(shares) != len(SPLITS) or any(isinstance(s, bool) or not isinstance(s, int | float) for s in shares):
        raise InvalidSpec(f"split must be three fractions (train, val, test) such as (0.7, 0.2, 0.1), got {value!r}.")
    if any(not 0 <= s <= 1 for s in shares) or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise InvalidSpec(
            f"The fractions of split must each be 0 to 1 and sum to 1, got {value!r} (sum {sum(shares):g})."
        )
    return (float(shares[0]), float(shares[1]), float(shares[2]))
