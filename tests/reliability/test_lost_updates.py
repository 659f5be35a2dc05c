"""Many clients on few features over HTTP, and a checker that reads what they recorded.

Every answer carries a version, so a history can be checked in one pass: an annotation is a register whose writes are
numbered. It is linearisable when each acknowledged write stands in the history exactly once, under its number, and when an
operation that began after another had ended never sees less than that one did.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

FEATURES = 20
BACK = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [-84.4, 33.6]}}


@dataclass(frozen=True)
class Operation:
    """What a client did and was told.

    Attributes:
        kind: `write`, `delete`, `read` (also a write that was refused: it was told the current version), or `unanswered`.
        begun, ended: on one clock, in seconds.
        version: which it made, or saw.
        expected: which it named in If-Match.
        token: text that only this write carries.
    """

    client: int
    feature: int
    kind: str
    begun: float
    ended: float
    version: int
    expected: int | None = None
    token: str | None = None


def violations(operations: Iterable[Operation], history: Mapping[int, Sequence[tuple[int, str | None]]]) -> list[str]:
    """What is wrong with a run; nothing when no write was lost.

    Args:
        operations: of all clients.
        history: of each feature: version and token (None for a delete) in order, without its creation.
    """
    by_feature: dict[int, list[Operation]] = defaultdict(list)
    for operation in operations:
        by_feature[operation.feature].append(operation)
    found: list[str] = []
    for feature, done in by_feature.items():
        states = history.get(feature, ())
        if [version for version, _ in states] != list(range(2, len(states) + 2)):
            found.append(f"{feature}: versions have gaps: {[version for version, _ in states][:50]}")
        writes = [o for o in done if o.kind in {"write", "delete"}]
        perhaps = {(o.version, o.token) if o.token is None else o.token for o in done if o.kind == "unanswered"}
        acknowledged = Counter((o.version, o.token) for o in writes)
        there = Counter(states)
        lost = acknowledged - there
        unasked = [state for state in there - acknowledged if state not in perhaps and state[1] not in perhaps]
        if lost or unasked:
            found.append(f"{feature}: lost {list(lost)[:5]}, never acknowledged {unasked[:5]}")
        found += [
            f"{feature}: wrote {o.version} over {o.version - 1}, but expected {o.expected}"
            for o in writes
            if o.expected is not None and o.version != o.expected + 1
        ]
        found += _real_time(feature, [o for o in done if o.kind != "unanswered"])
    return found


def _real_time(feature: int, done: list[Operation]) -> list[str]:
    """An operation must not see an older state than one that had ended before it began."""
    found: list[str] = []
    ended = sorted(done, key=lambda o: o.ended)
    seen, index = 0, 0
    for operation in sorted(done, key=lambda o: o.begun):
        while ended[index].ended < operation.begun:
            seen = max(seen, ended[index].version)
            index += 1
        oldest = seen + (operation.kind != "read")
        if operation.version < oldest:
            found.append(f"{feature}: client {operation.client} got {operation.version} after {seen} had been seen")
    return found


class Client(threading.Thread):
    """One of many, with a delay and a mind of its own, and with as little between it and the server as there can be."""

    def __init__(
        self, number: int, address: str, steps: int, seed: int, *, pause: float, over: threading.Event
    ) -> None:
        super().__init__()
        self._number, self._steps, self._pause, self._over = number, steps, pause, over
        self._http = http.client.HTTPConnection(address, timeout=120)
        self._chance = random.Random(f"{seed}/{number}")
        self._known: dict[int, int] = {}
        self.operations: list[Operation] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for step in range(self._steps):
                if self._over.wait(self._chance.uniform(0, self._pause)):
                    return
                feature = self._chance.randint(1, FEATURES)
                what = self._chance.random()
                if feature not in self._known or what < 0.2:
                    self._read(feature)
                if what > 0.2 and feature in self._known:
                    # A delete has no answer that tells its version, so it always names the one before.
                    self._write(feature, step, delete=what > 0.95, careful=what < 0.8 or what > 0.95)
        except BaseException as failure:  # noqa: BLE001 (told by the one who waits for all)
            self.failure = failure
            self._over.set()
        finally:
            self._http.close()

    def _ask(
        self, method: str, feature: int, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str | None, bytes]:
        """Status, ETag and body."""
        content = None if body is None else json.dumps(body)
        sent = {**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
        try:
            self._http.request(method, f"/api/collections/land/items/{feature}", content, sent)
            answer = self._http.getresponse()
            return answer.status, answer.headers["ETag"], answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()  # the next request opens it anew
            raise Broken from error

    def _read(self, feature: int) -> None:
        begun = time.monotonic()
        try:
            status, tag, body = self._ask("GET", feature)
        except Broken:
            return
        if status == 200:
            self._note(feature, "read", begun, version_in(tag))
        else:
            assert status == 404, body
            self._known.setdefault(feature, 1)

    def _write(self, feature: int, step: int, *, delete: bool, careful: bool) -> None:
        token = f"{self._number}/{step}"
        expected = (self._known[feature] or None) if careful else None
        headers = {} if expected is None else {"If-Match": f'"{expected}"'}
        if delete and expected is None:
            return
        method = "DELETE" if delete else "PATCH"
        begun = time.monotonic()
        try:
            note = None if delete else {"properties": {"note": token}}
            status, tag, body = self._ask(method, feature, note, headers)
            if status == 404 and not delete:  # deleted: bring it back
                method, begun, expected = "PUT", time.monotonic(), None
                back = {**BACK, "properties": {"class": "water", "note": token}}
                status, tag, body = self._ask(method, feature, back)
        except Broken:  # nobody knows whether it was done
            version = -1 if expected is None else expected + 1
            self._note(feature, "unanswered", begun, version, expected, None if delete else token)
            self._known.pop(feature, None)
            return
        match status:
            case 200 | 201:
                self._note(feature, "write", begun, version_in(tag), expected, token)
            case 204 if method == "DELETE":
                assert expected is not None
                self._note(feature, "delete", begun, expected + 1, expected)
                self._known.pop(feature, None)
            case 412:
                current = json.loads(body).get("current") or {}
                self._known.pop(feature, None)
                if "properties" in current:
                    self._note(feature, "read", begun, current["properties"]["version"])
            case 404 if delete:
                self._known.pop(feature, None)
            case _:
                raise AssertionError(body)

    def _note(self, feature: int, kind: str, begun: float, version: int, *change: Any) -> None:
        self._known[feature] = version
        self.operations.append(Operation(self._number, feature, kind, begun, time.monotonic(), version, *change))


class Broken(Exception):
    """The connection broke before there was an answer."""


def version_in(tag: str | None) -> int:
    assert tag is not None
    return int(tag.strip('"'))


def run_clients(url: str, clients: int, steps: int, seed: int, pause: float) -> list[Operation]:
    """Lets them all loose; what they recorded."""
    address, over = urlsplit(url).netloc, threading.Event()
    running = [Client(number, address, steps, seed, pause=pause, over=over) for number in range(clients)]
    for client in running:
        client.start()
    for client in running:
        client.join()
    failures = [client.failure for client in running if client.failure is not None]
    assert failures == []
    return [operation for client in running for operation in client.operations]


@pytest.mark.parametrize(
    ("clients", "steps", "pause"),
    [pytest.param(50, 5, 0.05, id="sample"), pytest.param(50, 2000, 0.2, id="full", marks=pytest.mark.soak)],
)
def test_no_acknowledged_write_is_lost(
    *, location: str, serve: Callable[..., Any], square: Callable[[int], Any], clients: int, steps: int, pause: float
) -> None:
    _, url = serve(location)
    with httpx.Client(base_url=url, timeout=60) as one:
        for number in range(FEATURES):
            body = {"type": "Feature", "geometry": square(number), "properties": {"class": "water"}}
            assert one.post("/api/collections/land/items", json=body).status_code == 201
    operations = run_clients(url, clients, steps, seed=36, pause=pause)
    history: dict[int, list[tuple[int, str | None]]] = {}
    with open_store(location) as store:
        for feature in range(1, FEATURES + 1):
            changes = store.history("land", feature)[1:]
            history[feature] = [
                (c.annotation.version, None if c.operation == "delete" else c.annotation.note) for c in changes
            ]
        changesets = store.changes()
    assert violations(operations, history) == []
    writes = [o for o in operations if o.kind in {"write", "delete"}]
    made = sum(len(states) for states in history.values())
    assert changesets == FEATURES + made, "a change set for each write, and none for what was refused"
    assert made <= len(writes) + sum(o.kind == "unanswered" for o in operations)
    assert len(writes) > clients * steps / 10
    print(f"{len(operations)} operations, {len(writes)} of them writes, 0 lost")  # noqa: T201 (the figures of a soak)


HISTORY = {1: [(2, "a"), (3, "b"), (4, None), (5, "c")]}
RUN = [
    Operation(0, 1, "write", 0.0, 1.0, 2, 1, "a"),
    Operation(1, 1, "write", 0.5, 2.0, 3, 2, "b"),
    Operation(2, 1, "read", 0.6, 1.5, 2),
    Operation(0, 1, "delete", 2.1, 2.2, 4, None, None),
    Operation(1, 1, "write", 2.15, 3.0, 5, None, "c"),
    Operation(2, 1, "read", 3.1, 3.2, 5),
]


def test_the_checker_accepts_a_good_run() -> None:
    assert violations(RUN, HISTORY) == []
    for index in (1, 3):  # done or not done, nobody knows: both are right
        unanswered = replace(RUN[index], kind="unanswered")
        assert violations([*RUN[:index], unanswered, *RUN[index + 1 :]], HISTORY) == []


@pytest.mark.parametrize(
    ("run", "history", "sentence"),
    [
        (RUN, {1: HISTORY[1][:1] + HISTORY[1][2:]}, "versions have gaps"),
        (RUN, {1: [*HISTORY[1][:3], (5, "d")]}, "lost"),
        (RUN, {1: [*HISTORY[1], (6, "c")]}, "never acknowledged"),
        ([replace(RUN[0], expected=0), *RUN[1:]], HISTORY, "but expected 0"),
        ([*RUN[:-1], replace(RUN[-1], version=4)], HISTORY, "got 4 after 5 had been seen"),
        ([*RUN[:2], replace(RUN[2], begun=2.05, ended=2.06), *RUN[3:]], HISTORY, "got 2 after 3 had been seen"),
        ([*RUN, replace(RUN[1])], HISTORY, "lost"),
    ],
)
def test_the_checker_finds_what_is_wrong(
    run: list[Operation], history: dict[int, list[tuple[int, str | None]]], sentence: str
) -> None:
    found = violations(run, history)
    assert any(sentence in one for one in found), found


def test_the_checker_finds_lost_updates_of_a_store_without_locks() -> None:
    """The same clients' logic against a register that reads, waits and writes: updates get lost, and it says so."""
    operations: list[Operation] = []
    current = [1, "new"]
    history: list[tuple[int, str | None]] = []

    def write(client: int) -> None:
        for step in range(20):
            begun, token = time.monotonic(), f"{client}/{step}"
            version = current[0]
            time.sleep(0.0005)
            current[0] = version + 1
            history.append((version + 1, token))
            operations.append(Operation(client, 1, "write", begun, time.monotonic(), version + 1, None, token))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = dict(history)
    assert violations(operations, {1: sorted(last.items())})
