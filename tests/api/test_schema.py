"""The label schema over HTTP: attributes, guidelines, mappings, coverage, validity, If-Match required."""

from __future__ import annotations

import pytest

WEST, SOUTH = -84.4812345678901, 33.6381234567890
PROJECT = "/api/projects/atlanta"
COVERAGE = "/api/collections/atlanta.coverage"
ATTRIBUTES = [
    {"name": "roof", "kind": "enum", "values": ["flat", "gable"], "classes": ["building"], "title": "Roof"},
    {"name": "storeys", "kind": "number", "minimum": 1, "maximum": 200},
    {"name": "inhabited", "kind": "boolean"},
    "address",
]


def change(api, status=200, /, **members):
    return api("PATCH", PROJECT, status, json=members).json()


@pytest.fixture
def typed(api):
    change(api, attributes=ATTRIBUTES)
    return api


def test_a_schema_is_given_and_read(api):
    made = change(api, attributes=ATTRIBUTES, guidelines="# Roofs\n\nFrom **above**.", require_if_match=True)
    assert [a["name"] for a in made["attributes"]] == ["roof", "storeys", "inhabited", "address"]
    assert made["attributes"][0] == {
        "name": "roof",
        "kind": "enum",
        "required": False,
        "values": ["flat", "gable"],
        "minimum": None,
        "maximum": None,
        "classes": ["building"],
        "title": "Roof",
        "description": "",
    }
    assert (made["guidelines"], made["require_if_match"]) == ("# Roofs\n\nFrom **above**.", True)
    assert api("GET", PROJECT).json() == made
    assert change(api, attributes=made["attributes"], classes=made["classes"]) == made, "what is served can be sent"
    kept = change(api, attributes=["roof", {"name": "storeys", "maximum": None}, "inhabited", "address"])
    assert kept["attributes"][0] == made["attributes"][0]
    assert (kept["attributes"][1]["minimum"], kept["attributes"][1]["maximum"]) == (1, None)
    other = api(
        "POST",
        "/api/projects",
        201,
        json={
            "title": "Typed",
            "scenes": ["atlanta_pan"],
            "classes": ["building"],
            "attributes": ATTRIBUTES,
            "guidelines": "x",
            "require_if_match": True,
        },
    ).json()
    assert other["attributes"] == made["attributes"]
    assert (other["guidelines"], other["require_if_match"]) == ("x", True)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"attributes": ["class"]}, "got 'class' (that name is geolabel's own)"),
        ({"attributes": ["Roof"]}, "lower-case letters, digits and '_', starting with a letter, got 'Roof'"),
        ({"attributes": ["roof", "roof"]}, "'roof' is there twice"),
        ({"attributes": [{"name": "roof", "kind": "enum"}]}, "takes at least one value"),
        ({"attributes": [{"name": "roof", "kind": "color"}]}, "attributes/0"),
        ({"attributes": [{"name": "roof", "size": 3}]}, "attributes/0"),
        ({"attributes": [{"name": "roof", "classes": ["lake"]}]}, "'roof' is for class 'lake', which"),
        ({"attributes": [{"name": "x", "kind": "number", "minimum": 2, "maximum": 1}]}, "larger than the maximum"),
        ({"attributes": ["roof\x00"]}, "may not hold the character NUL"),
        ({"guidelines": 3}, "guidelines"),
        ({"mapping": {"classes": {"lake": "water"}}}, "names the class 'lake', which the project does not have"),
        ({"mapping": {"class": {}}}, "A mapping is an object with any of"),
        ({"mapping": 3}, "mapping"),
        (
            {"classes": [{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}]},
            "a > b > a are each above the other",
        ),
    ],
)
def test_a_schema_that_cannot_be(api, members, message):
    before = api("GET", PROJECT).json()
    problem = change(api, 422, **members)
    assert message in problem["detail"]
    assert api("GET", PROJECT).json() == before


def test_attributes_are_properties(typed):
    api = typed
    made = api.add("atlanta", api.square(WEST, SOUTH), roof="flat", storeys=2, inhabited=False).json()
    assert {n: made["properties"][n] for n in ("roof", "storeys", "inhabited", "address")} == {
        "roof": "flat",
        "storeys": 2,
        "inhabited": False,
        "address": None,
    }
    at = f"{api.items('atlanta')}/1"
    patched = api("PATCH", at, json={"properties": {"storeys": None, "address": "Main St"}}).json()["properties"]
    assert (patched["roof"], patched["storeys"], patched["address"]) == ("flat", None, "Main St")
    wet = api("PATCH", at, json={"properties": {"class": "water"}}).json()["properties"]
    assert (wet["roof"], wet["address"]) == (None, "Main St")
    echoed = api("PUT", at, json=api("GET", at).json()).json()
    assert echoed["properties"] | {"version": 3, "updated_at": 0} == wet | {"updated_at": 0}
    bare = api("PUT", at, json={**made, "properties": {"class": "building"}}).json()["properties"]
    assert [bare[n] for n in ("roof", "storeys", "inhabited", "address")] == [None] * 4
    history = api("GET", f"{at}/history").json()["history"]
    assert [step["feature"]["properties"]["roof"] for step in history] == ["flat", "flat", None, None, None]
    [listed] = api("GET", api.items("atlanta")).json()["features"]
    assert listed["properties"] == bare


