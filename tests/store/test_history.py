from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from shapely.geometry import Point, box

from geolabel.errors import InvalidInput, NotFound, VersionConflict
from geolabel.model import Annotation, AnnotationPatch, NewAnnotation, Status
from geolabel.store.batch import Batch, Edit

if TYPE_CHECKING:
    from geolabel.store import Store


def test_history_tells_every_step(store):
    first = store.create(
        "landuse", [NewAnnotation(box(0, 0, 1, 1), "water"), NewAnnotation(Point(5, 5), "water")], author="ann"
    )[0]
    second = store.update("landuse", 1, AnnotationPatch(geometry=box(0, 0, 0.1 + 0.2, 1)), author="bob")
    third = store.delete("landuse", 1).annotation
    fourth = store.replace("landuse", 1, NewAnnotation(Point(1, 2), "forest"), author="cat")
    changes = store.history("landuse", 1)
    assert [c.annotation for c in changes] == [first, second, third, fourth]
    assert [c.operation for c in changes] == ["create", "update", "delete", "update"]
    assert [c.author for c in changes] == ["ann", "bob", None, "cat"]
    assert [c.changeset for c in changes] == [1, 2, 3, 4]
    assert [c.at for c in changes] == [c.annotation.updated_at for c in changes]
    assert changes[1].annotation.geometry.wkb == second.geometry.wkb
    assert [c.annotation for c in store.history("landuse", 2)] == [store.annotation("landuse", 2)]


def test_history_of_a_deleted_annotation(store):
    store.create("landuse", [NewAnnotation(Point(0, 0), "water")])
    change = store.delete("landuse", 1, author="ann")
    assert store.history("landuse", 1)[-1] == change
    assert [c.operation for c in store.history("landuse", 1)] == ["create", "delete"]


def test_a_bulk_create_writes_no_history(store):
    store.create("landuse", [NewAnnotation(Point(i, 0), "water") for i in range(100)])
    with store._read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM geolabel_history").scalar() == 0


def test_changes_count_on(store):
    assert store.changes() == store.changes("landuse") == 0
    store.create("landuse", [NewAnnotation(Point(0, 0), "water")])
    with pytest.raises(VersionConflict):
        store.update("landuse", 1, AnnotationPatch(note="x"), expected=9)
    with pytest.raises(NotFound):
        store.delete("landuse", 9)
    store.update("landuse", 1, AnnotationPatch(note="x"))
    assert store.changes() == store.changes("landuse") == 2, "what was refused has no number"


