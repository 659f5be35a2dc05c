from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from tiles.app import create_app
from tiles.settings import TilesSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def client(data: Path) -> Iterator[TestClient]:
    """A standalone tile server over all the shared rasters."""
    with TestClient(create_app(TilesSettings(paths=(data / "images", data / "pairs")))) as client:
        yield client