@pytest.mark.parametrize(
    ("properties", "pointer", "message"),
    [
        ({"roof": "thatch"}, "roof", "is one of flat, gable, got 'thatch'"),
        ({"class": "water", "roof": "flat"}, "roof", "is for building, not for 'water'"),
        ({"storeys": 0}, "storeys", "is a number from 1 to 200, got 0"),
        ({"storeys": "2"}, "storeys", "is a number from 1 to 200, got '2'"),
        ({"inhabited": "yes"}, "inhabited", "is true or false, got 'yes'"),
        ({"address": 3}, "address", "is a text of at most 10000 characters, got 3"),
        ({"color": "red"}, "color", "there is no property 'color'"),
        ({"external_id": "7"}, "external_id", "is the server's own and cannot be set"),
        ({"valid_from": "spring"}, "valid_from", "A moment is a date such as 2024-05-01"),
        ({"valid_from": "2024-02-30"}, "valid_from", "A moment is a date such as 2024-05-01"),
        ({"valid_to": "2024-05-01T12:00:00"}, "valid_to", "with its time zone such as"),
        ({"valid_from": "2024-05-02", "valid_to": "2024-05-01"}, "valid_to", "is not before valid_from (2024-05-02)"),
        ({"track": 3}, "track", "is a text of at most 200 characters or null"),
    ],
)
def test_properties_that_cannot_be(typed, properties, pointer, message):
    api = typed
    at = api.add("atlanta", api.square(WEST, SOUTH)).headers["Location"]
    for method, path in (("POST", api.items("atlanta")), ("PUT", at), ("PATCH", at)):
        if method == "POST" and pointer == "external_id":
            continue
        body = {
            "type": "Feature",
            "geometry": api.square(WEST, SOUTH),
            "properties": {"class": "building", **properties},
        }
        problem = api(method, path, 422, json=body).json()
        assert problem["errors"][0]["pointer"] == f"/properties/{pointer}"
        assert message in problem["errors"][0]["message"]
    assert api("GET", at).headers["ETag"] == '"1"'


def test_a_required_attribute(api):
    change(api, attributes=[{"name": "roof", "required": True, "classes": ["building"]}])
    problem = api.add("atlanta", api.square(WEST, SOUTH), 422).json()
    assert problem["errors"] == [
        {"pointer": "/properties/roof", "message": "is required: a text of at most 10000 characters"}
    ]
    at = api.add("atlanta", api.square(WEST, SOUTH), roof="flat").headers["Location"]
    api("PATCH", at, 422, json={"properties": {"roof": None}})
    api("PATCH", at, json={"properties": {"class": "water"}})
    api("PATCH", at, 422, json={"properties": {"class": "building"}})


def test_validity_and_track(api):
    at = api.add(
        "atlanta", api.square(WEST, SOUTH), valid_from="2024-05-01T12:00:00+02:00", valid_to="2024-05-01", track="b-7"
    ).headers["Location"]
    shown = api("GET", at).json()["properties"]
    assert (shown["valid_from"], shown["valid_to"], shown["track"]) == ("2024-05-01T10:00:00.000Z", "2024-05-01", "b-7")
    assert api("PUT", at, json=api("GET", at).json()).headers["ETag"] == '"2"'
    shown = api("PATCH", at, json={"properties": {"valid_from": None, "track": ""}}).json()["properties"]
    assert (shown["valid_from"], shown["valid_to"], shown["track"]) == (None, "2024-05-01", None)


def test_a_schema_change_and_what_becomes_of_the_labels(typed):
    api = typed
    for roof in ("flat", "gable", "flat"):
        api.add("atlanta", api.square(WEST, SOUTH), roof=roof, storeys=3)
    classes = [c for c in api("GET", PROJECT).json()["classes"] if c["name"] != "building"]
    attributes = [{**ATTRIBUTES[0], "values": ["gable"], "classes": []}, *ATTRIBUTES[1:]]
    refused = change(api, 422, classes=classes, attributes=attributes)
    assert "3 labels carry class 'building', which the new schema leaves out" in refused["detail"]
    assert "2 labels have the value 'flat' of 'roof'" in refused["detail"]
    assert [e["pointer"] for e in refused["errors"]] == ["/classes", "/attributes/roof"]
    mapping = {
        "classes": {"building": {"attribute": "roof", "classes": {"flat": "hall"}, "otherwise": "house"}},
        "values": {"roof": {"flat": None}},
        "attributes": {"storeys": "floors"},
    }
    attributes[1] = {**ATTRIBUTES[1], "name": "floors"}
    change(api, classes=[*classes, "hall", "house"], attributes=attributes, mapping=mapping)
    features = api("GET", api.items("atlanta")).json()["features"]
    assert [f["properties"]["class"] for f in features] == ["hall", "house", "hall"]
    assert [f["properties"]["roof"] for f in features] == [None, "gable", None]
    assert [f["properties"]["floors"] for f in features] == [3, 3, 3]
    assert "storeys" not in features[0]["properties"]
    first = api("GET", f"{api.items('atlanta')}/1/history").json()["history"][0]["feature"]["properties"]
    assert (first["class"], first["roof"], first["storeys"]) == ("building", "flat", 3)