class Versions(RuleBasedStateMachine):
    """Any sequence of writes against a model: a list of states per id, the last one None after a delete."""

    store: Store
    annotations = Bundle("annotations")

    def __init__(self) -> None:
        super().__init__()
        self.project = f"p{Versions.runs}"
        Versions.runs += 1
        base = self.store.project("landuse")
        self.store.create_project(type(base)(self.project, "", None, base.classes))
        self.states: dict[int, list[tuple[str, Annotation]]] = {}
        self.before = self.store.changes()
        self.writes = 0
        self.moments: list[tuple[int, list[Annotation]]] = [(self.before, [])]

    runs = 0
    shapes = st.builds(Point, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
    names = st.sampled_from(["water", "forest"])

    def living(self) -> list[Annotation]:
        return [states[-1][1] for _, states in sorted(self.states.items()) if states[-1][0] != "delete"]

    def gone(self, id_: int) -> bool:
        return self.states[id_][-1][0] == "delete"

    @rule(target=annotations, shape=shapes, name=names)
    def create(self, shape, name):
        made = self.store.create(self.project, [NewAnnotation(shape, name)])[0]
        assert made.id not in self.states
        self.states[made.id] = [("create", made)]
        self.writes += 1
        return made.id

    @rule(
        id_=annotations,
        shape=st.none() | shapes,
        name=st.none() | names,
        status=st.none() | st.sampled_from(list(Status)),
    )
    def update(self, id_, shape, name, status):
        patch = AnnotationPatch(shape, name, None, status)
        if self.gone(id_):
            with pytest.raises(NotFound):
                self.store.update(self.project, id_, patch)
            return
        self.states[id_].append(("update", self.store.update(self.project, id_, patch)))
        self.writes += 1

    @rule(id_=annotations, shape=shapes, name=names, lag=st.integers(0, 3))
    def replace(self, id_, shape, name, lag):
        current = self.states[id_][-1][1].version
        new = NewAnnotation(shape, name)
        if lag:
            with pytest.raises(VersionConflict) as caught:
                self.store.replace(self.project, id_, new, expected=current - lag)
            assert caught.value.current == current
            return
        self.states[id_].append(("update", self.store.replace(self.project, id_, new, expected=current)))
        self.writes += 1

    @rule(id_=annotations)
    def delete(self, id_):
        if self.gone(id_):
            with pytest.raises(NotFound):
                self.store.delete(self.project, id_)
            return
        self.states[id_].append(("delete", self.store.delete(self.project, id_).annotation))
        self.writes += 1

    @rule(
        ids=st.sets(annotations, max_size=5),
        shape=shapes,
        name=names,
        new=st.integers(0, 2),
        wrong=st.sampled_from(["", "", "version", "shape", "id"]),
        data=st.data(),
    )
    def batch(self, ids, shape, name, new, wrong, data):  # noqa: PLR0917 (a rule gets what it draws)
        living = [id_ for id_ in sorted(ids) if not self.gone(id_)]
        going = [id_ for id_ in living if data.draw(st.booleans())]
        update = [
            Edit(id_, NewAnnotation(shape, name), self.states[id_][-1][1].version) for id_ in set(living) - {*going}
        ]
        create = [NewAnnotation(shape, name)] * new
        if wrong == "version" and update:
            update[-1] = Edit(update[-1].id, update[-1].new, update[-1].expected + 1)
        elif wrong == "shape":
            create.append(NewAnnotation(Point(), name))
        elif wrong == "id":
            update.append(Edit(10**6, NewAnnotation(shape, name)))
        edits = Batch(create, update, [Edit(id_) for id_ in going])
        if wrong and (wrong != "version" or update):
            with pytest.raises((VersionConflict, InvalidInput)):
                self.store.batch(self.project, edits)
            return
        result = self.store.batch(self.project, edits)
        for made in result.created:
            assert made.id not in self.states
            self.states[made.id] = [("create", made)]
        for operation, after in (("update", result.updated), ("delete", result.deleted)):
            for annotation in after:
                self.states[annotation.id].append((operation, annotation))
        self.writes += result.changeset is not None

    @rule(data=st.data())
    def look_at_the_past(self, data):
        number, there = data.draw(st.sampled_from(self.moments))
        assert self.store.query(self.project, at=number) == there

    @rule(id_=consumes(annotations))
    def look_back(self, id_):
        changes = self.store.history(self.project, id_)
        assert [(c.operation, c.annotation) for c in changes] == self.states[id_]
        assert [c.annotation.version for c in changes] == list(range(1, len(changes) + 1))
        numbers = [c.changeset for c in changes]
        assert numbers == sorted(set(numbers))

    @invariant()
    def what_is_there_is_what_was_written(self):
        assert self.store.query(self.project) == self.living()
        self.moments.append((self.store.changes(), self.living()))
        assert self.store.changes() == self.before + self.writes
        assert sum(self.store.counts(self.project).values()) == len(self.living())


def play(store: Store, games: int, steps: int) -> None:
    Versions.store = store
    run_state_machine_as_test(
        Versions,
        settings=settings(
            max_examples=games, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_versions_are_gapless_whatever_is_done(store):
    play(store, games=6, steps=20)


@pytest.mark.soak
def test_versions_are_gapless_for_long(store):
    play(store, games=100, steps=50)
