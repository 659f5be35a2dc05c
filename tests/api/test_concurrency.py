from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx
    import pytest

    from .conftest import Api

AT = "/api/collections/atlanta/items"
RING = [[-84.48, 33.638], [-84.479, 33.638], [-84.479, 33.639], [-84.48, 33.638]]
BODY = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": [RING]},
    "properties": {"class": "building"},
}


def test_with_if_match_exactly_one_of_many_wins(server: httpx.Client) -> None:
    at = server.post(AT, json=BODY).headers["Location"]

    def write(index: int) -> int:
        body = {"properties": {"note": f"client {index}"}}
        return server.patch(at, json=body, headers={"If-Match": '"1"'}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(write, range(8)))
    assert statuses == [200] + [412] * 7
    assert server.get(at).json()["properties"]["version"] == 2


def test_without_it_every_write_is_kept_as_a_version(server: httpx.Client) -> None:
    at = server.post(AT, json=BODY).headers["Location"]
    changes = [{"note": f"{i}"} for i in range(12)] + [{"confidence": i / 12} for i in range(12)]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda change: server.patch(at, json={"properties": change}), changes))
    assert [answer.status_code for answer in answers] == [200] * 24
    assert sorted(answer.json()["properties"]["version"] for answer in answers) == list(range(2, 26))
    history = server.get(f"{at}/history").json()["history"]
    assert [step["version"] for step in history] == list(range(1, 26))
    for before, after in pairwise(history):
        one, two = before["feature"]["properties"], after["feature"]["properties"]
        assert sum(one[name] != two[name] for name in ("note", "confidence")) == 1, "a patch touches only what it names"


def test_a_write_that_waited_too_long_is_told_why(
    workspace: Path | str, start: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = start(workspace)
    store = api.app.state.store
    monkeypatch.setattr(store, "_busy_seconds", 0.05)
    body = {"type": "Feature", "geometry": api.square(-84.4759, 33.6389, 1e-4), "properties": {"class": "building"}}
    assert store._writer.acquire(1)
    refused = api("POST", api.items("atlanta"), 503, json=body).json()
    store._writer.release()
    assert refused["detail"] == "The workspace has been writing for more than 0.05 s: try again."
    assert api("POST", api.items("atlanta"), 201, json=body).json()["id"] == 1
