from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api

OWN = "http://127.0.0.1:8000"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "localhost", "LOCALHOST:9999", "[::1]:8000"])
def test_own_hosts(api: Api, host: str) -> None:
    api("GET", "/api", headers={"Host": host})


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.7",
        "",
        "a@b",
        "127.0.0.1:port",
        "127.0.0.1/x",
        "[::1",
        "localhost@evil.example",
    ],
)
@pytest.mark.parametrize("path", ["/api/projects", "/", "/healthz"])
def test_foreign_hosts_are_refused(api: Api, host: str, path: str) -> None:
    refused = api("GET", path, 421, headers={"Host": host})
    assert "GEOLABEL_PUBLIC_URL" in refused.json()["detail"]


def test_hosts_follow_the_settings(workspace: Path, start: Callable[..., Api]) -> None:
    api = start(workspace, public_url="https://labels.example.org/geo")
    landing = api("GET", "/api", headers={"Host": "labels.example.org"}).json()
    assert landing["links"][0]["href"] == "https://labels.example.org/geo/api"
    tilejson = api("GET", "/api/scenes/kampala_z19_rgb/WebMercatorQuad/tilejson.json").json()
    assert tilejson["tiles"][0].startswith("https://labels.example.org/geo/api/scenes/kampala_z19_rgb/tiles/")
    page = api("GET", f"{api.items('atlanta')}?limit=3").json()
    assert page["links"][0]["href"] == "https://labels.example.org/geo/api/collections/atlanta/items?limit=3"
    api("GET", "/api", 421, headers={"Host": "other.example.org"})
    api("PATCH", "/api/projects/atlanta", json={"title": "A"}, headers={"Origin": "https://labels.example.org"})
    api("PATCH", "/api/projects/atlanta", 403, json={"title": "A"}, headers={"Origin": "https://other.example.org"})


def test_any_address_when_listening_on_all(workspace: Path, start: Callable[..., Api]) -> None:
    api = start(workspace, host="0.0.0.0", no_auth=True)
    api("GET", "/api", headers={"Host": "192.168.1.7:8000"})
    api("GET", "/api", 421, headers={"Host": "evil.example"})


WRITES = [
    ("POST", "/api/projects"),
    ("PATCH", "/api/projects/atlanta"),
    ("DELETE", "/api/projects/atlanta"),
    ("POST", "/api/scenes"),
    ("POST", "/api/projects/atlanta/exports"),
    ("POST", "/api/projects/atlanta/imports"),
    ("POST", "/api/collections/atlanta/items"),
    ("PUT", "/api/collections/atlanta/items/1"),
    ("PATCH", "/api/collections/atlanta/items/1"),
    ("DELETE", "/api/collections/atlanta/items/1"),
    ("DELETE", "/api/jobs/1"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_other_pages_cannot_write(api: Api, method: str, path: str) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8000", "file://", ""):
        assert "may not write" in api(method, path, 403, json={}, headers={"Origin": origin}).json()["detail"]
    for site in ("cross-site", "same-site"):
        api(method, path, 403, json={}, headers={"Sec-Fetch-Site": site})
    assert api("GET", "/api/projects/atlanta").json()["title"] == "atlanta"


@pytest.mark.parametrize(("method", "path"), [w for w in WRITES if w[0] != "DELETE"])
def test_a_form_cannot_write(api: Api, method: str, path: str) -> None:
    for media_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/json; charset=utf-16",
        "application/jsonx",
        "",
    ):
        refused = api(method, path, 415, content=b"{}", headers={"Content-Type": media_type})
        assert "application/geo+json" in refused.json()["detail"]
    assert api(method, path, 415, content=b"{}").headers["X-Frame-Options"] == "DENY"


def test_own_pages_can_write(api: Api) -> None:
    api("PATCH", "/api/projects/atlanta", json={"title": "A"}, headers={"Origin": OWN, "Sec-Fetch-Site": "same-origin"})
    headers = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    api("PATCH", "/api/projects/atlanta", json={"title": "B"}, headers=headers)
    media_type = "application/json; charset=UTF-8"
    api("PATCH", "/api/projects/atlanta", content=b'{"title": "C"}', headers={"Content-Type": media_type})


@pytest.mark.parametrize("path", ["/", "/api", "/api/docs", "/healthz", "/nothing", "/api/collections/atlanta/items"])
def test_every_answer_carries_the_headers(api: Api, path: str) -> None:
    headers = api.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    scripts = [part for part in policy.split("; ") if part.startswith(("script-src", "default-src"))]
    assert scripts == ["default-src 'self'"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_cors(workspace: Path, start: Callable[..., Api]) -> None:
    api = start(workspace, cors_origins=("https://maps.example.org",))
    headers = {"Origin": "https://maps.example.org"}
    answer = api("GET", "/api/projects", headers=headers)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://maps.example.org"
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    asked = headers | {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
    assert "PATCH" in api("OPTIONS", "/api/projects/atlanta", headers=asked).headers["Access-Control-Allow-Methods"]
    api("PATCH", "/api/projects/atlanta", json={"title": "A"}, headers=headers)
    foreign = {"Origin": "https://evil.example"}
    assert "Access-Control-Allow-Origin" not in api("GET", "/api/projects", headers=foreign).headers
    api("PATCH", "/api/projects/atlanta", 403, json={"title": "A"}, headers=foreign)


def test_without_cors_origins_no_page_may_read(api: Api) -> None:
    answer = api("GET", "/api/projects", headers={"Origin": "https://maps.example.org"})
    assert "Access-Control-Allow-Origin" not in answer.headers
