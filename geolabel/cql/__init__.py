"""CQL2 (OGC 21-065r2): what a client's filter says, as a checked value. Knows no database and no HTTP.

    text  ->  (`text.parse`)  ->  CQL2 JSON  ->  (`check.read`)  ->  Where

A `Where` holds names of the allow-list only, values of the right type and geometries in the storage CRS; a database
compiles it to bound SQL (`geolabel.store.where`).
"""

from __future__ import annotations

from geolabel.cql.check import Lang, read_filter, read_value
from geolabel.cql.moments import Moment, read_interval, read_moment
from geolabel.cql.nodes import And, Compare, Property, Value, Where
from geolabel.cql.queryables import Queryable, queryables

__all__ = [
    "And",
    "Compare",
    "Lang",
    "Moment",
    "Property",
    "Queryable",
    "Value",
    "Where",
    "queryables",
    "read_filter",
    "read_interval",
    "read_moment",
    "read_value",
]
