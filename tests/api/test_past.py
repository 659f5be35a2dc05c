"""Change sets, reverts, `at=`, snapshots and differences over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from shapely.geometry import shape

from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Api

PROJECT = "atlanta"
AT = f"/api/collections/{PROJECT}"
WEST, SOUTH = -84.4759, 33.6389
UTM = "http://www.opengis.net/def/crs/EPSG/0/32616"


@pytest.fixture
def api(workspace: Path, start: Callable[..., Api]) -> Api:
    """Three labels, the first changed, the second deleted: change sets 1 to 5."""
    made = start(workspace)
    for n in range(3):
        made.add(PROJECT, made.square(WEST + n * 0.0002, SOUTH, 0.0001))
    made("PATCH", f"{AT}/items/1", json={"properties": {"note": "second"}})
    made("DELETE", f"{AT}/items/2", 204)
    return made


def ids(answer: Any) -> list[int]:
    return [f["id"] for f in answer.json()["features"]]


def link(answer: Any, rel: str) -> str:
    return next(link["href"] for link in answer.json()["links"] if link["rel"] == rel)


def test_change_sets_page_by_page(api: Api) -> None:
    first = api("GET", f"{AT}/changesets?limit=2")
    assert [(c["number"], c["kind"], c["created"], c["updated"], c["deleted"]) for c in first.json()["changesets"]] == [
        (5, "edit", 0, 0, 1),
        (4, "edit", 0, 1, 0),
    ]
    numbers = [c["number"] for c in first.json()["changesets"]]
    answer = first
    while any(each["rel"] == "next" for each in answer.json()["links"]):
        answer = api("GET", link(answer, "next"))
        numbers += [c["number"] for c in answer.json()["changesets"]]
    assert numbers == [5, 4, 3, 2, 1]
    [own] = first.json()["changesets"][0]["links"]
    assert api("GET", own["href"]).json()["number"] == 5
    assert api("GET", f"{AT}/changesets?kind=import").json()["changesets"] == []
    assert api("GET", f"{AT}/changesets?author=nobody").json()["changesets"] == []
    assert len(api("GET", f"{AT}/changesets?limit=99999").json()["changesets"]) == 5


def test_what_a_change_set_did(api: Api) -> None:
    [change] = api("GET", f"{AT}/changesets/4").json()["changes"]
    assert (change["id"], change["operation"], change["version"]) == (1, "update", 2)
    assert (change["before"]["properties"]["note"], change["after"]["properties"]["note"]) == (None, "second")
    answer = api("GET", f"{AT}/changesets/5?crs={UTM}")
    assert answer.headers["content-crs"] == f"<{UTM}>"
    [change] = answer.json()["changes"]
    assert (change["operation"], change["version"], change["after"]) == ("delete", 2, None)
    assert change["before"]["geometry"]["coordinates"][0][0][0] > 700_000


def test_changes_page_by_page(api: Api) -> None:
    edits = {
        "create": [
            {
                "type": "Feature",
                "geometry": api.square(WEST, SOUTH + n * 1e-4, 1e-5),
                "properties": {"class": "building"},
            }
            for n in range(5)
        ]
    }
    api("POST", f"{AT}/batch", 200, json=edits)
    answer = api("GET", f"{AT}/changesets/6?limit=2")
    found = [c["id"] for c in answer.json()["changes"]]
    while any(each["rel"] == "next" for each in answer.json()["links"]):
        answer = api("GET", link(answer, "next"))
        found += [c["id"] for c in answer.json()["changes"]]
    assert found == [4, 5, 6, 7, 8]


def test_revert(api: Api) -> None:
    before = api("GET", f"{AT}/items/2?at=3&crs={UTM}").json()["geometry"]
    answer = api("POST", f"{AT}/changesets/5/revert", 201, json={"comment": "too fast"})
    made = answer.json()
    assert (made["number"], made["kind"], made["reverts"], made["comment"]) == (6, "revert", 5, "too fast")
    assert (made["updated"], made["conflicts"], made["unchanged"]) == (1, [], 0)
    assert answer.headers["location"].endswith(f"{AT}/changesets/6")
    back = api("GET", f"{AT}/items/2?crs={UTM}")
    assert back.json()["geometry"] == before
    assert back.headers["etag"] == '"3"'
    api("POST", f"{AT}/changesets/6/revert", 201, content=b"", headers={"Content-Type": "application/json"})
    api("GET", f"{AT}/items/2", 404)


def test_conflicts_are_listed_and_can_be_skipped(api: Api, workspace: Path) -> None:
    with open_store(workspace) as store:
        square = shape(api.square(745_000, 3_725_000, 10))
        store.create(PROJECT, [NewAnnotation(square, "building"), NewAnnotation(square, "building")])
    api("PATCH", f"{AT}/items/4", json={"properties": {"note": "mine"}})
    refused = api("POST", f"{AT}/changesets/6/revert", 409, json={}).json()
    assert refused["detail"].startswith("Change set 6 cannot be taken back for 1 annotation; annotation 4 was changed")
    conflict = {"id": 4, "version": 2, "deleted": False, "message": "Label 4 was changed since by change set 7."}
    assert refused["conflicts"] == [conflict]
    done = api("POST", f"{AT}/changesets/6/revert?conflicts=skip", 201, json={}).json()
    assert (done["conflicts"], done["numberOfConflicts"], done["deleted"]) == ([conflict], 1, 1)
    assert ids(api("GET", f"{AT}/items")) == [1, 3, 4]


def test_a_revert_that_is_sent_twice_is_done_once(api: Api) -> None:
    key = {"Idempotency-Key": "once"}
    first = api("POST", f"{AT}/changesets/5/revert", 201, json={}, headers=key)
    again = api("POST", f"{AT}/changesets/5/revert", 201, json={}, headers=key)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert len(api("GET", f"{AT}/changesets").json()["changesets"]) == 6


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("GET", "/changesets?limit=0", None, 400, "parameter limit cannot be used"),
        ("GET", "/changesets?kind=oops", None, 400, "expected one of edit, batch, import, revert, schema, copy"),
        ("GET", "/changesets?before=x", None, 400, "parameter before cannot be used"),
        ("GET", "/changesets?what=1", None, 400, "no such parameter here"),
        ("GET", "/changesets/99", None, 404, "There is no change set 99 in project 'atlanta'"),
        ("GET", "/changesets/9999999999999999999", None, 404, "nothing at this address"),
        ("GET", "/changesets/4?crs=EPSG:1", None, 400, "parameter crs cannot be used"),
        ("POST", "/changesets/99/revert", {}, 404, "There is no change set 99"),
        ("POST", "/changesets/5/revert?conflicts=maybe", {}, 400, "parameter conflicts cannot be used"),
        ("POST", "/changesets/5/revert", {"coment": "x"}, 422, "Extra inputs are not permitted"),
        ("POST", "/changesets/5/revert", {"comment": 5}, 422, "valid string"),
        ("POST", "/changesets/5/revert", {"comment": "a\0b"}, 422, "NUL"),
        ("GET", "/items?at=99", None, 400, "There is no change set 99: the last one is 5, and 0 is before the first."),
        ("GET", "/items?at=soon", None, 400, "is a time such as 2024-05-01T12:00:00Z"),
        ("GET", "/items/1?at=99", None, 400, "parameter at cannot be used"),
        ("GET", "/items/2?at=5", None, 404, "There was no annotation 2 in project 'atlanta' at change set 5."),
        ("GET", "/items?at=3&filter=nothing%20IS%20NULL", None, 400, "There is no property 'nothing'"),
        ("GET", "/items?at=3&datetime=yesterday", None, 400, "parameter datetime cannot be used"),
        ("GET", "/items?at=3&nothing=1", None, 400, "no such parameter here, and no such property"),
        ("POST", "/snapshots", {"name": "Für Test"}, 422, "'f-r-test' would do"),
        ("POST", "/snapshots", {"name": ""}, 422, "at least 1 character"),
        ("POST", "/snapshots", [], 422, "cannot be used"),
        ("GET", "/snapshots/v9", None, 404, "There is no snapshot 'v9' of project 'atlanta'; there are: none yet."),
        ("DELETE", "/snapshots/v9", None, 404, "There is no snapshot 'v9'"),
        ("GET", "/snapshots/v9/diff/now", None, 404, "The word 'now' is the present."),
        ("GET", "/snapshots/1/diff/99", None, 404, "There is no change set 99"),
    ],
)
def test_bad_questions_get_a_sentence(
    *, api: Api, method: str, path: str, body: Any, status: int, sentence: str
) -> None:
    options = {} if body is None else {"json": body}
    refused = api(method, AT + path, status, **options)
    assert refused.headers["content-type"] == "application/problem+json"
    assert sentence in refused.json()["detail"]


@pytest.mark.parametrize("route", ["/changesets", "/snapshots", "/changesets/1"])
def test_projects_that_are_not_there(api: Api, route: str) -> None:
    assert "There is no project" in api("GET", f"/api/collections/nowhere{route}", 404).json()["detail"]


def test_the_past_reads_as_it_was(api: Api) -> None:
    third = api("GET", f"{AT}/items?at=3")
    assert ids(third) == [1, 2, 3]
    assert third.json()["numberMatched"] == 3
    assert [f["properties"]["note"] for f in third.json()["features"]] == [None] * 3
    assert [ids(api("GET", f"{AT}/items?at={n}")) for n in (0, 1, 5)] == [[], [1], [1, 3]]
    old, new = api("GET", f"{AT}/items/1?at=3"), api("GET", f"{AT}/items/1")
    assert (old.headers["etag"], new.headers["etag"]) == ('"1"', '"2"')
    assert old.json()["properties"]["version"] == 1
    assert api("GET", f"{AT}/items/1?at=3", 304, headers={"If-None-Match": '"1"'}).content == b""
    moment = api("GET", f"{AT}/changesets/4").json()["at"]
    assert ids(api("GET", f"{AT}/items?at={moment}")) == [1, 2, 3]
    assert ids(api("GET", f"{AT}/items?at=2000-01-01T00:00:00Z")) == []
    assert ids(api("GET", f"{AT}/items?at=9999-01-01T00:00:00%2B02:00")) == [1, 3]


def test_the_past_is_searched_by_place_class_and_status(api: Api) -> None:
    box = f"{WEST + 0.00021},{SOUTH},{WEST + 0.00022},{SOUTH + 0.0001}"
    assert ids(api("GET", f"{AT}/items?at=3&bbox={box}")) == [2]
    assert ids(api("GET", f"{AT}/items?bbox={box}")) == []
    assert api("GET", f"{AT}/items?at=3&bbox={box}").json()["numberMatched"] == 1
    assert ids(api("GET", f"{AT}/items?at=3&class=building&status=labelled")) == [1, 2, 3]
    assert ids(api("GET", f"{AT}/items?at=3&class=water")) == []
    api("DELETE", f"{AT}/items/3", 204)
    assert ids(api("GET", f"{AT}/items?at=5&bbox={WEST + 0.0004},{SOUTH},-84,34")) == [3], "beyond where labels are now"


def asked(api: Api, **wanted: str) -> Any:
    return api("GET", f"{AT}/items?{urlencode(wanted)}")


def test_the_past_is_filtered_as_the_present_was(api: Api) -> None:
    """Each question is asked while it is the present, and again when all of it is past."""
    south = f"S_INTERSECTS(geometry, BBOX({WEST - 1}, {SOUTH - 1}, {WEST + 0.0003}, {SOUTH + 1}))"
    questions: list[dict[str, str]] = [
        {"filter": "note = 'second'"},
        {"filter": "note IS NULL AND version < 2"},
        {"filter": "NOT (note LIKE 'sec%') OR id = 3"},
        {"filter": south},
        {"filter": south.replace("INTERSECTS", "DISJOINT"), "filter-lang": "cql2-text"},
        {"filter": '{"op":"<=","args":[{"property":"id"},2]}', "filter-lang": "cql2-json"},
        {"datetime": "2021-06-01T00:00:00Z"},
        {"note": "second"},
        {"filter": "id > 0", "class": "building", "bbox": f"{WEST},{SOUTH},{WEST + 0.00025},{SOUTH + 0.0001}"},
    ]
    api("PATCH", f"{AT}/items/3", json={"properties": {"valid_from": "2022-01-01"}})
    now = [asked(api, **question).json() for question in questions]
    api("PATCH", f"{AT}/items/1", json={"properties": {"note": "third", "valid_from": "2023-01-01"}})
    api(
        "PUT",
        f"{AT}/items/3",
        json={"type": "Feature", "geometry": api.square(WEST + 1, SOUTH, 1e-4), "properties": {"class": "water"}},
    )
    api.add(PROJECT, api.square(WEST, SOUTH, 0.0001))
    seen = set()
    for question, expected in zip(questions, now, strict=True):
        then = asked(api, **question, at="6").json()
        assert then["features"] == expected["features"], question
        assert then["numberMatched"] == expected["numberMatched"] == len(expected["features"])
        seen.add(tuple(f["id"] for f in expected["features"]))
    assert seen >= {(1,), (3,)}, "the questions tell labels apart"


def test_a_filter_of_the_past_goes_from_page_to_page(api: Api) -> None:
    for n in range(4):
        api.add(PROJECT, api.square(WEST, SOUTH + n * 1e-3, 1e-4), note="keep" if n % 2 else None)
    api("DELETE", f"{AT}/items/5", 204)
    answer = asked(api, at="9", filter="note = 'keep' OR id < 4", limit="2")
    found, matched = ids(answer), [answer.json()["numberMatched"]]
    while any(each["rel"] == "next" for each in answer.json()["links"]):
        following = parse_qs(urlsplit(link(answer, "next")).query)
        assert (following["at"], following["filter"]) == (["9"], ["note = 'keep' OR id < 4"])
        answer = api("GET", link(answer, "next"))
        found += ids(answer)
        matched.append(answer.json()["numberMatched"])
    assert (found, matched) == ([1, 3, 5, 7], [4, 4])


def test_a_place_where_labels_were_is_asked_for(api: Api) -> None:
    """The ground of the labels of then counts, which may be far from that of today."""
    api(
        "PUT",
        f"{AT}/items/3",
        json={"type": "Feature", "geometry": api.square(WEST + 2, SOUTH, 1e-4), "properties": {"class": "building"}},
    )
    api("DELETE", f"{AT}/items/1", 204)
    place = f"S_WITHIN(geometry, BBOX({WEST - 1}, {SOUTH - 1}, {WEST + 1}, {SOUTH + 1}))"
    assert ids(asked(api, filter=place)) == []
    assert ids(asked(api, filter=place, at="5")) == [1, 3]


def test_attributes_of_then_are_filtered_by_the_schema_of_today(api: Api) -> None:
    path = f"/api/projects/{PROJECT}"
    api("PATCH", path, json={"attributes": [{"name": "height", "kind": "number"}]})
    api("PATCH", f"{AT}/items/1", json={"properties": {"height": 5}})
    last = api("GET", f"{AT}/changesets?limit=1").json()["changesets"][0]["number"]
    api("PATCH", f"{AT}/items/1", json={"properties": {"height": 7}})
    assert ids(asked(api, filter="height > 4", at=str(last))) == [1]
    assert ids(asked(api, filter="height = 7", at=str(last))) == []
    api("PATCH", f"{AT}/items/1", json={"properties": {"height": None}})
    api("PATCH", path, json={"attributes": []})
    api("PATCH", path, json={"attributes": [{"name": "height", "kind": "text"}]})
    assert ids(asked(api, filter="height > '4'", at=str(last))) == [], "a number is no text"
    assert ids(asked(api, filter="height IS NULL", at=str(last))) == [1, 3]


def test_pages_of_the_past_are_of_one_moment(api: Api) -> None:
    answer = api("GET", f"{AT}/items?at=9999-01-01T00:00:00Z&limit=1")
    found = ids(answer)
    for n in range(2):
        api.add(PROJECT, api.square(WEST, SOUTH + n * 0.001, 0.0001))
    while any(each["rel"] == "next" for each in answer.json()["links"]):
        assert "at=5" in link(answer, "next")
        answer = api("GET", link(answer, "next"))
        found += ids(answer)
    assert found == [1, 3]


def test_history_says_who_changed_what_when_and_why(api: Api) -> None:
    api("POST", f"{AT}/changesets/5/revert", 201, json={"comment": "too fast"})
    steps = api("GET", f"{AT}/items/2/history").json()["history"]
    assert [(s["operation"], s["version"], s["changeset"], s["kind"], s["comment"]) for s in steps] == [
        ("create", 1, 2, "edit", None),
        ("delete", 2, 5, "edit", None),
        ("update", 3, 6, "revert", "too fast"),
    ]
    assert [s["before"] and s["before"]["properties"]["version"] for s in steps] == [None, 1, None]
    first, second = api("GET", f"{AT}/items/1/history").json()["history"]
    assert second["before"] == first["feature"]
    assert second["feature"]["properties"]["note"] == "second"


def test_snapshots(api: Api) -> None:
    answer = api("POST", f"{AT}/snapshots", 201, json={"name": "v1", "note": "before review"})
    made = answer.json()
    assert (made["name"], made["changeset"], made["count"], made["note"]) == ("v1", 5, 2, "before review")
    assert len(made["hash"]) == 64
    assert answer.headers["location"].endswith(f"{AT}/snapshots/v1")
    assert (
        api("POST", f"{AT}/snapshots", 409, json={"name": "v1"}).json()["detail"].startswith("There is a snapshot 'v1'")
    )
    one = api("GET", answer.headers["location"]).json()
    assert [c["name"] for c in one.pop("project")["classes"]] == ["building", "road", "tree", "water"]
    assert one == made
    unnamed = api("POST", f"{AT}/snapshots", 201, content=b"", headers={"Content-Type": "application/json"}).json()
    assert (unnamed["name"], unnamed["hash"]) == ("s1", made["hash"])
    assert [s["name"] for s in api("GET", f"{AT}/snapshots").json()["snapshots"]] == ["v1", "s1"]
    assert ids(api("GET", link(answer, "items"))) == ids(api("GET", f"{AT}/items?at=v1")) == [1, 3]
    api("DELETE", f"{AT}/snapshots/v1", 204)
    api("GET", f"{AT}/snapshots/v1", 404)
    api("POST", f"/api/collections/{PROJECT}.coverage/snapshots", 422, json={})


def test_what_differs(api: Api) -> None:
    api("POST", f"{AT}/snapshots", 201, json={"name": "v1"})
    api("PATCH", f"{AT}/items/3", json={"properties": {"class": "water"}})
    api("POST", f"{AT}/changesets/5/revert", 201, json={})
    found = api("GET", f"{AT}/snapshots/v1/diff/now").json()
    assert found.pop("links")
    assert found == {
        "from": 5,
        "to": 7,
        "added": 1,
        "changed": 1,
        "deleted": 0,
        "coverage": {"added": 0, "changed": 0, "deleted": 0},
        "entries": [
            {"id": 2, "change": "added", "what": [], "versions": [None, 3]},
            {"id": 3, "change": "changed", "what": ["class"], "versions": [1, 2]},
        ],
    }
    whole = api("GET", f"{AT}/snapshots/v1/diff/7?features=true&crs={UTM}").json()["entries"]
    assert whole[0]["before"] is None
    now = api("GET", f"{AT}/items/2?crs={UTM}").json()
    assert whole[0]["after"] == {name: value for name, value in now.items() if name != "links"}
    assert [e["properties"]["class"] for e in (whole[1]["before"], whole[1]["after"])] == ["building", "water"]


def test_differences_page_by_page(api: Api) -> None:
    answer = api("GET", f"{AT}/snapshots/0/diff/now?limit=1")
    found = [e["id"] for e in answer.json()["entries"]]
    api.add(PROJECT, api.square(WEST, SOUTH + 0.001, 0.0001))
    while any(each["rel"] == "next" for each in answer.json()["links"]):
        answer = api("GET", link(answer, "next"))
        found += [e["id"] for e in answer.json()["entries"]]
    assert found == [1, 3], "of the moment of the first page"


def test_coverage_has_a_past_of_its_own(api: Api) -> None:
    at = f"/api/collections/{PROJECT}.coverage"
    api("POST", f"{AT}/snapshots", 201, json={"name": "v1"})
    seen = {"type": "Feature", "geometry": api.square(WEST, SOUTH, 0.001), "properties": {"class": "seen"}}
    api("POST", f"{at}/items", 201, json=seen)
    assert api("GET", f"{AT}/snapshots/v1/diff/now").json()["coverage"] == {"added": 1, "changed": 0, "deleted": 0}
    assert [c["number"] for c in api("GET", f"{at}/changesets").json()["changesets"]] == [6]
    assert api("POST", f"{at}/changesets/6/revert", 201, json={}).json()["deleted"] == 1
    assert ids(api("GET", f"{at}/items?at=6")) == [1]
    assert ids(api("GET", f"{at}/items")) == []


def test_exports_name_a_snapshot_that_is_there(api: Api) -> None:
    path = f"/api/projects/{PROJECT}/exports"
    refused = api("POST", path, 422, json={"formats": ["geojson"], "snapshot": "v9"})
    assert refused.json()["errors"][0]["pointer"] == "/snapshot"
    api("POST", f"{AT}/snapshots", 201, json={"name": "v1"})
    job = api("POST", path, 202, json={"formats": ["geojson"], "snapshot": "v1"}).json()
    assert job["params"]["snapshot"] == "v1"
