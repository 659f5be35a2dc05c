"""Backdrops of the web map: what may be named, and that pages may load from just there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from geolabel.basemaps import Basemap
from geolabel.errors import InvalidInput
from geolabel.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.conftest import Api


def _sources(policy: str, directive: str) -> list[str]:
    [found] = [part for part in policy.split("; ") if part.startswith(f"{directive} ")]
    return found.split()[1:]


def test_there_is_none_unless_it_is_named(api: Api) -> None:
    answer = api("GET", "/api/basemaps")
    assert answer.json() == {"basemaps": []}
    assert _sources(answer.headers["Content-Security-Policy"], "connect-src") == ["'self'"]


def test_pages_may_load_from_the_hosts_that_were_named_and_no_others(
    workspace: Path, start: Callable[..., Api]
) -> None:
    api = start(
        workspace,
        basemaps=(
            "https://tiles.example.org/{z}/{x}/{y}.png",
            {"name": "Streets", "url": "https://tiles.example.org/streets.json", "hosts": ["http://127.0.0.1:8099/t"]},
        ),
    )
    answer = api("GET", "/api/basemaps")
    first, second = answer.json()["basemaps"]
    assert (first["name"], first["max_zoom"], first["tile_size"]) == ("tiles.example.org", 19, 256)
    assert (second["name"], second["hosts"]) == ("Streets", ["http://127.0.0.1:8099"])
    policy = answer.headers["Content-Security-Policy"]
    others = ["https://tiles.example.org", "http://127.0.0.1:8099"]
    assert _sources(policy, "connect-src") == ["'self'", *others]
    assert _sources(policy, "img-src") == ["'self'", "data:", "blob:", *others]
    assert _sources(policy, "default-src") == ["'self'"]
    assert policy.count("example.org") == 2


def test_they_come_from_the_environment_or_from_the_workspaces_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = '[[basemaps]]\nname = "Aerial"\nurl = "https://a.example/{z}/{x}/{y}.jpg"\nattribution = "© A"\n'
    (tmp_path / "geolabel.toml").write_text(lines, encoding="utf-8")
    assert load_settings(workspace=tmp_path).basemaps == (
        Basemap(name="Aerial", url="https://a.example/{z}/{x}/{y}.jpg", attribution="© A"),
    )
    monkeypatch.setenv("GEOLABEL_BASEMAPS", '["https://b.example/tiles.json"]')
    [basemap] = load_settings(workspace=tmp_path).basemaps
    assert (basemap.name, basemap.origins) == ("b.example", ("https://b.example",))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("tiles/{z}/{x}/{y}.png", "expected the address of a web server"),
        ("ftp://a.example/{z}/{x}/{y}.png", "expected the address of a web server"),
        ("https://user:pass@a.example/{z}/{x}/{y}.png", "expected the address of a web server"),
        ("https://*.a.example/{z}/{x}/{y}.png", "expected the address of a web server"),
        ("https://a.example;script-src *//{z}/{x}/{y}.png", "expected the address of a web server"),
        ("https://{s}.a.example/{z}/{x}/{y}.png", "expected the address of a web server"),
        ("https://a.example/{s}/{z}/{x}/{y}.png", "put one of the server's names where {s} stands"),
        ("https://a.example/{z}/{x}.png", "{y} is missing"),
        ({"url": "https://a.example/t.json", "hosts": ["*"]}, "expected the address of a web server"),
        ({"url": "https://a.example/t.json", "link": "javascript:alert(1)"}, "expected the address of a web server"),
        ({"url": "https://a.example/t.json", "zoom": 3}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_a_backdrop_is_refused_at_the_start(
    given: object, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOLABEL_BASEMAPS", json.dumps([given]))
    with pytest.raises(InvalidInput) as refused:
        load_settings(workspace=tmp_path)
    assert "GEOLABEL_BASEMAPS" in str(refused.value)
    assert says in str(refused.value)
