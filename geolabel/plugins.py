"""Hooks for plugins; geolabel's own formats come through the same ones.

A plugin is a package with an entry point in the group `geolabel` that names a module (or an object) with any of the
functions below, marked with `geolabel.plugins.hookimpl`:

    from geolabel.formats.base import Format
    from geolabel.plugins import hookimpl

    @hookimpl
    def register_formats(register):
        register(Format("mine", "pixel", "What it is.", writer="my_package:MineWriter"))
"""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "geolabel"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

_BUILT_IN = {"clouds": "geolabel.chips.clouds", "formats": "geolabel.formats"}
"""What the package's own entry points say, for a source tree that was never installed."""


class _Hooks:
    @hookspec
    def register_formats(self, register: Callable[[Any], None]) -> None:
        """Offer dataset and label formats.

        Args:
            register: call it with a `geolabel.formats.base.Format` for each.
        """

    @hookspec
    def register_cloud_masks(self, register: Callable[[str, Any], None]) -> None:
        """Offer ways to find clouds in a scene.

        Args:
            register: call it with a name, and a `geolabel.chips.clouds.CloudFinder` for each.
        """

    @hookspec
    def extend_app(self, app: Any) -> None:
        """Add routes to the FastAPI application, before it starts.

        Args:
            app: the application, with geolabel's own routes in place.
        """


@cache
def manager() -> pluggy.PluginManager:
    """The plugins of this installation, loaded once, when the first hook is called.

    A plugin that cannot be imported is left out with a warning that names it: the rest must work.
    """
    plugins = pluggy.PluginManager(GROUP)
    plugins.add_hookspecs(_Hooks)
    for name, module in _BUILT_IN.items():
        plugins.register(importlib.import_module(module), name=name)
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        if _BUILT_IN.get(entry.name) == entry.value:
            continue
        try:
            plugins.register(entry.load(), name=f"{entry.name} ({entry.value})")
        except Exception as error:  # noqa: BLE001 - whatever a foreign module raises when it is imported
            warnings.warn(f"The plugin {entry.name!r} ({entry.value}) is left out: {error}", stacklevel=2)
    return plugins
