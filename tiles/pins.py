"""What GDAL is told, whatever the environment says. Import this before rasterio opens anything.

Each line is tried by a probe of `geolabel doctor` (`tiles.probes`), which fails when the line is taken away.
"""

from __future__ import annotations

import os
from typing import Final

GDAL_ENVIRONMENT: Final[dict[str, str]] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_PAM_ENABLED": "NO",
    # GDAL never speaks to a network here (tiles.remote does): a name that would have it do so ends with this.
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
}
"""For the time that a raster is open."""

PROCESS_ENVIRONMENT: Final[dict[str, str]] = {
    # Code that GDAL would load and run.
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_PYTHON_DRIVER_PATH": "disable",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    # 3.12 and later.
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    # 3.13 and later: `/vsicurl?header_file=`.
    "CPL_VSIL_CURL_HEADER_FILE_KVP_ENABLED": "NO",
}
"""For all of this process, whoever uses GDAL in it, and for its children."""

BLOCK_CACHE_MB: Final = 48
"""GDAL's own cache of decoded blocks. By default it is a share of the machine's memory, for each process."""


def pin() -> None:
    """Tell this process."""
    os.environ.update(PROCESS_ENVIRONMENT)
    os.environ.setdefault("GDAL_CACHEMAX", str(BLOCK_CACHE_MB))


pin()
