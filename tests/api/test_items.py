from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Api

WEST, SOUTH = -84.4812345678901, 33.6381234567890


def test_a_label_from_its_first_to_its_last_version(api: Api) -> None:
    made = api.add("atlanta", api.square(WEST, SOUTH), note="flat roof", scene="atlanta_pan", confidence=0.5)
    feature = made.json()
    assert made.headers["ETag"] == '"1"'
    assert made.headers["Content-Type"] == "application/geo+json"
    at = made.headers["Location"]
    assert at == f"http://127.0.0.1:8000/api/collections/atlanta/items/{feature['id']}"
    assert feature["properties"] | {"created_at": 0, "updated_at": 0, "area_m2": 0} == {
        "class": "building",
        "note": "flat roof",
        "status": "labelled",
        "confidence": 0.5,
        "scene": "atlanta_pan",
        "track": None,
        "valid_from": None,
        "valid_to": None,
        "source": "api",
        "author": None,
        "created_at": 0,
        "updated_at": 0,
        "version": 1,
        "external_id": None,
        "area_m2": 0,
    }

    patched = api("PATCH", at, json={"properties": {"class": "water", "note": None}}, headers={"If-Match": '"1"'})
    assert patched.headers["ETag"] == '"2"'
    assert patched.json()["geometry"] == feature["geometry"]
    assert patched.json()["properties"]["class"] == "water"
    assert patched.json()["properties"]["note"] is None
    assert patched.json()["properties"]["confidence"] == 0.5
    assert patched.json()["properties"]["created_at"] == feature["properties"]["created_at"]

    whole = {**feature, "properties": {"class": "building"}}
    replaced = api("PUT", at, json=whole, headers={"If-Match": 'W/"2"'})
    assert replaced.headers["ETag"] == '"3"'
    assert replaced.json()["properties"]["confidence"] is None
    assert replaced.json()["properties"]["scene"] is None

    gone = api("DELETE", at, 204, headers={"If-Match": '"3"'})
    assert gone.headers["ETag"] == '"4"'
    assert "deleted" in api("GET", at, 404).json()["detail"]
    api("DELETE", at, 404)
    api("PATCH", at, 404, json={"properties": {"note": "x"}})

    back = api("PUT", at, json=replaced.json(), headers={"If-Match": '"4"'})
    assert back.headers["ETag"] == '"5"'
    assert back.json()["geometry"] == feature["geometry"]
    assert back.json()["properties"]["created_at"] == feature["properties"]["created_at"]

    history = api("GET", f"{at}/history").json()["history"]
    assert [step["operation"] for step in history] == ["create", "update", "update", "delete", "update"]
    assert [step["version"] for step in history] == [1, 2, 3, 4, 5]
    assert [step["feature"]["properties"]["class"] for step in history][:3] == ["building", "water", "building"]


def test_if_match(api: Api) -> None:
    at = api.add("atlanta", api.square(WEST, SOUTH)).headers["Location"]
    api("PATCH", at, json={"properties": {"note": "first"}})
    for method, body in (
        ("PATCH", {"properties": {"note": "x"}}),
        ("PUT", {"type": "Feature", "geometry": api.square(WEST, SOUTH), "properties": {"class": "water"}}),
        ("DELETE", None),
    ):
        refused = api(method, at, 412, json=body, headers={"If-Match": '"1"'}).json()
        assert refused["current"]["properties"]["note"] == "first"
        assert refused["current"]["properties"]["version"] == 2
        assert "version 2" in refused["detail"]
        api(method, at, 412, json=body, headers={"If-Match": '"not ours"'})
        assert api(method, at, 400, json=body, headers={"If-Match": "2"}).json()["errors"][0]["pointer"] == "/If-Match"
    api("PATCH", at, json={"properties": {"note": "second"}}, headers={"If-Match": '"1", W/"2"'})
    api("PATCH", at, json={"properties": {"note": "third"}}, headers={"If-Match": "*"})
    api("DELETE", at, 204, headers={"If-Match": "*"})
    whole = {"type": "Feature", "geometry": api.square(WEST, SOUTH), "properties": {"class": "water"}}
    api("PUT", at, 412, json=whole, headers={"If-Match": "*"})
    api("PUT", at, 412, json=whole, headers={"If-Match": '"4"'})
    api("PUT", at, json=whole)


def test_if_none_match(api: Api) -> None:
    made = api.add("atlanta", api.square(WEST, SOUTH))
    at = made.headers["Location"]
    assert api("GET", at, 304, headers={"If-None-Match": made.headers["ETag"]}).content == b""
    api("GET", at, 200, headers={"If-None-Match": '"7"'})


