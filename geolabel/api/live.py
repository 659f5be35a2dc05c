"""What happens in projects, told to everybody who has them open: one look at the database for all of them.

A process looks twice a second, as long as somebody listens, at one number: the change sequence of the workspace, and at the
one row of each project that is open. Only when
it has grown are changes read, once for all listeners of a project. So whoever writes is seen, also from another process,
on the command line, or in QGIS.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import shapely

from geolabel.api.features import View
from geolabel.api.negotiate import requested, storage_crs
from geolabel.errors import GeolabelError, NotFound
from geolabel.geo import crs as crs_
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from geolabel.changes import Changeset
    from geolabel.model import Annotation, Project
    from geolabel.store.presence import Person, Presence
    from geolabel.store.store import Store

log = logging.getLogger(__name__)

LOOK_S = 0.5
HEARTBEAT_S = 15.0
_FEW_LABELS = 200
_FEW_VERTICES = 20_000
_FEW_CHANGES = 100
_BEHIND = 200


def event(name: str, data: Any, number: int | None = None) -> bytes:
    """A server-sent event (WHATWG HTML, 9.2)."""
    head = f"event: {name}\n" + ("" if number is None else f"id: {number}\n")
    return head.encode() + b"data: " + orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n\n"


@dataclass(slots=True)
class _Channel:
    """A project that somebody listens to.

    Attributes:
        seen: the last change that was told.
        project: as it was told last: its classes, attributes, guidelines, scenes.
        people: as they were told last.
        queues: of the listeners; None ends one.
    """

    seen: int
    project: Project
    people: list[Person] = field(default_factory=list)
    queues: set[asyncio.Queue[bytes | None]] = field(default_factory=set)

    def tell(self, events: Iterable[bytes]) -> None:
        for each in events:
            for queue in list(self.queues):
                if queue.qsize() < _BEHIND:
                    queue.put_nowait(each)
                else:  # it comes back, and says what it has heard last
                    self.queues.discard(queue)
                    queue.put_nowait(None)


class Live:
    """Events of projects for the clients of this process.

    Args:
        store: the workspace.
        presence: who is there.
    """

    def __init__(self, store: Store, presence: Presence) -> None:
        self._store = store
        self._presence = presence
        self._channels: dict[str, _Channel] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for channel in self._channels.values():
            for queue in channel.queues:
                queue.put_nowait(None)

    async def listen(self, project: str, since: int | None) -> AsyncGenerator[bytes]:
        """The events of a project, without end.

        Args:
            project: its id.
            since: the last change that the client knows; None for what happens from now on.

        Raises:
            NotFound: no such project.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        now, missed, found = await anyio.to_thread.run_sync(self._missed, project, since)
        channel = self._channels.setdefault(project, _Channel(now, found))
        if channel.seen != now and since is None:
            now = channel.seen
        channel.queues.add(queue)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        first = [*missed, event("hello", {"seen": now}, now), _told(channel.people)]
        return self._stream(project, channel, queue, first)

    def _missed(self, project: str, since: int | None) -> tuple[int, list[bytes], Project]:
        with self._store.one_moment():
            found = self._store.project(project)
            now = self._store.changes()
            return now, [] if since is None or since >= now else self._read(project, since)[0], found

    async def _stream(
        self, project: str, channel: _Channel, queue: asyncio.Queue[bytes | None], first: list[bytes]
    ) -> AsyncGenerator[bytes]:
        try:
            yield b"retry: 1000\n\n" + b"".join(first)
            while not self._closed:
                try:
                    told = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if told is None:
                    return
                yield told
        finally:
            channel.queues.discard(queue)
            if not channel.queues:
                self._channels.pop(project, None)

    async def _watch(self) -> None:
        """Look as long as somebody listens."""
        while self._channels and not self._closed:
            cursors = {project: channel.seen for project, channel in self._channels.items()}
            try:
                found = await anyio.to_thread.run_sync(self._look, cursors)
            except Exception:
                # Whatever it is, those who listen are to hear of what comes after it.
                log.exception("What happens in the workspace cannot be seen")
                found = {}
            for project, (events, seen, people, now) in found.items():
                channel = self._channels.get(project)
                if channel is None or channel.seen != cursors[project]:
                    continue
                channel.seen = seen
                if now is not None and now != channel.project:
                    channel.project = now
                    events.append(event("project", {}))
                if people != channel.people:
                    channel.people = people
                    events.append(_told(people))
                channel.tell(events)
            await asyncio.sleep(LOOK_S)

    def _look(self, cursors: dict[str, int]) -> dict[str, tuple[list[bytes], int, list[Person], Project | None]]:
        people = self._presence.people(list(cursors))
        changes = self._store.changes()
        found = {}
        for project, seen in cursors.items():
            events, last = ([], seen) if changes <= seen else self._read_new(project, seen)
            found[project] = (events, max(changes, last), people[project], self._now(project))
        return found

    def _now(self, project: str) -> Project | None:
        try:
            return self._store.project(project)
        except NotFound:
            return None

    def _read_new(self, project: str, seen: int) -> tuple[list[bytes], int]:
        try:
            with self._store.one_moment():
                return self._read(project, seen)
        except NotFound:
            return [event("gone", {})], seen

    def _read(self, project: str, since: int) -> tuple[list[bytes], int]:
        """The changes after a moment, and the number of the last one; `reset` instead of too many."""
        found = self._store.changesets_since(project, since, limit=_FEW_CHANGES + 1)
        last = max([since, *(number for number, _ in found)])
        if len(found) > _FEW_CHANGES:
            last = self._store.changes()
            return [event("reset", {"seen": last}, last)], last
        return [event("changes", self._told(project, changeset), number) for number, changeset in found], last

    def _told(self, project: str, changeset: Changeset) -> dict[str, Any]:
        told: dict[str, Any] = {
            "changeset": changeset.number,
            "kind": changeset.kind,
            "author": changeset.author,
            "at": changeset.at,
            "created": changeset.created,
            "updated": changeset.updated,
            "deleted": changeset.deleted,
        }
        if changeset.kind == "schema" or changeset.created + changeset.updated + changeset.deleted > _FEW_LABELS:
            return {**told, "features": None}
        touches = self._store.changeset_changes(project, changeset.number, limit=_FEW_LABELS + 1)
        after = [touch.after for touch in touches if touch.after is not None]
        if len(touches) > _FEW_LABELS or sum(shapely.get_num_coordinates(a.geometry) for a in after) > _FEW_VERTICES:
            return {**told, "features": None}
        project_ = self._store.project(project)
        edge = requested(project_, "", None, "crs")
        scenes = tuple(self._store.scene(scene) for scene in project_.scenes)
        view = View(project_, storage_crs(project_), edge, scenes)
        before = [touch.before for touch in touches if touch.before is not None]
        return {
            **told,
            "features": view.features(after),
            "gone": [{"id": touch.id, "version": touch.version} for touch in touches if touch.after is None],
            "before": [_was(annotation, view.storage) for annotation in before],
        }


def _was(annotation: Annotation, storage: str) -> dict[str, Any]:
    """Class and box (CRS84) of a label before a change: where it must be drawn anew."""
    try:
        box = crs_.bounds_to(annotation.geometry.bounds, storage, CRS84) if crs_.on_earth(storage) else None
    except GeolabelError:
        box = None
    return {"id": annotation.id, "class": annotation.class_name, "bbox": box}


def _told(people: list[Person]) -> bytes:
    return event("people", [{"id": p.id, "name": p.name, "selection": p.selection} for p in people])


@contextmanager
def ending_when_told(live: Live) -> Iterator[None]:
    """End the streams when the process is told to stop: the server waits for all answers before it does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before: dict[int, Callable[[int, Any], Any]] = {
        number: handler for number in (signal.SIGINT, signal.SIGTERM) if callable(handler := signal.getsignal(number))
    }

    def stop(number: int, frame: Any) -> None:
        loop.call_soon_threadsafe(live.close)
        before[number](number, frame)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is stop:
                signal.signal(number, handler)
