"""The short way to a page of labels answers as the long way does, and takes only what it understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.routing import Match

from geolabel.api.viewport import Viewport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api

AT = "/api/collections/atlanta/items"
UTM = "http://www.opengis.net/def/crs/EPSG/0/32616"
HERE = "-84.49,33.62,-84.46,33.65"
SHORT = [
    "",
    f"bbox={HERE}",
    f"bbox={HERE.replace(',', '%2C')}&limit=2&after=1",
    "limit=3",
    "limit=9999999999",
    f"limit=1&bbox={HERE}&crs={UTM}",
    f"bbox=733000,3724000,735000,3726000&bbox-crs={UTM}",
    "bbox=170,-1,-170,1",
    "bbox=1,2,3",
    "bbox=",
    "bbox=nan,0,1,1",
    "bbox=0,5,1,4",
    "crs=http://www.opengis.net/def/crs/EPSG/0/2056",
    "bbox-crs=nothing",
]
LONG = [
    f"bbox={HERE}&limit=0",
    "limit=-1",
    "limit=two",
    "limit=",
    "limit=1&limit=1",
    f"bbox={HERE}&bbox={HERE}",
    "after=99999999999999999999",
    "after=0",
    f"bbox={HERE}&class=building",
    "filter=class='building'",
    "datetime=2020-01-01",
    "at=1",
    "unknown=1",
]


def scope(method: str, query: str) -> dict[str, object]:
    return {"type": "http", "method": method, "path": AT, "query_string": query.encode(), "headers": []}


@pytest.fixture
def both(workspace: Path, start: Callable[..., Api]) -> tuple[Api, Api]:
    """One that takes the short way where it can, and one that never does, on the same labels."""
    quick, slow = start(workspace), start(workspace)
    slow.app.router.routes[:] = [route for route in slow.app.router.routes if not isinstance(route, Viewport)]
    for number in range(5):
        quick.add("atlanta", quick.square(-84.48 + number / 500, 33.638), note=f"{number}")
    return quick, slow


def test_both_ways_give_the_same_answer(both: tuple[Api, Api]) -> None:
    statuses = set()
    for path in (AT, "/api/collections/nothing/items"):
        for query in (*SHORT, *LONG):
            for method in ("GET", "HEAD"):
                one, two = (api.client.request(method, f"{path}?{query}") for api in both)
                assert one.status_code == two.status_code, query
                kept = [{n: v for n, v in r.headers.items() if n not in {"x-request-id", "date"}} for r in (one, two)]
                assert kept[0] == kept[1], query
                said = [r.json() if r.content else {} for r in (one, two)]
                times = [body.pop("timeStamp", None) for body in said]
                assert said[0] == said[1], query
                assert (times[0] is None) == (times[1] is None)
                statuses.add(one.status_code)
    assert statuses == {200, 400, 404}


def test_the_short_way_is_for_what_is_plain() -> None:
    route = Viewport()
    assert [query for query in SHORT if route.matches(scope("GET", query))[0] is not Match.FULL] == []
    assert [query for query in LONG if route.matches(scope("GET", query))[0] is not Match.NONE] == []
    assert {route.matches(scope(method, ""))[0] for method in ("HEAD", "POST", "OPTIONS", "DELETE")} == {Match.NONE}


def test_requests_that_took_the_short_way_are_counted_under_the_same_route(both: tuple[Api, Api]) -> None:
    quick, _ = both

    def count() -> float:
        name = 'geolabel_http_requests_total{method="GET",route="/api/collections/{project}/items",status="200"}'
        lines = quick("GET", "/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    before = count()
    quick("GET", f"{AT}?bbox={HERE}")
    assert count() == before + 1