def test_the_servers_own_properties(api: Api) -> None:
    made = api.add("atlanta", api.square(WEST, SOUTH)).json()
    at = f"{api.items('atlanta')}/{made['id']}"
    api("PUT", at, json=made)  # an echo is passed over
    api("PUT", at, json=made)  # a stale echo too: version 1, and the last write wins
    rounded = made["properties"] | {"area_m2": round(made["properties"]["area_m2"], 2)}
    api("PATCH", at, json={"properties": rounded})
    for name, value in (("version", 99), ("source", "me"), ("created_at", "2020-01-01T00:00:00Z"), ("area_m2", 1)):
        refused = api("PATCH", at, 422, json={"properties": {name: value}}).json()
        assert refused["errors"][0]["pointer"] == f"/properties/{name}"
        assert "server's own" in refused["detail"]
        api("PUT", at, 422, json={**made, "properties": {**made["properties"], name: value}})
    copied = api.add("atlanta", made["geometry"], **{**made["properties"], "class": "water"}).json()
    assert copied["properties"]["version"] == 1


def test_a_label_that_comes_from_the_web_map_says_so(api: Api) -> None:
    body = {"type": "Feature", "geometry": api.square(WEST, SOUTH), "properties": {"class": "building"}}
    made = api("POST", api.items("atlanta"), 201, json=body, headers={"Origin": "http://127.0.0.1:8000"}).json()
    assert made["properties"]["source"] == "web"
    patched = api("PATCH", f"{api.items('atlanta')}/{made['id']}", json={"properties": {"note": "by a script"}}).json()
    assert patched["properties"]["source"] == "web"


def test_options_name_what_can_be_done(api: Api) -> None:
    items = api.items("atlanta")
    assert api("OPTIONS", items, 204).headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert api("OPTIONS", f"{items}/1", 204).headers["Allow"] == "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"


def test_pages_walk_over_all_labels(api: Api) -> None:
    ids = [api.add("atlanta", api.square(WEST + i * 1e-4, SOUTH), note=str(i)).json()["id"] for i in range(23)]
    api("DELETE", f"{api.items('atlanta')}/{ids[4]}", 204)
    expected = [i for i in ids if i != ids[4]]
    for query in ("limit=5", "limit=5&class=building", "limit=1&bbox=-85,33,-84,34", "limit=22", "limit=100000"):
        seen, url, pages = [], f"{api.items('atlanta')}?{query}", 0
        while url:
            page = api("GET", url).json()
            assert page["numberMatched"] == 22
            assert page["numberReturned"] == len(page["features"])
            seen += [f["id"] for f in page["features"]]
            url = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
            pages += 1
        assert seen == expected, query
        assert pages == -(-22 // min(int(query.split("&")[0].split("=")[1]), 22))


def test_filters(api: Api) -> None:
    api.add("atlanta", api.square(WEST, SOUTH))
    api.add("atlanta", api.square(WEST, SOUTH), **{"class": "water"})
    api.add("atlanta", api.square(WEST, SOUTH), **{"class": "water", "status": "accepted"})
    for query, count in (
        ("class=water", 2),
        ("class=road", 0),
        ("status=accepted", 1),
        ("class=water&status=labelled", 1),
    ):
        page = api("GET", f"{api.items('atlanta')}?{query}").json()
        assert page["numberMatched"] == page["numberReturned"] == len(page["features"]) == count, query
    for when in ("2018-02-12T23:20:50Z", "2018-02-12T00:00:00Z/..", "../2018-02-12T00:00:00Z", "/2018-02-12T00:00:00Z"):
        assert api("GET", api.items("atlanta"), params={"datetime": when}).json()["numberMatched"] == 3


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("limit=1.5", "limit"),
        ("after=-1", "after"),
        ("after=99999999999999999999999", "after"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=1,2,3,4,5", "bbox"),
        ("bbox=a,b,c,d", "bbox"),
        ("bbox=nan,0,1,1", "bbox"),
        ("bbox=0,0,inf,1", "bbox"),
        ("bbox=0,10,1,5", "bbox"),
        ("bbox=0,-91,1,5", "bbox"),
        ("bbox=", "bbox"),
        ("bbox=0,0,1,1&bbox-crs=EPSG:27700", "bbox-crs"),
        ("bbox=5,0,1,1&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/32616", "bbox"),
        ("crs=nonsense", "crs"),
        ("crs=http://www.opengis.net/def/crs/EPSG/0/27700", "crs"),
        ("crs=%00", "crs"),
        ("class=lava", "class"),
        ("class=%00", "class"),
        ("status=asleep", "status"),
        ("datetime=yesterday", "datetime"),
        ("datetime=2018-02-30T00:00:00Z", "datetime"),
        ("datetime=2018-02-12T00:00:00Z/2017-02-12T00:00:00Z", "datetime"),
        ("datetime=../../..", "datetime"),
        ("offset=3", "offset"),
        ("LIMIT=3", "LIMIT"),
        ("limit=3&limit=4", "limit"),
    ],
)
def test_a_query_that_cannot_be_used(api: Api, query: str, name: str) -> None:
    refused = api("GET", f"{api.items('atlanta')}?{query}", 400)
    assert refused.headers["Content-Type"] == "application/problem+json"
    problem = refused.json()
    assert problem["errors"][0]["pointer"] == f"/{name}"
    assert name in problem["detail"]
    assert problem["status"] == 400


