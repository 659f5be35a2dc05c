from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared real imagery, labels and format fixtures."""
    folder = Path(os.environ.get("GEOLABEL_TEST_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(
            f"The test data is not at {folder}; set GEOLABEL_TEST_DATA to the folder that holds images/ and pairs/."
        )
    return folder
