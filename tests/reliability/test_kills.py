"""kill -9 at random moments of edits, batches and imports: what was acknowledged is there, what was not is whole or absent."""

from __future__ import annotations

import json
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa

from geolabel.store import open_store
from geolabel.store.sums import damage
from geolabel.store.tables import history

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ITEMS = "/api/collections/land/items"
KILLS = [pytest.param(3, id="sample"), pytest.param(100, id="full", marks=pytest.mark.soak)]


@dataclass
class Ledger:
    """What one client knows: the state of each of its labels that was acknowledged, and what may have come after.

    Attributes:
        states: of each label, by id: version and note; None for a note means that it was deleted.
        perhaps: of a label whose last request got no answer: the state that it would have made.
        posted: notes of creates and batches that got no answer.
        answers: how many requests were answered.
    """

    states: dict[int, tuple[int, str | None]] = field(default_factory=dict)
    perhaps: dict[int, tuple[int, str | None]] = field(default_factory=dict)
    posted: set[str] = field(default_factory=set)
    answers: int = 0


def wait_for(answers: int, ledgers: list[Ledger]) -> None:
    end = time.monotonic() + 30
    while sum(ledger.answers for ledger in ledgers) < answers and time.monotonic() < end:
        time.sleep(0.005)


def edit(url: str, ledger: Ledger, prefix: str, square: Callable[[int], Any], seed: int) -> None:
    """Creates, changes and deletes until the server is gone."""
    chance = random.Random(f"{prefix}/{seed}")
    with httpx.Client(base_url=url, timeout=30) as http:
        for step in range(100_000):
            note = f"{prefix}/{step}"
            alive = [id_ for id_, (_, text) in ledger.states.items() if text is not None and id_ not in ledger.perhaps]
            what = chance.random() if alive else 0
            try:
                if what < 0.4:
                    ledger.posted.add(note)
                    body = {"type": "Feature", "geometry": square(step), "properties": {"class": "water", "note": note}}
                    answer = http.post(ITEMS, json=body)
                    assert answer.status_code == 201, answer.text
                    ledger.states[answer.json()["id"]] = (1, note)
                    ledger.posted.discard(note)
                    ledger.answers += 1
                    continue
                id_ = chance.choice(alive)
                version = ledger.states[id_][0]
                headers = {"If-Match": f'"{version}"'}
                ledger.perhaps[id_] = (version + 1, note if what < 0.9 else None)
                if what < 0.9:
                    change = {"geometry": square(step + 1)} if what < 0.6 else {}
                    answer = http.patch(
                        f"{ITEMS}/{id_}", json={"properties": {"note": note}, **change}, headers=headers
                    )
                else:
                    answer = http.delete(f"{ITEMS}/{id_}", headers=headers)
                assert answer.status_code in {200, 204}, answer.text
                ledger.states[id_] = ledger.perhaps.pop(id_)
                ledger.answers += 1
            except httpx.TransportError:
                return


def batch(url: str, ledger: Ledger, prefix: str, square: Callable[[int], Any], seed: int) -> None:
    """Sends batches that create, change and delete, until the server is gone."""
    chance = random.Random(f"{prefix}/{seed}")
    with httpx.Client(base_url=url, timeout=30) as http:
        for step in range(100_000):
            note = f"{prefix}/{step}"
            alive = [id_ for id_, (_, text) in ledger.states.items() if text is not None and id_ not in ledger.perhaps]
            chosen = chance.sample(alive, min(len(alive), 12))
            new = [
                {"type": "Feature", "geometry": square(step * 30 + n), "properties": {"class": "forest", "note": note}}
                for n in range(30)
            ]
            changed, gone = chosen[:9], chosen[9:]
            after = {id_: (ledger.states[id_][0] + 1, note if id_ in changed else None) for id_ in chosen}
            body = {
                "create": new,
                "update": [
                    {"id": id_, "version": ledger.states[id_][0], "properties": {"note": note}} for id_ in changed
                ],
                "delete": [{"id": id_, "version": ledger.states[id_][0]} for id_ in gone],
            }
            ledger.posted.add(note)
            ledger.perhaps |= after
            try:
                answer = http.post("/api/collections/land/batch", json=body)
            except httpx.TransportError:
                return
            assert answer.status_code == 200, answer.text
            ledger.posted.discard(note)
            ledger.states |= after
            ledger.states |= {made["id"]: (1, note) for made in answer.json()["created"]}
            ledger.answers += 1
            for id_ in chosen:
                del ledger.perhaps[id_]


def check(location: str, ledger: Ledger, whole: int, chance: random.Random) -> None:
    """Hold the database against what was acknowledged, and take what is there as the state from here on.

    All labels are read in bulk, state and versions; the history of those that were being changed, and of some others, also
    one by one, as people ask for it.

    Args:
        location: of the workspace.
        ledger: of a client that is gone; brought up to date.
        whole: how many labels with one note are created together.
        chance: chooses those others.
    """
    with open_store(location) as store:
        assert sound(store) is None
        current = labels(store)
        past = earlier(store)
        for id_, (version, note) in ledger.states.items():
            expected = [(version, note)]
            if id_ in ledger.perhaps:
                expected.append(ledger.perhaps[id_])
            now = current.get(id_)
            state = past[id_][-1] if now is None else now
            assert state in expected, f"label {id_}: acknowledged {expected[0]}, found {state}"
            assert (now is None) == (state[1] is None)
            versions = [version for version, _ in past.get(id_, ())] + ([] if now is None else [now[0]])
            assert versions == list(range(1, len(versions) + 1))
            ledger.states[id_] = state
        chosen = {*ledger.perhaps, *chance.sample(list(ledger.states), min(len(ledger.states), 20))}
        asked(store, {id_: ledger.states[id_] for id_ in chosen})
        unknown = {id_: state for id_, state in current.items() if id_ not in ledger.states}
        for note in ledger.posted:
            mine = [id_ for id_, (version, text) in unknown.items() if text == note and version == 1]
            assert len(mine) in {0, whole}, f"{len(mine)} of {whole} labels of an unanswered request are there"
            for id_ in mine:
                ledger.states[id_] = unknown.pop(id_)
        assert unknown == {}, "nothing is there that nobody has sent"
        assert not past.keys() - ledger.states.keys()
    ledger.perhaps.clear()
    ledger.posted.clear()


