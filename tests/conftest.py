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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the hours of fuzzing, kills and floods, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    left_out = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared real imagery, labels and format fixtures."""
    folder = Path(os.environ.get("GEOLABEL_TEST_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(
            f"The test data is not at {folder}; set GEOLABEL_TEST_DATA to the folder that holds images/ and pairs/."
        )
    return folder
