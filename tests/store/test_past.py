"""Every moment of a project's past, against a plain list of what was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from shapely.geometry import LineString, Point, box

from geolabel.attributes import Attribute
from geolabel.errors import Conflicts, InvalidInput
from geolabel.model import Annotation, AnnotationPatch, NewAnnotation, Project, Provenance, Status
from geolabel.store.batch import Batch, Edit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geolabel.store import Store

Content = tuple[Any, ...]

ATTRIBUTES = (Attribute("height", "number"), Attribute("use", "enum", values=("a", "b")), Attribute("seen", "boolean"))


def content(annotation: Annotation | None) -> Content | None:
    """What an annotation says, whatever its version."""
    if annotation is None:
        return None
    a = annotation
    times = (a.valid_from, a.valid_to, a.track, a.external_id, a.external)
    return a.geometry.wkb, a.class_name, a.note, a.status, a.provenance, dict(a.attributes), *times, a.created_at


class Past(RuleBasedStateMachine):
    """Any sequence of writes; `then[n]` is what was there at change set n."""

    store: Store
    runs = 0

    coordinates = st.floats(-1e3, 1e3).map(lambda v: v + 0.1)
    shapes = st.one_of(
        st.builds(Point, coordinates, coordinates),
        st.builds(lambda x, y, w: box(x, y, x + w, y + w), coordinates, coordinates, st.floats(0.01, 500)),
        st.builds(lambda x, y: LineString([(x, y, 1.5), (y, x, 2.5)]), coordinates, coordinates),
    )
    values = st.fixed_dictionaries(
        {},
        optional={
            "height": st.floats(-1e6, 1e6),
            "use": st.sampled_from(["a", "b"]),
            "seen": st.booleans(),
        },
    )
    new = st.builds(
        NewAnnotation,
        shapes,
        st.sampled_from(["water", "forest"]),
        st.sampled_from([None, "note", "ä\u2028"]),
        st.sampled_from(list(Status)),
        st.builds(Provenance, st.just("api"), st.none() | st.floats(0, 1)),
        values,
        track=st.sampled_from([None, "t"]),
    )

    def __init__(self) -> None:
        super().__init__()
        self.project = f"past{Past.runs}"
        Past.runs += 1
        base = self.store.project("landuse")
        self.store.create_project(Project(self.project, "", base.crs, base.classes, attributes=ATTRIBUTES))
        self.now: dict[int, Annotation] = {}
        self.gone: dict[int, Annotation] = {}
        self.then: dict[int, dict[int, Annotation]] = {self.store.changes(): {}}

    def wrote(self) -> None:
        number = self.store.changes(self.project)
        assert number > max(self.then)
        self.then[number] = dict(self.now)

    def pick(self, among: Mapping[int, Annotation], index: int) -> int:
        return sorted(among)[index % len(among)]

    @rule(new=st.lists(new, min_size=1, max_size=3))
    def create(self, new):
        self.now |= {a.id: a for a in self.store.create(self.project, new)}
        self.wrote()

    @precondition(lambda self: self.now)
    @rule(index=st.integers(0, 50), shape=st.none() | shapes, note=st.sampled_from([None, "x", ""]), values=values)
    def update(self, index, shape, note, values):
        id_ = self.pick(self.now, index)
        self.now[id_] = self.store.update(self.project, id_, AnnotationPatch(shape, note=note, attributes=values))
        self.wrote()

    @precondition(lambda self: self.now)
    @rule(index=st.integers(0, 50))
    def delete(self, index):
        id_ = self.pick(self.now, index)
        self.gone[id_] = self.store.delete(self.project, id_).annotation
        del self.now[id_]
        self.wrote()

    @precondition(lambda self: self.gone)
    @rule(index=st.integers(0, 50), new=new)
    def bring_back(self, index, new):
        id_ = self.pick(self.gone, index)
        self.now[id_] = self.store.replace(self.project, id_, new)
        del self.gone[id_]
        self.wrote()

    @precondition(lambda self: self.now)
    @rule(made=st.lists(new, max_size=2), first=st.integers(0, 50), second=st.integers(0, 50), changed=new)
    def batch(self, made, first, second, changed):
        edited, dropped = self.pick(self.now, first), self.pick(self.now, second)
        delete = [Edit(dropped)] if dropped != edited else []
        done = self.store.batch(self.project, Batch(made, [Edit(edited, changed)], delete))
        self.now |= {a.id: a for a in (*done.created, *done.updated)}
        for annotation in done.deleted:
            self.gone[annotation.id] = annotation
            del self.now[annotation.id]
        self.wrote()

    @precondition(lambda self: len(self.then) > 1)
    @rule(index=st.integers(0, 50), skip=st.booleans())
    def revert(self, index, skip):
        numbers = sorted(self.then)
        number = numbers[1 + index % (len(numbers) - 1)]
        found, left = self.then[numbers[numbers.index(number) - 1]], self.then[number]
        ids = {t.id for t in self.store.changeset_changes(self.project, number)}
        assert {i for i in {*found, *left} if found.get(i) != left.get(i)} <= ids
        back, conflicts = {}, set()
        for id_ in ids:
            current, before = content(self.now.get(id_)), content(found.get(id_))
            touched = self.now.get(id_) != left.get(id_)
            if not touched or current == content(left.get(id_)):
                back[id_] = before
            elif current != before:
                conflicts.add(id_)
        if not back or (conflicts and not skip):
            with pytest.raises((Conflicts, InvalidInput)) as caught:
                self.store.revert(self.project, number, skip_conflicts=skip)
            assert {c.id for c in getattr(caught.value, "conflicts", ())} == conflicts
            return
        done = self.store.revert(self.project, number, skip_conflicts=skip, comment="again")
        assert {c.id for c in done.conflicts} == conflicts
        assert (done.changeset.kind, done.changeset.reverts, done.changeset.comment) == ("revert", number, "again")
        after = {a.id: a for a in self.store.query(self.project)}
        assert after.keys() - back.keys() == self.now.keys() - back.keys()
        for id_, wanted in back.items():
            assert content(after.get(id_)) == wanted
            last = self.now.get(id_) or self.gone[id_]
            if id_ in after:
                self.gone.pop(id_, None)
                assert after[id_].version == last.version + 1
            elif id_ in self.now:
                tombstone = self.store.history(self.project, id_)[-1]
                assert (tombstone.operation, tombstone.annotation.version) == ("delete", last.version + 1)
                self.gone[id_] = tombstone.annotation
        self.now = after
        self.wrote()

    def teardown(self):
        numbers = sorted(self.then)
        for number in numbers:
            self.same(number, self.then[number])
        last = numbers[-1]
        for a, b in zip(numbers, [*numbers[2:], last, last], strict=False):
            self.differs(a, b)
            self.differs(b, a)
        self.differs(numbers[0], last)

    def same(self, number: int, expected: dict[int, Annotation]) -> None:
        found = self.store.query(self.project, at=number)
        assert found == [expected[id_] for id_ in sorted(expected)]
        assert [a.geometry.wkb for a in found] == [expected[a.id].geometry.wkb for a in found]
        assert self.store.count(self.project, at=number) == len(expected)
        shapes = np.array([a.geometry for a in found], dtype=object)
        extent = tuple(shapely.total_bounds(shapes).tolist()) if found else None
        assert self.store.extent(self.project, at=number) == extent
        window = (-200.0, -300.0, 250.0, 150.0)
        inside = [a.id for a in found if shapely.intersects(box(*window), a.geometry)]
        assert [a.id for a in self.store.query(self.project, at=number, bbox=window)] == inside
        assert self.store.count(self.project, at=number, bbox=window) == len(inside)
        water = [a.id for a in found if a.class_name == "water" and a.status is Status.LABELLED]
        paged, after = [], 0
        while page := self.store.query(
            self.project, at=number, class_name="water", status=Status.LABELLED, after=after, limit=2
        ):
            paged += [a.id for a in page]
            after = paged[-1]
        assert paged == water
        batches = list(self.store.batches(self.project, at=number, size=3))
        assert [id_ for batch in batches for id_ in batch.ids.tolist()] == sorted(expected)
        for id_ in sorted(expected)[:2]:
            assert self.store.annotation(self.project, id_, at=number) == expected[id_]

    def differs(self, a: int, b: int) -> None:
        before, after = self.then[a], self.then[b]
        expected = dict.fromkeys(after.keys() - before.keys(), "added")
        expected |= dict.fromkeys(before.keys() - after.keys(), "deleted")
        expected |= {
            id_: "changed" for id_ in before.keys() & after.keys() if content(before[id_]) != content(after[id_])
        }
        found = self.store.diff(self.project, a, b)
        assert {entry.id: entry.change for entry in found.entries} == expected
        assert [e.id for e in found.entries] == sorted(expected)
        assert (found.added, found.changed, found.deleted) == tuple(
            sum(1 for kind in expected.values() if kind == name) for name in ("added", "changed", "deleted")
        )
        for entry in found.entries:
            assert (entry.before, entry.after) == (before.get(entry.id), after.get(entry.id))
            if entry.change == "changed":
                old, new = before[entry.id], after[entry.id]
                assert ("geometry" in entry.what) == (old.geometry.wkb != new.geometry.wkb)
                assert ("attributes" in entry.what) == (old.attributes != new.attributes)
                assert ("class" in entry.what) == (old.class_name != new.class_name)
                assert ("status" in entry.what) == (old.status != new.status)


def test_every_moment_reads_back_and_every_revert_leads_there(store):
    Past.store = store
    run_state_machine_as_test(
        Past,
        settings=settings(
            max_examples=6, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.soak
def test_every_moment_reads_back_at_length(store):
    Past.store = store
    run_state_machine_as_test(
        Past,
        settings=settings(
            max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
