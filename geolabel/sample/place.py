"""The nouns of the demo place: patches of ground, roofs, and where all of it is.

A place is drafted in metres from its south-west corner (x east, y north) and moved to its CRS at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.affinity import translate

from geolabel.sample import shapes

if TYPE_CHECKING:
    from numpy.random import Generator
    from shapely import LineString, Polygon
    from shapely.geometry.base import BaseGeometry

    from geolabel.sample.surfaces import Color

CRS = "EPSG:32633"
SIDE = 2048.0
"""Width and height of the place, in metres."""
WEST, SOUTH = 482_000.0, 5_425_952.0
"""Its south-west corner, in metres of its CRS: southern Bohemia."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A piece of ground of one look.

    Attributes:
        geometry: polygon, in the place's CRS.
        surface: name of its surface.
        class_name: the class that it belongs to; None for ground of no class.
        angle: direction of its rows, in radians from east.
        tint: its own (brightness, warmth, growth), each about -1..1.
    """

    geometry: BaseGeometry
    surface: str
    class_name: str | None = None
    angle: float = 0.0
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Roof:
    """One gable roof; a building has one or more.

    Attributes:
        centre: (x, y) in the place's CRS.
        length: along the ridge, in metres.
        width: across the ridge, in metres.
        angle: of the ridge, in radians from east.
        eaves: height of the eaves, in metres.
        pitch: rise per metre; 0 for a flat roof.
        color: of the roof.
    """

    centre: shapes.Point
    length: float
    width: float
    angle: float
    eaves: float
    pitch: float
    color: Color

    @property
    def footprint(self) -> Polygon:
        """The ground that it covers."""
        return shapes.rectangle(self.centre, self.length, self.width, self.angle)


@dataclass(slots=True)
class Place:
    """What is where.

    Attributes:
        ground: patches of no class, later over earlier.
        truth: patches with a class; the picture is drawn from them.
        marks: finer things on top (road lines, headlands, cars), each only on the class that it names.
        roofs: of the buildings.
        hedges: lines along which shrubs grow.
        avenues: lines along which trees stand.
    """

    ground: list[Patch] = field(default_factory=list)
    truth: list[Patch] = field(default_factory=list)
    marks: list[Patch] = field(default_factory=list)
    roofs: list[Roof] = field(default_factory=list)
    hedges: list[LineString] = field(default_factory=list)
    avenues: list[LineString] = field(default_factory=list)


class Draft:
    """A place while it is drawn, in metres from its south-west corner.

    Args:
        rng: decides everything that is left to chance.
    """

    def __init__(self, rng: Generator) -> None:
        self.rng = rng
        self.place = Place()
        self._scene = shapely.box(0, 0, SIDE, SIDE)

    def tint(self) -> tuple[float, float, float]:
        """A look of its own for one patch."""
        one, two, three = np.clip(self.rng.normal(0, 0.6, 3), -1.2, 1.2)
        return float(one), float(two), float(three)

    def ground(self, surface: str, geometry: BaseGeometry, angle: float = 0.0) -> None:
        """Cover ground that is of no class."""
        self.place.ground.append(Patch(geometry, surface, None, angle, self.tint()))

    def label(self, class_name: str, surface: str, geometry: BaseGeometry, angle: float = 0.0) -> list[Patch]:
        """Add every sound part of a shape, cut to the scene and in centimetres, to the truth."""
        # Rounded so that it stays valid; then back to doubles, in which further work is more robust.
        inside = shapely.set_precision(shapely.set_precision(geometry.intersection(self._scene), 0.01), 0)
        parts = shapes.polygons(inside, least=12.0)
        found = [Patch(part, surface, class_name, angle, self.tint()) for part in parts]
        self.place.truth += found
        return found

    def mark(self, class_name: str, surface: str, geometry: BaseGeometry) -> None:
        """Draw something finer over the ground of one class."""
        self.place.marks.append(Patch(geometry, surface, class_name))

    def finish(self) -> Place:
        """The place in its CRS."""

        def move(patch: Patch) -> Patch:
            return replace(patch, geometry=translate(patch.geometry, WEST, SOUTH))

        def move_exactly(patch: Patch) -> Patch:
            # The sum of a large and a small number is not whole centimetres until it is rounded again.
            moved = shapely.transform(patch.geometry, lambda xy: np.round(xy + np.array([WEST, SOUTH]), 2))
            return replace(patch, geometry=moved)

        draft = self.place
        return Place(
            ground=[move(patch) for patch in draft.ground],
            truth=[move_exactly(patch) for patch in draft.truth],
            marks=[move(patch) for patch in draft.marks],
            roofs=[replace(roof, centre=(roof.centre[0] + WEST, roof.centre[1] + SOUTH)) for roof in draft.roofs],
            hedges=[translate(hedge, WEST, SOUTH) for hedge in draft.hedges],
            avenues=[translate(avenue, WEST, SOUTH) for avenue in draft.avenues],
        )
