"""TILES_* environment."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TilesSettings(BaseSettings):
    """What can be set. Each field is `TILES_<NAME>` in the environment.

    Attributes:
        paths: rasters and folders of rasters, as JSON: what the standalone server serves.
        cache_mb: memory for rendered tiles, in MiB; 0 turns the cache off.
        max_pixels: largest raster that is opened, in pixels (width x height).
        max_bands: most bands that an opened raster may have.
        max_block_mb: largest block (tile or strip, decoded) of an opened raster, in MiB.
    """

    model_config = SettingsConfigDict(env_prefix="TILES_", frozen=True)

    paths: tuple[Path, ...] = ()
    cache_mb: int = Field(default=256, ge=0)
    max_pixels: int = Field(default=250_000_000_000, ge=1)
    max_bands: int = Field(default=1024, ge=1)
    max_block_mb: int = Field(default=256, ge=1)


@cache
def from_environment() -> TilesSettings:
    """The settings that the environment gives, read once, on first use."""
    return TilesSettings()
