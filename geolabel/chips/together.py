"""Shapes of several chips, so that what has to be known of each is computed for all at once.

A chip has some dozens of annotations, and most computations on arrays cost more to begin than to do for so few.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geolabel.model import Grid

    Known = TypeVar("Known")


@dataclass(frozen=True, slots=True)
class Together:
    """Shapes of chips, one chip after the other.

    Attributes:
        geometries: (n,) each in continuous pixels of its own chip.
        chip: int64 (n,) the chip that each is on, from 0.
        grids: (chips,) the pixel grid of each chip.
    """

    geometries: NDArray[np.object_]
    chip: NDArray[np.int64]
    grids: tuple[Grid, ...]
    _known: dict[Callable[[Together], Any], Any] = field(default_factory=dict)

    def known(self, function: Callable[[Together], Known]) -> Known:
        """What a function makes of all shapes; it is called once."""
        if function not in self._known:
            self._known[function] = function(self)
        found: Known = self._known[function]
        return found


def dimensions(shapes: Together) -> NDArray[np.int32]:
    """(n,) 2 for areas, 1 for lines, 0 for points."""
    return np.asarray(shapely.get_dimensions(shapes.geometries))


def areas(shapes: Together) -> NDArray[np.float64]:
    """(n,) in square pixels; 0 for lines and points."""
    return np.asarray(shapely.area(shapes.geometries))


def bounds(shapes: Together) -> NDArray[np.float64]:
    """(n, 4) left, upper, right, lower."""
    return np.asarray(shapely.bounds(shapes.geometries)).reshape(-1, 4)
