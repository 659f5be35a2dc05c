"""What a label tile looks like from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geolabel.model import Bounds

LAYER_NAME = "labels"
"""Of the layer of labels, the one that a tile has unless more is asked for."""

COUNT_NAME = "count"
"""Of the layer that says how many labels lie in the tile, in pooled tiles."""

FIELDS = {"class": "String", "id": "Number", "status": "String"}
"""Properties of a feature in the order of their keys, as TileJSON describes them."""

EXTENT = 4096
"""Tile units along the side of a tile."""

BUFFER = 64
"""Tile units around a tile in which shapes are kept, so that outlines do not end at its edge."""

COARSEST = 64
"""Tile units between the lines of the coarsest grid that vertices go to."""

MOST_BYTES = 500_000
"""A tile is never larger, before it is compressed."""


def reach(box: Bounds) -> Bounds:
    """The box, in the CRS of a tile, of all that may show in it: labels beyond it do not matter to the tile."""
    margin = (box[2] - box[0]) * (BUFFER + COARSEST) / EXTENT
    return box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin
