"""One chip as people see it: its pixels, its labels drawn over them, the colour of its split below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import shapely

from geolabel.formats.report import split_color

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.build import Chip

    Ring = NDArray[np.int32]
    Color = tuple[float, float, float, float]

CELL = 384
PANEL = "#1e2125"

_FINE = 2
"""Overlays are drawn this many times larger and then reduced: smooth lines."""

_PARTS = 4
"""Coordinates are given to OpenCV in whole numbers, so many bits of which are a fraction of a pixel."""

_TINT = 56 / 255
_BAR = 4


def draw_cell(chip: Chip, colors: Mapping[int, str]) -> NDArray[np.uint8]:
    """The chip, its labels over it, (CELL, CELL, 3); `colors` by class id."""
    pixels = _display(chip)
    scale = CELL / max(pixels.shape)
    height, width = (max(round(edge * scale), 1) for edge in pixels.shape[:2])
    # Enlarged chips keep their pixels as squares: that is what alignment is judged against.
    method = cv2.INTER_NEAREST_EXACT if scale >= 1 else cv2.INTER_AREA
    picture = cv2.resize(pixels, (width, height), interpolation=method)
    over = np.zeros((height * _FINE, width * _FINE, 4), dtype=np.uint8)  # red, green, blue times alpha, and alpha
    shapes = chip.labels.geometries
    for index in np.argsort(-shapely.area(shapes), kind="stable").tolist():
        _draw(over, shapes[index], scale * _FINE, rgb(colors[int(chip.labels.class_ids[index])]))
    smooth = cv2.resize(over, (width, height), interpolation=cv2.INTER_AREA)
    below = cv2.multiply(picture, cv2.merge([255 - smooth[..., 3]] * 3), scale=1 / 255)
    cell = np.full((CELL, CELL, 3), rgb(PANEL), dtype=np.uint8)
    cell[:height, :width] = cv2.add(below, smooth[..., :3])
    cell[-_BAR:] = rgb(split_color(chip.split))
    return cell


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture (height, width, 3), RGB, as PNG, by the encoder that is the fastest at hand."""
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def rgb(color: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`."""
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def _draw(over: NDArray[np.uint8], shape: BaseGeometry, scale: float, color: tuple[int, int, int]) -> None:
    """One label: a tint, and a line with a dark casing."""
    outlines: list[Ring] = []
    lines: list[Ring] = []
    spots: list[Ring] = []
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            outlines += [_points(ring, scale) for ring in (part.exterior, *part.interiors)]
        else:
            (lines if part.geom_type == "LineString" else spots).append(_points(part, scale))
    if outlines:
        _tint(over, outlines, color)
    for width, ink in ((4 * _FINE, _ink((11, 12, 14), 200 / 255)), (2 * _FINE, _ink(color, 1.0))):
        cv2.polylines(over, outlines, isClosed=True, color=ink, thickness=width, shift=_PARTS)
        cv2.polylines(over, lines, isClosed=False, color=ink, thickness=width, shift=_PARTS)
        for spot in spots:
            radius = (width + 2 * _FINE) << _PARTS
            cv2.circle(over, spot[0].tolist(), radius, ink, thickness=cv2.FILLED, shift=_PARTS)


def _tint(over: NDArray[np.uint8], outlines: Sequence[Ring], color: tuple[int, int, int]) -> None:
    """Lay a tint over what lies within an odd number of outlines. Only the box around them is touched: most labels are small."""
    xy = np.concatenate(outlines) >> _PARTS
    high = np.clip(xy.max(axis=0) + 2, 0, over.shape[1::-1])
    low = np.clip(xy.min(axis=0) - 1, 0, high)
    (left, upper), (right, lower) = low.tolist(), high.tolist()
    if left == right or upper == lower:
        return
    there = np.zeros((lower - upper, right - left), dtype=np.uint8)
    cv2.fillPoly(there, [ring - (low << _PARTS).astype(np.int32) for ring in outlines], 255, shift=_PARTS)
    part = over[upper:lower, left:right]
    tinted = cv2.addWeighted(part, 1 - _TINT, np.full_like(part, (*color, 255)), _TINT, 0)
    part[...] = cv2.copyTo(tinted, there, part.copy())


def _ink(color: tuple[int, int, int], alpha: float) -> Color:
    red, green, blue = color
    return red * alpha, green * alpha, blue * alpha, 255 * alpha


def _points(shape: BaseGeometry, scale: float) -> Ring:
    # OpenCV's coordinates are those of pixel centres, ours those of pixel corners.
    return np.rint((shapely.get_coordinates(shape) * scale - 0.5) * (1 << _PARTS)).astype(np.int32)


def _display(chip: Chip) -> NDArray[np.uint8]:
    """The chip as a picture for people, (height, width, 3): 8 bits as they are, others stretched from 2 to 98 %."""
    if chip.palette is not None:
        table = np.array([chip.palette.get(value, (0, 0, 0, 255))[:3] for value in range(256)], dtype=np.uint8)
        picture: NDArray[np.uint8] = table[chip.sight[0].astype(np.uint8)]
    else:
        bands = [_stretch(chip.sight[band], chip.valid) for band in chip.shown]
        picture = np.dstack(bands * (3 // len(bands)))
    if chip.valid.all():
        return np.ascontiguousarray(picture)
    hatch = (np.add.outer(np.arange(picture.shape[0]), np.arange(picture.shape[1])) // 8) % 2
    empty = np.where(hatch[..., np.newaxis], 34, 26).astype(np.uint8)
    return np.asarray(np.where(chip.valid[..., np.newaxis], picture, empty), dtype=np.uint8)


def _stretch(band: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    if band.dtype == np.uint8:
        return band
    values = np.abs(band) if np.iscomplexobj(band) else band
    real = values[valid & np.isfinite(values)]
    if not real.size:
        return np.zeros(band.shape, dtype=np.uint8)
    low, high = np.percentile(real, (2, 98))
    scaled = np.nan_to_num((values - low) / max(float(high - low), 1e-12))
    stretched: NDArray[np.uint8] = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return stretched
