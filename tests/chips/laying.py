"""Frames and chips for tests of what is pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.chips.assign import Assignment, assign, on_chips, place
from geolabel.chips.frame import Frame, frames
from geolabel.chips.grid import Windows, lay
from geolabel.model import Band, Grid, Scene

if TYPE_CHECKING:
    import shapely

    from geolabel.chips.spec import ChipSpec


def scene(width: int, height: int, *, name: str = "s", crs: str | None = "EPSG:32633", transform=None) -> Scene:
    grid = Grid(crs, transform or (1.0, 0.0, 500_000.0, 0.0, -1.0, 4_000_000.0), width, height)
    return Scene(name, f"/nowhere/{name}.tif", grid, (Band(1, "uint8", "Band 1"),), "1")


def frame(width: int, height: int, spec: ChipSpec) -> Frame:
    return frames([scene(width, height)], spec)[0]


def laid(of: Frame, spec: ChipSpec, bounds: np.ndarray | None = None) -> Windows:
    bounds = np.zeros((0, 4)) if bounds is None else bounds
    return lay(of, spec, bounds, np.arange(len(bounds)) + 1, lambda outlines: np.ones(len(outlines), dtype=bool))


def assigned(
    labels: np.ndarray, of: Frame, spec: ChipSpec, blocked: dict[int, shapely.Geometry] | None = None
) -> tuple[Assignment, Windows]:
    windows = laid(of, spec)
    return assign(labels, place(windows, of.ground, blocked or {}), spec), windows


def pieces(labels: np.ndarray, found: Assignment, windows: Windows) -> np.ndarray:
    """What is kept of each pair, in pixels of its chip."""
    chip = found.chip[found.kept]
    return on_chips(labels[found.label[found.kept]], windows.boxes[chip], windows.turns[chip])[0]
