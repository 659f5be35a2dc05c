"""What a label tile looks like from outside."""

from __future__ import annotations

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

MOST_BYTES = 500_000
"""A tile is never larger, before it is compressed."""
