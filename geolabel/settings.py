"""Settings: `GEOLABEL_*` in the environment, then `geolabel.toml` in the workspace, then the defaults here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from geolabel.basemaps import Basemap
from geolabel.errors import InvalidInput


class Settings(BaseSettings):
    """What a server or a command runs with.

    Attributes:
        workspace: folder of the workspace, or the URL of its PostGIS database (`postgresql://...`).
        data_dir: folder for the files of a PostGIS workspace; one per workspace under the user's own data when not given.
        pool_size: most connections that one process has to a PostGIS database.
        host: address to listen on. Anything but loopback needs `no_auth`, as long as there are no accounts.
        port: TCP port; 0 takes a free one.
        no_auth: serve other machines although everybody may then read and write.
        imagery_roots: folders under which rasters may be registered over HTTP; none by default.
        imagery_hosts: hosts, buckets and prefixes of which rasters may be registered over HTTP; none by default.
        public_url: `https://labels.example.org/geolabel`, when a proxy stands in front; its host is then accepted.
        basemaps: backdrops that the web map offers, from other servers; none by default.
        cors_origins: origins of other web pages that may call the API.
        max_body_mb: largest request body.
        max_vertices: most vertices of one label that comes over HTTP.
        label_memory_mb: memory for the labels that label tiles are drawn from, in MiB; 0 reads them for each tile.
        label_tiles_mb: memory for label tiles that were drawn, in MiB; 0 keeps none.
        workers: processes that serve, on one port.
        log_format: `text` or `json`, for what the server writes to stderr.
        log_level: `debug`, `info` (a line for each request), `warning` or `error`.
        network_drive: keep a GeoPackage workspace on a network drive, where only one machine may open it.
    """

    model_config = SettingsConfigDict(env_prefix="GEOLABEL_", extra="forbid", frozen=True)

    workspace: str | Path = Field(default=Path(), repr=False)  # a URL may hold a password
    data_dir: Path | None = None
    pool_size: int = Field(default=10, ge=1)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    no_auth: bool = False
    imagery_roots: tuple[Path, ...] = ()
    imagery_hosts: tuple[str, ...] = ()
    public_url: str | None = None
    basemaps: tuple[Basemap, ...] = ()
    cors_origins: tuple[str, ...] = ()
    max_body_mb: int = Field(default=64, ge=1)
    max_vertices: int = Field(default=200_000, ge=4)
    label_memory_mb: int = Field(default=512, ge=0)
    label_tiles_mb: int = Field(default=64, ge=0)
    workers: int = Field(default=1, ge=1, le=256)
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    network_drive: bool = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the workspace's file."""
        del dotenv_settings, file_secret_settings
        given = {**env_settings(), **init_settings()}
        workspace = given.get("workspace") or "."
        folder = given.get("data_dir") or "" if is_url(workspace) else workspace
        file = Path(folder) / "geolabel.toml" if folder else None
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file))


def is_url(workspace: str | Path) -> bool:
    """Whether a workspace is in a PostGIS database, by what names it; in a folder otherwise."""
    return isinstance(workspace, str) and workspace.startswith(("postgresql:", "postgres:", "postgresql+"))


def data_folder() -> Path:
    """Where the files of PostGIS workspaces are, one folder each, unless `data_dir` says."""
    home = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".local" / "share") / "geolabel"


def load_settings(**given: Any) -> Settings:
    """Read the settings.

    Args:
        **given: settings from the command line; those that are None count as not given.

    Raises:
        InvalidInput: a setting cannot be read; the problems name it.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"][:1]).upper()
        raise InvalidInput(
            f"The setting GEOLABEL_{name} cannot be read: {first['msg']}, got {first['input']!r}. "
            "It comes from the environment or from geolabel.toml in the workspace.",
        ) from error
    except ValueError as error:  # broken TOML, broken JSON in the environment
        raise InvalidInput(f"The settings cannot be read: {error}") from error
