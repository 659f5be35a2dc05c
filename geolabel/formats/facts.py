"""What a dataset's chips hold, counted as they are built: pixel values, sizes of objects, ground without data."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.chips.build import Chip

SIZE_BINS = 15
"""Of the histogram of sizes: the last holds all from 2 ** (SIZE_BINS - 1) pixels on."""


def facts_of(chip: Chip) -> bytes:
    """What one chip adds to the facts, as JSON: small, fit to travel."""
    sizes: dict[int, list[int]] = {}
    areas = shapely.area(chip.labels.geometries)
    for class_id in np.unique(chip.labels.class_ids).tolist():
        own = areas[(chip.labels.class_ids == class_id) & (areas > 0)]
        if len(own):
            sizes[class_id] = np.bincount(size_bins(own), minlength=SIZE_BINS).tolist()
    known = {
        "split": chip.split,
        "pixels": chip.valid.size,
        "valid": int(chip.valid.sum()),
        "hidden": int((chip.valid & chip.hidden).sum()),
        "bands": [
            None if color == "alpha" else _moments(b, chip.valid)
            for b, color in zip(chip.image, chip.colors, strict=True)
        ],
        "sizes": {str(class_id): counts for class_id, counts in sizes.items()},
    }
    return orjson.dumps(known)


def size_bins(areas: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) which bin of the histogram each area, in square pixels, falls in: by the edge of a square of that area, from 2 ** k up."""
    edges = np.sqrt(areas)
    return np.clip(np.floor(np.log2(np.maximum(edges, 1))), 0, SIZE_BINS - 1).astype(np.int64)


def _moments(band: NDArray[Any], valid: NDArray[np.bool_]) -> list[float] | None:
    """[count, mean, sum of squared differences from it, smallest, largest] of what is real; None without any."""
    values = np.abs(band) if np.iscomplexobj(band) else band
    values = values[valid & np.isfinite(values)] if values.dtype.kind == "f" else values[valid]
    if not values.size:
        return None
    if values.dtype == np.uint8:
        counts = np.bincount(values, minlength=256)
        levels = np.arange(256, dtype=np.float64)
        mean = float(counts @ levels) / values.size
        there = np.flatnonzero(counts)
        return [values.size, mean, float(counts @ (levels - mean) ** 2), float(there[0]), float(there[-1])]
    mean = float(values.mean(dtype=np.float64))
    apart = values.astype(np.float64) - mean
    return [values.size, mean, float(apart @ apart), float(values.min()), float(values.max())]


@dataclass
class Moments:
    """Count, mean and spread of values that come in parts.

    Source: Chan, Golub, LeVeque 1979, on joining the moments of two samples.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def add(self, part: Sequence[float]) -> None:
        """Take in the moments of another part."""
        count, mean, squares, low, high = part
        total = self.count + int(count)
        apart = mean - self.mean
        self.squares += squares + apart * apart * self.count * count / total
        self.mean += apart * count / total
        self.count = total
        self.low, self.high = min(self.low, low), max(self.high, high)

    def to_json(self) -> dict[str, float | int]:
        """Count, mean, standard deviation, smallest and largest."""
        std = math.sqrt(self.squares / self.count)
        return {"count": self.count, "mean": self.mean, "std": std, "min": self.low, "max": self.high}


@dataclass
class Facts:
    """The facts of all chips; add them in the order of the plan, and the sums are the same whoever built them.

    Attributes:
        pixels: of all chips.
        valid: of them, with data.
        hidden: of those, not to be learnt from: clouds, around labels.
        bands: by split, one for each band; None for alpha.
        sizes: by class id, objects in each bin (see `size_bins`).
    """

    pixels: int = 0
    valid: int = 0
    hidden: int = 0
    bands: dict[str, list[Moments | None]] = field(default_factory=dict)
    sizes: dict[int, NDArray[np.int64]] = field(
        default_factory=lambda: defaultdict(lambda: np.zeros(SIZE_BINS, np.int64))
    )

    def add(self, facts: bytes) -> None:
        """Take those of the next chip, as `facts_of` gave them."""
        known = orjson.loads(facts)
        for name in ("pixels", "valid", "hidden"):
            setattr(self, name, getattr(self, name) + known[name])
        own = self.bands.setdefault(known["split"], [])
        own += [None] * (len(known["bands"]) - len(own))
        for number, part in enumerate(known["bands"]):
            if part is not None:
                moments = own[number] = own[number] or Moments()
                moments.add(part)
        for class_id, counts in known["sizes"].items():
            self.sizes[int(class_id)] += np.array(counts)

    def to_json(self, class_names: dict[int, str]) -> dict[str, Any]:
        """The `statistics` of `report.json`."""
        return {
            "pixels": self.pixels,
            "valid": self.valid,
            "hidden": self.hidden,
            "bands": {s: [None if m is None else m.to_json() for m in bands] for s, bands in self.bands.items()},
            "object_sizes": {
                "edges_px": [2**k for k in range(SIZE_BINS)],
                "counts": {class_names[c]: counts.tolist() for c, counts in sorted(self.sizes.items())},
            },
        }