@pytest.mark.parametrize(
    "path",
    [
        "/api/collections",
        "/api/collections/atlanta",
        "/api/collections/atlanta/queryables",
        "/api/collections/atlanta/schema",
        "/api/projects",
        "/api/projects/atlanta",
        "/api/scenes",
        "/api/jobs",
        "/api",
        "/api/conformance",
        "/api/openapi.json",
    ],
)
def test_parameters_are_unknown_where_there_are_none(api: Api, path: str) -> None:
    api("GET", path)
    assert "known are" in api("GET", f"{path}?unknown=1", 400).json()["detail"]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/api/collections/nowhere", "nowhere"),
        ("/api/collections/nowhere/items", "nowhere"),
        ("/api/collections/nowhere/items/1", "nowhere"),
        ("/api/collections/atlanta/items/99", "99"),
        ("/api/collections/atlanta/items/abc", "abc"),
        ("/api/collections/atlanta/items/0", "0"),
        ("/api/collections/atlanta/items/99999999999999999999", "99999999999999999999"),
        ("/api/collections/atlanta/items/99/history", "99"),
        ("/api/projects/nowhere", "nowhere"),
        ("/api/scenes/nowhere", "nowhere"),
        ("/api/jobs/77", "77"),
        ("/api/nothing", "/api/nothing"),
        ("/nothing", "/nothing"),
        ("/assets/../../errors.py", "/errors.py"),
        ("/api/projects/%00", ""),
        ("/api/projects/%F0%9F%9B%B0", ""),
    ],
)
def test_what_is_not_there(api: Api, path: str, what: str) -> None:
    missing = api("GET", path, 404)
    assert missing.headers["Content-Type"] == "application/problem+json"
    assert what in missing.json()["detail"]


def test_a_method_that_does_nothing_names_those_that_do(api: Api) -> None:
    refused = api("DELETE", api.items("atlanta"), 405)
    assert refused.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert api("POST", "/api/projects/atlanta", 405, json={}).headers["Allow"] == "GET, PATCH, DELETE, HEAD, OPTIONS"


def test_a_label_may_keep_a_scene_that_the_project_has_left(api: Api) -> None:
    feature = api.add("atlanta", api.square(-84.48, 33.638), scene="atlanta_pan").json()
    api("PATCH", "/api/projects/atlanta", json={"scenes": ["kampala_z19_rgb"]})
    at = f"{api.items('atlanta')}/{feature['id']}"
    body = {k: feature[k] for k in ("type", "geometry", "properties")}
    body["properties"]["note"] = "seen"
    assert api("PUT", at, json=body).json()["properties"]["scene"] == "atlanta_pan"
    assert api("PATCH", at, json={"properties": {"scene": "atlanta_pan"}}).json()["properties"]["note"] == "seen"
    api("PATCH", at, 422, json={"properties": {"scene": "swellendam"}})


def test_a_label_that_is_nowhere_on_the_earth_is_refused(api: Api) -> None:
    crs = {"Content-Crs": "<http://www.opengis.net/def/crs/EPSG/0/32616>"}
    body = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [1e9, 1e9]},
        "properties": {"class": "tree"},
    }
    refused = api("POST", api.items("atlanta"), 422, json=body, headers=crs).json()
    assert "is nowhere on the Earth" in refused["detail"]
    assert api("GET", api.items("atlanta")).json()["numberMatched"] == 0