def test_a_rename_needs_no_list(typed):
    api = typed
    api.add("atlanta", api.square(WEST, SOUTH), roof="flat")
    before = {c["name"]: c for c in api("GET", PROJECT).json()["classes"]}
    after = change(api, mapping={"classes": {"building": "house"}})
    named = {c["name"]: c for c in after["classes"]}
    assert named["house"] == {**before["building"], "name": "house"}
    assert after["attributes"][0]["classes"] == ["house"]
    assert after["counts"]["house"] == 1


def test_classes_keep_their_ids(api):
    before = {c["name"]: c["id"] for c in api("GET", PROJECT).json()["classes"]}
    after = change(api, classes=["tower", *reversed(before)])["classes"]
    assert {c["name"]: c["id"] for c in after} == {"tower": max(before.values()) + 1, **before}


def test_if_match_can_be_required(api):
    change(api, require_if_match=True)
    at = api.add("atlanta", api.square(WEST, SOUTH)).headers["Location"]
    body = {"type": "Feature", "geometry": api.square(WEST, SOUTH), "properties": {"class": "building"}}
    for method in ("PUT", "PATCH", "DELETE"):
        problem = api(method, at, 428, json=None if method == "DELETE" else body).json()
        assert "send the ETag of the label as If-Match" in problem["detail"]
    batch = "/api/collections/atlanta/batch"
    problem = api("POST", batch, 428, json={"update": [{"id": 1, "properties": {}}], "delete": []}).json()
    assert problem["errors"][0]["pointer"] == "/update/0/version"
    api("PATCH", at, json={"properties": {"note": "x"}}, headers={"If-Match": 'W/"1"'})
    api("POST", batch, json={"update": [{"id": 1, "version": 2, "properties": {"note": "y"}}]})
    api("DELETE", at, 204, headers={"If-Match": "*"})


def test_coverage_is_a_collection(api):
    assert "atlanta.coverage" not in [p["id"] for p in api("GET", "/api/projects").json()["projects"]]
    listed = {c["id"]: c["title"] for c in api("GET", "/api/collections").json()["collections"]}
    assert listed["atlanta.coverage"] == "atlanta: coverage"
    assert api("GET", COVERAGE).json()["storageCrs"] == api("GET", "/api/collections/atlanta").json()["storageCrs"]
    seen = api.add("atlanta.coverage", api.square(WEST, SOUTH), **{"class": "seen"}).json()
    assert seen["properties"]["class"] == "seen"
    api.add("atlanta.coverage", api.square(WEST, SOUTH, 0.0001), **{"class": "ignore"})
    api.add("atlanta.coverage", api.square(WEST, SOUTH), 422, **{"class": "building"})
    api.add("atlanta.coverage", {"type": "Point", "coordinates": [WEST, SOUTH]}, 422, **{"class": "seen"})
    api("PATCH", f"{COVERAGE}/items/1", json={"properties": {"note": "in May"}}, headers={"If-Match": '"1"'})
    assert len(api("GET", f"{COVERAGE}/items/1/history").json()["history"]) == 2
    store = api.app.state.store
    covered = store.coverage("atlanta")
    assert [len(covered.seen), len(covered.ignored)] == [1, 1]
    assert api("GET", api.items("atlanta")).json()["numberMatched"] == 0
    refused = api("PATCH", "/api/projects/atlanta.coverage", 422, json={"classes": ["seen", "x"]}).json()
    assert "its classes are always seen and ignore" in refused["detail"]
    assert "delete that one" in api("DELETE", "/api/projects/atlanta.coverage", 422).json()["detail"]
    change(api, title="Roofs", require_if_match=True)
    assert api("GET", COVERAGE).json()["title"] == "Roofs: coverage"
    api("DELETE", f"{COVERAGE}/items/1", 428)
    api("DELETE", PROJECT, 204)
    api("GET", COVERAGE, 404)
    api("GET", f"{COVERAGE}/items", 404)


def test_names_are_short_enough_for_every_database(api):
    made = api(
        "POST", "/api/projects", 201, json={"title": "x" * 80, "scenes": ["atlanta_pan"], "classes": ["a"]}
    ).json()
    assert made["id"] == "x" * 50
    api.app.state.store.create(made["id"], [])
