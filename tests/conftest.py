from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# The same examples in every run, whatever the machine's load; `make soak` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("soak", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("repeatable")

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