def asked(store: Any, states: dict[int, tuple[int, str | None]]) -> None:
    """The history of labels, one by one, ends with these states."""
    for id_, (version, note) in states.items():
        told = store.history("land", id_)
        assert [change.annotation.version for change in told] == list(range(1, version + 1))
        assert note == (None if told[-1].operation == "delete" else told[-1].annotation.note)


def labels(store: Any) -> dict[int, tuple[int, str | None]]:
    """Version and note of the labels that are there, by id."""
    found = {}
    for part in store.batches("land"):
        found |= dict(
            zip(part.ids.tolist(), zip(part.columns["version"], part.columns["note"], strict=True), strict=True)
        )
    return found


def earlier(store: Any) -> dict[int, list[tuple[int, str | None]]]:
    """Version and note of all states that labels have left behind, in order, by id; None for a note is a delete."""
    found: dict[int, list[tuple[int, str | None]]] = {}
    c = history.c
    states = sa.select(c.id, c.version, c.operation, c.note).order_by(c.id, c.version)
    with store._read() as connection:
        for id_, version, operation, note in connection.execute(states):
            found.setdefault(id_, []).append((version, None if operation == "delete" else note))
    return found


def sound(store: Any) -> str | None:
    """What is wrong with the file of a GeoPackage workspace; PostgreSQL looks after its own."""
    with store._read() as connection:
        if connection.dialect.name != "sqlite":
            return None
        return damage(connection.connection.driver_connection)


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize(("work", "whole"), [(edit, 1), (batch, 30)])
def test_a_killed_server_has_kept_what_it_acknowledged(
    *, location: str, serve: Callable[..., Any], square: Callable[[int], Any], work: Any, whole: int, kills: int
) -> None:
    ledgers = [Ledger() for _ in range(3 if work is edit else 1)]
    chance, answered = random.Random(43), 0
    for kill in range(kills):
        server, url = serve(location)
        clients = [
            threading.Thread(target=work, args=(url, ledger, f"{kill}.{n}", square, kill))
            for n, ledger in enumerate(ledgers)
        ]
        for one in clients:
            one.start()
        if kill % 4:  # most often when it is warm and answers fast
            wait_for(2, ledgers)
        time.sleep(chance.uniform(0, 0.6))
        server.kill()
        assert server.wait() == -9
        for one in clients:
            one.join()
        merged = Ledger(
            {id_: state for ledger in ledgers for id_, state in ledger.states.items()},
            {id_: state for ledger in ledgers for id_, state in ledger.perhaps.items()},
            {note for ledger in ledgers for note in ledger.posted},
        )
        check(location, merged, whole, chance)
        answered += sum(ledger.answers for ledger in ledgers)
        ledgers = [Ledger() for _ in ledgers]
        for index, (id_, state) in enumerate(merged.states.items()):
            ledgers[index % len(ledgers)].states[id_] = state
    known = {id_: state for ledger in ledgers for id_, state in ledger.states.items()}
    assert len(known) > kills, "there was something to lose"
    with open_store(location) as store:
        asked(store, known)
    print(f"{kills} kills amid {answered} acknowledged requests, {len(known)} labels, 0 lost")  # noqa: T201 (the figures of a soak)


@pytest.fixture
def file(tmp_path: Path, square: Callable[[int], Any]) -> Path:
    """400 labels."""
    features = [{"type": "Feature", "id": n, "geometry": square(n), "properties": {"note": str(n)}} for n in range(400)]
    path = tmp_path / "labels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize("kills", KILLS)
def test_a_killed_import_is_all_or_nothing(location: str, nursery: Any, file: Path, kills: int) -> None:
    """Each import gets a new id column, so that it adds and does not update."""

    def start(number: int) -> Any:
        labels = json.loads(file.read_text())
        for feature in labels["features"]:
            feature["id"] = f"{number}-{feature['properties']['note']}"
        own = file.with_name(f"labels-{number}.geojson")
        own.write_text(json.dumps(labels))
        return nursery.start("import", "land", own, "--class", "water", "-w", location)

    begun = time.monotonic()
    child = start(0)
    assert child.wait() == 0, child.output
    usual = time.monotonic() - begun
    chance, acknowledged = random.Random(43), 1
    for kill in range(1, kills + 1):
        child = start(kill)
        time.sleep(chance.uniform(0, usual * 1.1))
        with suppress(ProcessLookupError):  # it had ended
            child.kill()
        acknowledged += child.wait() == 0
        with open_store(location) as store:
            count = store.count("land")
            assert sound(store) is None
            assert count % 400 == 0
            assert acknowledged <= count // 400 <= acknowledged + 1
            assert sum(len(part.ids) for part in store.batches("land")) == count
            made = {a.note for a in store.query("land")}
            assert made == {str(n) for n in range(400)}
        acknowledged = count // 400
    child = start(kills + 1)
    assert child.wait() == 0, child.output
    with open_store(location) as store:
        assert store.count("land") == 400 * (acknowledged + 1)
        with store._read() as connection:  # what a killed one had staged is gone from the table, too
            assert connection.exec_driver_sql("SELECT count(*) FROM land").scalar() == 400 * (acknowledged + 1)
