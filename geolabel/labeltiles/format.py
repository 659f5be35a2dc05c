"""What a label tile looks like from outside."""

from __future__ import annotations

LAYER_NAME = "labels"
"""Of the one layer that a tile has."""

FIELDS = {"class": "String", "id": "Number", "status": "String"}
"""Properties of a feature in the order of their keys, as TileJSON describes them."""

EXTENT = 4096
"""Tile units along the side of a tile."""

BUFFER = 64
"""Tile units around a tile in which shapes are kept, so that outlines do not end at its edge."""

MOST_BYTES = 500_000
"""A tile is never larger, before it is compressed."""
