"""What a dataset's chips hold, counted as they are built: pixel values, sizes of objects, ground without data."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import orjson

from geolabel.chips.together import areas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.chips.together import Together

_COUNTED = 2**23
"""So many pixels are counted at once: OpenCV counts in 32-bit floats."""

_EXACT = 2**20
"""So many squares of 16 bits add up to less than 2 ** 53: doubles hold the sum exactly, in whatever order it is made."""

SIZE_BINS = 15
"""Of the histogram of sizes: the last holds all from 2 ** (SIZE_BINS - 1) pixels on."""


def facts_of(chip: Chip, moments: Sequence[list[float] | None]) -> bytes:
    """What one chip adds to the facts, as JSON: small, fit to travel; `moments` are those of its bands."""
    has_area = chip.labels.each(areas) > 0
    own, bins = chip.labels.class_ids[has_area].tolist(), chip.labels.each(size_bins)[has_area].tolist()
    sizes: dict[int, list[int]] = {class_id: [0] * SIZE_BINS for class_id in sorted(set(own))}
    for class_id, size in zip(own, bins, strict=True):
        sizes[class_id][size] += 1
    known = {
        "split": chip.split,
        "pixels": chip.valid.size,
        "valid": int(np.count_nonzero(chip.valid)),
        "hidden": int(np.count_nonzero(chip.valid & chip.hidden)) if chip.hidden.any() else 0,
        "bands": [None if color == "alpha" else m for m, color in zip(moments, chip.colors, strict=True)],
        "sizes": {str(class_id): counts for class_id, counts in sizes.items()},
    }
    return orjson.dumps(known)


def size_bins(shapes: Together) -> NDArray[np.int64]:
    """(n,) which bin of the histogram each shape falls in: by the edge of a square of its area, from 2 ** k pixels up."""
    edges = np.sqrt(shapes.known(areas))
    return np.clip(np.floor(np.log2(np.maximum(edges, 1))), 0, SIZE_BINS - 1).astype(np.int64)


def moments_of(chip: Chip) -> list[list[float] | None]:
    """For each band, [count, mean, sum of squared differences from it, smallest, largest] of what is real; None without any."""
    image = chip.sight
    valid = None if chip.valid.all() else chip.valid
    if image.dtype == np.uint8:
        return [_of_levels(counts) for counts in _levels(image, valid)]
    return [_of_values(band.ravel() if valid is None else band[valid]) for band in image]


def _levels(image: NDArray[np.uint8], valid: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """(bands, 256) how often each value comes."""
    counts = np.zeros((len(image), 256), dtype=np.int64)
    mask = None if valid is None else valid.astype(np.uint8)
    pixels = np.moveaxis(image, 0, -1)
    together = pixels.flags.c_contiguous
    rows = max(_COUNTED // image.shape[2], 1)
    for start in range(0, image.shape[1], rows):
        part = slice(start, start + rows)
        where = None if mask is None else mask[part]
        for band in range(len(counts)):
            source = pixels[part] if together else np.ascontiguousarray(image[band, part])
            found = cv2.calcHist([source], [band if together else 0], where, [256], [0, 256])
            counts[band] += found.ravel().astype(np.int64)
    return counts


def _of_levels(counts: NDArray[np.int64]) -> list[float] | None:
    there = np.flatnonzero(counts)
    if not len(there):
        return None
    levels = np.arange(256)
    sums = int(counts.sum()), int(counts @ levels), int(counts @ levels**2)
    return [*_from_sums(*sums), float(there[0]), float(there[-1])]


def _of_values(values: NDArray[Any]) -> list[float] | None:
    if np.iscomplexobj(values):
        values = np.abs(values)
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if not values.size:
        return None
    ends = float(values.min()), float(values.max())
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        total = squares = 0
        for start in range(0, values.size, _EXACT):
            part = values[start : start + _EXACT].astype(np.float64)
            total += int(part.sum())
            squares += int(part @ part)
        return [*_from_sums(values.size, total, squares), *ends]
    mean = float(values.mean(dtype=np.float64))
    # Not by `@`: it adds up in another order where it may use several threads.
    return [values.size, mean, float(np.square(values.astype(np.float64) - mean).sum()), *ends]


def _from_sums(count: int, total: int, squares: int) -> tuple[int, float, float]:
    """Count, mean and squared differences from it, each rounded once."""
    return count, total / count, (squares * count - total * total) / count


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
