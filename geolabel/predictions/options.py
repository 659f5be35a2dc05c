"""How objects on pictures come back to the map."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class BackOptions:
    """How objects on pictures come back to the map.

    Attributes:
        border: in pixels: an object that ends no further from the edge of its chip may go on on the next one.
        same: 0..1: two pieces are of one object when, where their chips meet or overlap, this share of the smaller one
            is the other one's, too.
        iou: 0..1: of two objects of a class on different chips, with a larger share of common area (intersection over
            union), the less sure one is a duplicate.
        ios: 0..1: the same, for the intersection over the smaller of the two.
        min_score: what is less sure is left out.
        min_area_px: what is smaller, in pixels of its chip, is left out; lines and points have no area and stay.
        simplify_px: outlines of masks may move by so many pixels to have fewer vertices; 0 keeps every pixel's edge.
        outside: what becomes of a shape that reaches over the edge of its picture: `clip` cuts it off, `refuse` refuses it.
        merge: whether pieces are joined and duplicates left out at all.
    """

    border: float = 1.0
    same: float = 0.5
    iou: float = 0.5
    ios: float = 0.8
    min_score: float = 0.0
    min_area_px: float = 1.0
    simplify_px: float = 0.0
    outside: Literal["clip", "refuse"] = "clip"
    merge: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (
            ("border", 0, 64),
            ("same", 0, 1),
            ("iou", 0, 1),
            ("ios", 0, 1),
            ("min_score", 0, 1),
            ("min_area_px", 0, 1e9),
            ("simplify_px", 0, 1000),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InvalidSpec(f"{name} must be a number from {low} to {high:g}, got {value!r:.60}.")
        if self.outside not in {"clip", "refuse"}:
            raise InvalidSpec(f"outside must be 'clip' or 'refuse', got {self.outside!r:.60}.")
        if not isinstance(self.merge, bool):
            raise InvalidSpec(f"merge must be true or false, got {self.merge!r:.60}.")

    def to_json(self) -> dict[str, Any]:
        """Every option."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BackOptions:
        """Read what `to_json` wrote, or any part of it.

        Raises:
            InvalidSpec: an option that does not exist, or one out of range.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise InvalidSpec(
                f"Predictions have no option {', '.join(map(repr, unknown))}; they have: {', '.join(known)}."
            )
        return cls(**value)


EXACT = BackOptions(border=0, same=0.9, iou=0.99, ios=1, min_area_px=0, outside="refuse")
"""For labels, which say the same of the same object on every chip."""
