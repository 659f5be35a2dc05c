"""Batches over HTTP: all or nothing, with pointers, and requests that are sent twice."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pytest

from geolabel.store.batch import MAX_EDITS

if TYPE_CHECKING:
    import httpx

WEST, SOUTH = -84.4676, 33.6406
BATCH = "/api/collections/atlanta/batch"


def feature(index: int = 0, /, **properties: Any) -> dict[str, Any]:
    west, south, east, north = WEST + index * 1e-6, SOUTH, WEST + 0.001, SOUTH + 0.001
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"class": "building", **properties},
    }


@pytest.fixture
def three(api: Any) -> list[dict[str, Any]]:
    """The features 1, 2 and 3."""
    body = {"create": [feature(index) for index in range(3)]}
    return api("POST", BATCH, json=body).json()["created"]


def state(api: Any) -> list[dict[str, Any]]:
    return api("GET", api.items("atlanta")).json()["features"]


def test_a_batch_answers_with_whole_features(api, three):
    assert [(f["id"], f["properties"]["version"]) for f in three] == [(1, 1), (2, 1), (3, 1)]
    ring = three[0]["geometry"]["coordinates"][0]
    moved = {"type": "Polygon", "coordinates": [[[round(x, 6), round(y, 6)] for x, y in ring]]}
    moved["coordinates"][0][2][0] += 1e-4
    answer = api(
        "POST",
        BATCH,
        json={
            "create": [feature(9, note="new")],
            "update": [
                {"id": 1, "version": 1, "geometry": moved},
                {"id": "2", "properties": {"class": "water", "note": "pond"}},
            ],
            "delete": [{"id": 3, "version": 1}],
            "comment": "a morning's work",
        },
    ).json()
    assert answer["changeset"] == 2
    assert [f["properties"]["note"] for f in answer["created"]] == ["new"]
    assert answer["deleted"] == [{"id": 3, "version": 2}]
    first, second = answer["updated"]
    assert (first["id"], first["properties"]["version"]) == (1, 2)
    after = first["geometry"]["coordinates"][0]
    assert [after[i] for i in (0, 1, 3, 4)] == [ring[i] for i in (0, 1, 3, 4)], "untouched vertices stay"
    assert after[2] != ring[2]
    assert (second["geometry"], second["properties"]["class"], second["properties"]["note"]) == (
        three[1]["geometry"],
        "water",
        "pond",
    )
    assert state(api) == [first, second, *answer["created"]]
    assert api("POST", BATCH, json={}).json() == {"changeset": None, "created": [], "updated": [], "deleted": []}


def test_an_update_that_names_the_delete_brings_a_label_back(api, three):
    api("DELETE", f"{api.items('atlanta')}/2", 204)
    refused = api("POST", BATCH, 412, json={"update": [{"id": 2, "version": 1, "properties": {"note": "late"}}]})
    assert refused.json()["current"] == [{"pointer": "/update/0", "feature": None, "version": 2}]
    body = {
        "update": [{"id": 2, "version": 2, "properties": {"note": "back"}}, {"id": 1, "version": 1, "properties": {}}]
    }
    answer = api("POST", BATCH, json=body, headers={"Geolabel-Author": "Am%C3%ADna%20N."}).json()
    back = answer["updated"][0]
    assert (back["id"], back["properties"]["version"], back["properties"]["note"]) == (2, 3, "back")
    assert back["geometry"] == three[1]["geometry"]
    assert [f["id"] for f in state(api)] == [1, 2, 3]
    assert api("GET", "/api/collections/atlanta/changesets").json()["changesets"][0]["author"] == "Amína N."
    again = api("POST", BATCH, 412, json={"update": [{"id": 2, "version": 2, "properties": {}}]})
    assert again.json()["current"][0]["version"] == 3
    api("POST", BATCH, 400, json={}, headers={"Geolabel-Author": "%00"})


def test_a_batch_in_the_storage_crs(api):
    uri = "http://www.opengis.net/def/crs/EPSG/0/32616"
    shape = {
        "type": "Polygon",
        "coordinates": [[[733700.1, 3725000.1], [733710, 3725000], [733710, 3725010.3], [733700.1, 3725000.1]]],
    }
    answer = api(
        "POST",
        BATCH,
        json={"create": [{**feature(), "geometry": shape}]},
        headers={"Content-Crs": f"<{uri}>"},
    )
    assert answer.headers["Content-Crs"] == f"<{uri}>"
    assert answer.json()["created"][0]["geometry"] == shape


BAD: list[tuple[Any, int, str, str]] = [
    (
        {"create": [feature(), feature(0, **{"class": "lake"})]},
        422,
        "/create/1/properties/class",
        "is one of",
    ),
    ({"create": [feature(), {**feature(), "geometry": None}]}, 422, "/create/1/geometry", ""),
    ({"create": [3]}, 422, "/create/0", "Expected a GeoJSON Feature"),
    ({"update": [{"id": 1, "properties": {"height": 3}}]}, 422, "/update/0/properties/height", "no property"),
    ({"update": [{"id": 1, "geometry": {"type": "Point"}}]}, 422, "/update/0/geometry", ""),
    ({"update": [{"id": 1}, {"id": 1}]}, 422, "/update/0/id", "edited twice"),
    ({"update": [{"id": 99}]}, 422, "/update/0/id", "there is no annotation 99"),
    ({"update": [{"id": 1, "version": "1"}]}, 422, "/update/0/version", "whole number from 1, got '1'"),
    ({"update": [{"id": 1.5}]}, 422, "/update/0/id", "whole number from 1, got 1.5"),
    ({"update": [{}]}, 422, "/update/0/id", "whole number from 1, got None"),
    ({"delete": [{"id": 1, "properties": {}}]}, 422, "/delete/0", "any of id, version"),
    ({"delete": [1]}, 422, "/delete/0", "any of id, version"),
    ({"delete": {"id": 1}}, 422, "/delete", "Expected a list"),
    ({"remove": []}, 422, "", "any of create, update, delete"),
    ([], 422, "", "any of create, update, delete"),
    ({"comment": 3}, 422, "/comment", "Expected a text"),
    ({"update": [{"id": 1, "version": 7}]}, 412, "/update/0", "is at version 1, not 7"),
]


def test_one_wrong_edit_and_nothing_is_saved(api, three):
    for edits, status, pointer, message in BAD:
        body = {"create": [feature()], **edits} if isinstance(edits, dict) and pointer[:1] == "/" else edits
        problem = api("POST", BATCH, status, json=body).json()
        assert problem["errors"][0]["pointer"] == pointer
        assert message in problem["errors"][0]["message"]
    assert state(api) == three
    many = api("POST", BATCH, 413, json={"delete": [{"id": 1}] * (MAX_EDITS + 1)}).json()
    assert many["detail"] == "A batch changes at most 10,000 labels, got 10,001: send several, or import them."


@pytest.mark.parametrize("where", random.Random(38).sample(range(1000), 2))
def test_nothing_is_seen_when_item_k_of_a_thousand_fails(api, where):
    """Hardening row 38."""
    new = [feature(index) for index in range(1000)]
    new[where]["properties"]["class"] = "lake"
    problem = api("POST", BATCH, 422, json={"create": new}).json()
    assert problem["errors"][0]["pointer"] == f"/create/{where}/properties/class"
    assert api("GET", api.items("atlanta")).json()["numberMatched"] == 0


@pytest.mark.usefixtures("three")
def test_a_conflict_shows_what_is_there(api):
    api("PATCH", f"{api.items('atlanta')}/1", json={"properties": {"note": "mine"}})
    api("DELETE", f"{api.items('atlanta')}/2", 204)
    problem = api(
        "POST",
        BATCH,
        412,
        json={
            "update": [{"id": 1, "version": 1, "properties": {"note": "yours"}}, {"id": 3, "version": 1}],
            "delete": [{"id": 2, "version": 1}],
        },
    ).json()
    assert [e["pointer"] for e in problem["errors"]] == ["/update/0", "/delete/0"]
    assert [c["pointer"] for c in problem["current"]] == ["/update/0", "/delete/0"]
    assert problem["current"][0]["feature"]["properties"]["note"] == "mine"
    assert problem["current"][1]["feature"] is None
    assert "Read those again and repeat the batch" in problem["detail"]


@pytest.mark.parametrize("kind", ["items", "batch", "exports", "imports"])
def test_a_request_that_comes_again(api, kind):
    """Hardening row 37: each POST five times, one effect, the same answer; another body is refused."""
    path, body, other = {
        "items": (api.items("atlanta"), feature(), feature(1)),
        "batch": (BATCH, {"create": [feature()] * 3}, {"create": [feature()]}),
        "exports": ("/api/projects/atlanta/exports", {"formats": ["geojson"]}, {"formats": ["coco"]}),
        "imports": (
            "/api/projects/atlanta/imports",
            {"type": "FeatureCollection", "features": [feature()]},
            {"type": "FeatureCollection", "features": []},
        ),
    }[kind]
    key = {"Idempotency-Key": "0b1c-4f"}
    responses = []
    for attempt in range(5):
        responses.append(api.client.post(path, json=body, headers=key))
        if kind in {"items", "batch"} and attempt == 0:
            api("PATCH", f"{api.items('atlanta')}/1", json={"properties": {"note": "changed since"}})
    first = responses[0]
    assert first.status_code == {"items": 201, "batch": 200}.get(kind, 202), first.text
    for again in responses[1:]:
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert [again.headers.get(n) for n in ("Location", "ETag")] == [
            first.headers.get(n) for n in ("Location", "ETag")
        ]
        assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    refused = api("POST", path, 422, json=other, headers=key).json()
    assert "was used at" in refused["detail"]
    assert "a new request takes a new key" in refused["detail"]
    assert (
        "was used"
        in api(
            "POST", path + "?x=1" if kind == "x" else api.items("atlanta"), 422, json=feature(7), headers=key
        ).json()["detail"]
    )
    store = api.app.state.store
    assert len(store.jobs()) == (kind in {"exports", "imports"})
    assert store.count("atlanta") == {"items": 1, "batch": 3}.get(kind, 0)
    if kind == "imports":
        assert len(list((store.folder / "imports").iterdir())) == 1, "the bodies of replays are not kept"
    assert (
        api("POST", path, first.status_code, json=body, headers={"Idempotency-Key": "another"}).json() != first.json()
    )


def test_keys_belong_to_a_project_and_are_readable(api):
    body, key = feature(), {"Idempotency-Key": "k"}
    api("POST", api.items("atlanta"), 201, json=body, headers=key)
    made = api("POST", api.items("kampala"), 201, json=body, headers=key)
    assert "Idempotent-Replayed" not in made.headers
    for bad in ("", "a b", "x" * 201):
        problem = api("POST", api.items("atlanta"), 400, json=body, headers={"Idempotency-Key": bad}).json()
        assert problem["errors"][0]["pointer"] == "/Idempotency-Key"


def test_what_was_refused_can_be_sent_again(api):
    key = {"Idempotency-Key": "k"}
    api("POST", api.items("atlanta"), 422, json=feature(0, **{"class": "lake"}), headers=key)
    api("POST", api.items("atlanta"), 201, json=feature(), headers=key)


def test_in_parallel_one_effect(server: httpx.Client) -> None:
    responses, barrier = [], threading.Barrier(5)

    def post() -> None:
        barrier.wait()
        body = {"create": [feature()] * 2}
        responses.append(server.post(BATCH, json=body, headers={"Idempotency-Key": "k"}))

    threads = [threading.Thread(target=post) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.status_code for r in responses] == [200] * 5
    assert all(r.json() == responses[0].json() for r in responses)
    assert sorted("Idempotent-Replayed" in r.headers for r in responses) == [False] + [True] * 4
    assert server.get("/api/collections/atlanta/items").json()["numberMatched"] == 2
