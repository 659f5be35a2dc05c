"""TILES_* environment."""

from __future__ import annotations

import ipaddress
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tiles.errors import InvalidSetting


class TilesSettings(BaseSettings):
    """What can be set. Each field is `TILES_<NAME>` in the environment.

    Attributes:
        paths: rasters, folders of rasters and addresses, as JSON: what the standalone server serves.
        cache_mb: memory for rendered tiles, in MiB; 0 turns the cache off.
        max_pixels: largest raster that is opened, in pixels (width x height).
        max_bands: most bands that an opened raster may have.
        max_block_mb: largest block (tile or strip, decoded) of an opened raster, in MiB.
        max_waiting: how many tiles may wait for a thread that draws them; more are refused for the moment (503).
        max_handles: how many rasters (and overviews of rasters) stay open for the next tile.
        max_read_mpx: most values (pixels x bands, in millions) that one request may read from a raster.
        max_seconds: longest time that one request may wait for its turn, and that reading its raster may take.
        memory_mb: most memory that a process of the server may take for itself, in MiB; 0 sets no bound.
        networks: networks that are not of the public internet, as JSON (`["10.0.0.0/8"]`), in which rasters may be reached.
        http_timeout_s: longest wait for a server that has a raster.
        remote_mb: memory for parts of rasters that are elsewhere, in MiB.
        disk_mb: room on the disk for rendered tiles, in MiB; 0 keeps none.
        disk_folder: where they are kept; the server's own folder unless given.
    """

    model_config = SettingsConfigDict(env_prefix="TILES_", frozen=True)

    paths: tuple[Path | str, ...] = ()
    cache_mb: int = Field(default=256, ge=0)
    max_pixels: int = Field(default=250_000_000_000, ge=1)
    max_bands: int = Field(default=1024, ge=1)
    max_block_mb: int = Field(default=256, ge=1)
    max_waiting: int = Field(default=256, ge=1)
    max_handles: int = Field(default=64, ge=0)
    max_read_mpx: int = Field(default=4096, ge=1)
    max_seconds: float = Field(default=30.0, gt=0, le=3600)
    memory_mb: int = Field(default=4096, ge=0)
    networks: tuple[str, ...] = ()
    http_timeout_s: float = Field(default=10.0, gt=0, le=600)
    remote_mb: int = Field(default=64, ge=1)
    disk_mb: int = Field(default=1024, ge=0)
    disk_folder: Path | None = None

    @field_validator("networks")
    @classmethod
    def _networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            ipaddress.ip_network(text)
        return texts


def read_environment() -> TilesSettings:
    """The settings that the environment gives at this moment.

    Raises:
        InvalidSetting: one of them cannot be read.
    """
    try:
        return TilesSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        raise InvalidSetting(
            f"The setting TILES_{name} cannot be read: {first['msg']}, got {first['input']!r}."
        ) from error
    except ValueError as error:  # no JSON where a list is expected
        raise InvalidSetting(f"A setting TILES_... cannot be read: {error}.") from error


@cache
def from_environment() -> TilesSettings:
    """The same, read once, on first use."""
    return read_environment()
