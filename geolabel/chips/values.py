"""Pixel values of a scene -> those of a dataset: raw, stretched, or of another type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.chips.read import chosen_bands
from geolabel.errors import InvalidSpec
from tiles.read import read_sample
from tiles.settings import TilesSettings
from tiles.sources import local_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.chips.read import SceneReader
    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Scene

_PERCENTILES = (2, 98)


@dataclass(frozen=True, slots=True)
class Values:
    """What becomes of the pixels of one scene.

    Attributes:
        dtype: of the dataset; None keeps the scene's own.
        low: (bands,) the value that becomes the smallest; None without a stretch.
        high: (bands,) the value that becomes the largest.
        data: (bands,) False for alpha, which is not stretched.
    """

    dtype: np.dtype[Any] | None
    low: NDArray[np.float64] | None
    high: NDArray[np.float64] | None
    data: NDArray[np.bool_]

    def of(self, image: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """The same pixels (bands, height, width) as the dataset has them; stretched ones are 0 where there is no data."""
        if self.dtype is None:
            return image
        if self.low is None or self.high is None:
            return image if image.dtype == self.dtype else _cast(image, self.dtype)
        top = _top(self.dtype)
        result = np.zeros(image.shape, dtype=self.dtype)
        for band in range(len(image)):
            if self.data[band]:
                low, high = self.low[band], self.high[band]
                shares = (_real(image[band]) - low) / max(high - low, 1e-12)
            else:
                shares = image[band].astype(np.float64) / _top(image.dtype)
            scaled = np.clip(np.nan_to_num(shares), 0, 1) * top
            result[band] = np.where(valid | ~self.data[band], _cast(scaled, self.dtype), 0)
        return result

    def nodata(self, value: float | None) -> float | None:
        """What means "no data" afterwards: the scene's value if it is still one, None after a stretch."""
        if self.dtype is None or value is None:
            return value
        if self.low is not None:
            return None
        fits = self.dtype.kind == "f" or (np.isfinite(value) and float(_cast(np.array(value), self.dtype)) == value)
        return value if fits else None


def values_of(reader: SceneReader, spec: ChipSpec) -> Values:
    """How the pixels of a scene are to be changed; for an automatic stretch it looks at a sample of the scene.

    Raises:
        InvalidSpec: a stretch of a palette, or of complex numbers.
    """
    data = np.array([color != "alpha" for color in reader.colors], dtype=bool)
    dtype = dataset_dtype([reader.dtype], spec)
    if spec.stretch is None:
        return Values(None if spec.dtype is None else dtype, None, None, data)
    if reader.palette is not None:
        raise InvalidSpec(
            f"The pixels of scene {reader.scene.id!r} are numbers of a palette: a stretch makes no sense; leave it out."
        )
    if spec.stretch != "auto":
        low, high = (np.full(len(data), value) for value in spec.stretch)
        return Values(dtype, low, high, data)
    sample, real = read_sample(local_source(reader.scene.href), reader.bands, settings=TilesSettings())
    ends = np.array([_ends(band, mask) for band, mask in zip(sample, real, strict=True)])
    return Values(dtype, ends[:, 0], ends[:, 1], data)


def dataset_dtype(dtypes: Sequence[str], spec: ChipSpec) -> np.dtype[Any]:
    """The type of the pixels of a dataset, from those of the bands that are read."""
    if spec.dtype is not None:
        return np.dtype(spec.dtype)
    if spec.stretch is not None:
        return np.dtype(np.uint8)
    # numpy has no complex integers: rasterio reads them as complex64.
    return np.result_type(*(dtype.replace("complex_int16", "complex64") for dtype in dtypes))


def losing(scenes: Sequence[Scene], spec: ChipSpec) -> list[str]:
    """A sentence for scenes whose values another type cannot all hold."""
    if spec.dtype is None or spec.stretch is not None:
        return []
    found = []
    for scene in scenes:
        bands = chosen_bands(scene, spec.bands)
        lost = sorted({b.dtype for b in scene.bands if b.index in bands and not _holds(b.dtype, np.dtype(spec.dtype))})
        if lost:
            found.append(
                f"Values of scene {scene.id} ({', '.join(lost)}) beyond the range of {spec.dtype} are cut off; a stretch keeps them apart."
            )
    return found


def _holds(dtype: str, target: np.dtype[Any]) -> bool:
    return np.can_cast(np.dtype(dtype.replace("complex_int16", "complex64")), target)


def _ends(band: NDArray[Any], real: NDArray[np.bool_]) -> tuple[float, float]:
    values = _real(band)[real]
    if not values.size:
        return (0.0, 1.0)
    low, high = np.percentile(values, _PERCENTILES)
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def _real(band: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.abs(band) if np.iscomplexobj(band) else band, dtype=np.float64)


def _top(dtype: np.dtype[Any]) -> float:
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def _cast(image: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if np.iscomplexobj(image):
        image = np.abs(image)
    if dtype.kind == "f" or np.can_cast(image.dtype, dtype):
        return np.asarray(image.astype(dtype))
    limits = np.iinfo(dtype)
    rounded = np.rint(np.nan_to_num(image)) if image.dtype.kind == "f" else image
    # Floats do not hold the largest numbers of 64 bits: clip where both sides are exact.
    return np.asarray(np.clip(rounded, limits.min, limits.max).astype(dtype))
