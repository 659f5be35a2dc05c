"""Annotations at rest: one Store, whichever database holds it."""

# `from __future__ import annotations` would hide the module of that name here.
from geolabel.store.store import Store, open_store

__all__ = ["Store", "open_store"]
