"""Server-sent events: everybody who listens hears of every change, whoever makes it."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from geolabel.store.presence import EXPIRES_S, Person, Presence

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = "/api/collections/atlanta/events"
ITEMS = "/api/collections/atlanta/items"
POINT = {"type": "Point", "coordinates": [-84.4676, 33.6406]}
ID = "0123456789abcdef"


def feature(**properties: Any) -> dict[str, Any]:
    ring = [[-84.4676, 33.6406], [-84.4666, 33.6406], [-84.4666, 33.6416], [-84.4676, 33.6406]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"class": "building", **properties},
    }


class Stream:
    """The events of a project as a browser hears them."""

    def __init__(self, client: httpx.Client, **options: Any) -> None:
        self._lines: list[str] = []
        self._client = client
        self._options = options
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._open.wait(10)

    def _run(self) -> None:
        address = f"{self._client.base_url}".rstrip("/") + EVENTS
        with httpx.stream("GET", address, timeout=60, **self._options) as answer:
            self.headers = answer.headers
            self._open.set()
            for line in answer.iter_lines():
                self._lines.append(line)

    def heard(self, name: str) -> list[dict[str, Any]]:
        lines = list(self._lines)
        at = [i for i, line in enumerate(lines) if line == f"event: {name}"]
        found = []
        for i in at:
            block = lines[i : lines.index("", i)] if "" in lines[i:] else []
            number = next((int(line.removeprefix("id: ")) for line in block if line.startswith("id: ")), None)
            found += [
                {"id": number, "data": json.loads(line.removeprefix("data: "))}
                for line in block
                if line.startswith("data: ")
            ]
        return found

    def wait(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        for _ in range(400):
            if len(found := self.heard(name)) >= count:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{count} {name} did not come: {self._lines}")


@pytest.fixture
def stream(server: httpx.Client) -> Stream:
    opened = Stream(server)
    opened.wait("people")
    return opened


def test_everybody_hears_of_every_change(server: httpx.Client, stream: Stream) -> None:
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    made = server.post(ITEMS, json=feature(note="one")).json()
    [told] = stream.wait("changes")
    assert told["data"]["features"][0]["id"] == made["id"]
    assert told["data"]["features"][0]["geometry"] == made["geometry"]
    assert told["data"]["created"] == 1
    body = {"update": [{"id": made["id"], "version": 1, "properties": {"class": "water"}}]}
    server.post("/api/collections/atlanta/batch", json=body, headers={"Geolabel-Author": "Amina"}).raise_for_status()
    server.delete(f"{ITEMS}/{made['id']}").raise_for_status()
    changed, gone = stream.wait("changes", 3)[1:]
    assert changed["data"]["author"] == "Amina"
    assert changed["data"]["before"][0]["class"] == "building"
    west, south, east, north = changed["data"]["before"][0]["bbox"]
    assert (west, south) == pytest.approx((-84.4676, 33.6406))
    assert (east, north) == pytest.approx((-84.4666, 33.6416))
    assert gone["data"]["gone"] == [{"id": made["id"], "version": 3}]
    assert told["id"] < changed["id"] < gone["id"]


def test_who_was_away_hears_what_was_missed(server: httpx.Client) -> None:
    first = Stream(server)
    seen = first.wait("hello")[0]["id"]
    for note in ("a", "b"):
        server.post(ITEMS, json=feature(note=note)).raise_for_status()
    for options in ({"headers": {"Last-Event-ID": str(seen)}}, {"params": {"since": seen}}):
        again = Stream(server, **options)
        assert [e["data"]["features"][0]["properties"]["note"] for e in again.wait("changes", 2)] == ["a", "b"]
        later = again.wait("hello")[0]["id"]
    assert Stream(server, headers={"Last-Event-ID": str(later)}).wait("hello")[0]["id"] == later


def test_after_a_long_absence_everything_is_read_again(server: httpx.Client) -> None:
    seen = Stream(server).wait("hello")[0]["id"]
    for _ in range(101):
        server.post(ITEMS, json=feature()).raise_for_status()
    again = Stream(server, params={"since": seen})
    assert again.wait("reset")[0]["id"] == again.wait("hello")[0]["id"]
    assert again.heard("changes") == []


def test_large_changes_are_told_without_their_labels(server: httpx.Client, stream: Stream) -> None:
    body = {"create": [feature()] * 201}
    server.post("/api/collections/atlanta/batch", json=body).raise_for_status()
    [told] = stream.wait("changes")
    assert (told["data"]["features"], told["data"]["created"]) == (None, 201)


def test_people_come_select_and_leave(server: httpx.Client, stream: Stream) -> None:
    person = f"/api/collections/atlanta/people/{ID}"
    server.put(person, json={"name": "Amina N.", "selection": [7, 9]}).raise_for_status()
    assert stream.wait("people", 2)[-1]["data"] == [{"id": ID, "name": "Amina N.", "selection": [7, 9]}]
    assert server.get("/api/collections/atlanta/people").json()["people"][0]["name"] == "Amina N."
    server.delete(person).raise_for_status()
    assert stream.wait("people", 3)[-1]["data"] == []


def test_a_change_of_the_classes_is_told_and_that_of_a_label_is_none(server: httpx.Client, stream: Stream) -> None:
    url = "/api/projects/atlanta"
    classes = server.get(url).json()["classes"]
    server.post(ITEMS, json=feature()).raise_for_status()
    stream.wait("changes")
    assert stream.heard("project") == []
    server.patch(url, json={"classes": [{**c, "color": "#123456"} for c in classes]}).raise_for_status()
    stream.wait("project")
    server.patch(url, json={"guidelines": "Roofs, not walls."}).raise_for_status()
    stream.wait("project", 2)


def test_what_cannot_be(server: httpx.Client) -> None:
    assert server.get("/api/collections/nowhere/events").status_code == 404
    assert server.get(EVENTS, headers={"Last-Event-ID": "x"}).status_code == 400
    assert server.get(EVENTS, params={"from": 1}).status_code == 400
    assert server.head(EVENTS).headers["content-type"].startswith("text/event-stream")
    assert server.put(f"/api/collections/atlanta/people/{ID}", json={"selection": ["x"]}).status_code == 422
    assert server.put("/api/collections/atlanta/people/a", json={}).status_code == 404
    assert server.put(f"/api/collections/nowhere/people/{ID}", json={}).status_code == 404


def test_who_is_not_heard_of_is_not_there_any_more(tmp_path: Path) -> None:
    now = [1000.0]
    presence = Presence(tmp_path, lambda: now[0])
    presence.come("p", Person("a", "Amina"))
    now[0] += 30
    presence.come("p", Person("b", "Jonas", (1,)))
    presence.come("q", Person("a", "Amina"))
    assert [p.id for p in presence.people(["p", "q"])["p"]] == ["a", "b"]
    now[0] += EXPIRES_S - 20
    assert presence.people(["p"]) == {"p": [Person("b", "Jonas", (1,))]}
    again = Presence(tmp_path, lambda: now[0])  # another process
    assert [p.name for p in again.people(["p"])["p"]] == ["Jonas"]
    for opened in (presence, again):
        opened.close()
