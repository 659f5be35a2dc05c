"""Label tiles of any project, from its labels in memory, which are kept right under edits, or from those around a tile."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geolabel.errors import Cancelled, InvalidCRS, NotFound, StoreFailed
from geolabel.labeltiles.ahead import ahead
from geolabel.labeltiles.calm import WhenCalm
from geolabel.labeltiles.drawn import Place, look_of
from geolabel.labeltiles.format import reach
from geolabel.labeltiles.held import Held, Words
from geolabel.labeltiles.matrix import boxes_around, check_fits, matrix_set
from geolabel.labeltiles.placing import place
from geolabel.labeltiles.shapes import join, largest, meeting

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping

    from geolabel.batches import LabelBatch, LabelChanges, LabelsState
    from geolabel.labeltiles.drawn import DrawnTiles
    from geolabel.labeltiles.layer import Layer
    from geolabel.labeltiles.matrix import MatrixSet
    from geolabel.labeltiles.saved import Saved
    from geolabel.labeltiles.shapes import Shapes
    from geolabel.model import Bounds, Project

_log = logging.getLogger(__name__)

_WEB = "WebMercatorQuad"

_FEW = 20_000
"""So many labels are read for one tile while not all are in memory."""

_MOST_CHANGES = 50_000
"""When more labels changed than this, all are read anew."""

_WORTH = 1000
"""Tiles of so many labels are kept on the disk."""

_CALM_S = 5.0
"""What edits touched of the tiles on the disk is drawn again when nobody has edited for so long."""

_FIRST_TILES, _FIRST_ZOOMS = 16, 3
"""A map opens on all labels, which is on a few tiles: the finest zooms of so many are drawn before somebody opens it."""

_FIRST_VIEW_S = 3.0
"""When tiles are on the disk, labels are read so long after the start: who opens the map at once has the machine."""

_ONCE = 64 * 2**20
"""Memory for labels that are read for one tile; only the largest of more are drawn."""


class Feed(Protocol):
    """Where labels are read; `geolabel.store.store.Store` is one."""

    def project(self, project: str) -> Project:
        """Its classes have colours."""

    def tile_state(self, project: str) -> LabelsState:
        """What the labels are now."""

    def tile_count(self, project: str, *, bbox: Bounds | None, limit: int) -> int:
        """How many `tile_batches` gives, at most `limit`."""

    def tile_batches(self, project: str, *, bbox: Bounds | None, size: int = 10_000) -> Generator[LabelBatch]:
        """Labels whose boxes meet a box."""

    def tile_changes(self, project: str, since: LabelsState, *, limit: int) -> LabelChanges | None:
        """What changed since a state; None when it is too much, or did not come out of that state."""


class LabelTiles:
    """Tiles of any project; for many threads.

    The labels of a project are read and projected once, when its first tile is asked for, and kept for the next server;
    until they are there, a tile is drawn from the labels around it. After an edit, by this process or another, the changed labels alone are read.

    Args:
        feed: where the labels are.
        memory: bytes for the labels of all projects; of a project with more only the largest are kept, for tiles that
            show many. 0 keeps nothing: the labels around each tile are read.
        saved: where the labels of large projects are kept for the next server.
        drawn: where tiles of very many labels are kept for it.
    """

    def __init__(self, feed: Feed, memory: int, saved: Saved | None = None, drawn: DrawnTiles | None = None) -> None:
        self._feed = feed
        self._memory = memory
        self._saved = saved
        self._drawn = drawn
        self._calm = WhenCalm(_CALM_S, self._draw_again)
        self._held: OrderedDict[tuple[int, str], Held] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="label-tiles")

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self._calm.close()
        self._readers.shutdown(cancel_futures=True)

    def state(self, project: str) -> LabelsState:
        """What the labels of a project are now: a tile stays the same as long as this does.

        Raises:
            NotFound: no such project.
            InvalidCRS: it has no place on the Earth.
        """
        state = self._feed.tile_state(project)
        check_fits(state.crs, project)
        return state

    def tile(
        self,
        project: str,
        state: LabelsState,
        matrices: MatrixSet,
        tile: tuple[int, int, int],
        *,
        pooled: bool = False,
    ) -> bytes:
        """A Mapbox Vector Tile; no bytes when nothing is in it.

        Args:
            project: its id.
            state: of its labels that is to be drawn, or a later one.
            matrices: the tile matrix set.
            tile: zoom, column from the west, row from the north.
            pooled: whether small labels of a crowd are put together; see `geolabel.labeltiles.tile.encode_tile`.

        Raises:
            NotFound: there is no such tile, or no such project any more.
        """
        if pooled:
            return self._pooled(project, state, matrices, Place(tile))
        box = matrices.box(*tile)
        around = self._around(project, state, matrices, box)
        if around is None:
            return b""
        from geolabel.labeltiles.tile import encode_tile  # noqa: PLC0415 (numba takes a second to load)

        held, layer = around
        return encode_tile(layer, box, classes=held.classes.names, statuses=held.statuses.names)

    def picture(
        self,
        project: str,
        state: LabelsState,
        matrices: MatrixSet,
        tile: tuple[int, int, int],
        *,
        colors: Mapping[str, str],
        hidden: Collection[str] = (),
    ) -> bytes:
        """A PNG of what a pooled tile leaves out; no bytes when that is nothing.

        Args:
            project: its id.
            state: of its labels that is to be drawn, or a later one.
            matrices: the tile matrix set.
            tile: zoom, column from the west, row from the north.
            colors: as '#rrggbb', by the name of the class.
            hidden: names of classes that are left out.

        Raises:
            NotFound: there is no such tile, or no such project any more.
        """
        return self._pooled(project, state, matrices, Place(tile, look_of(colors, hidden)))

    def _pooled(self, project: str, state: LabelsState, matrices: MatrixSet, place: Place) -> bytes:
        """A pooled tile or its picture, from the disk if it was drawn before and still holds."""
        drawn = self._drawn if matrices.name == _WEB else None
        found = drawn.find(state, place) if drawn else None
        if found is not None:
            return found
        box = matrices.box(*place.tile)
        around = self._around(project, state, matrices, box)
        if around is None:
            return b""
        # The edits that were read just now may have left it as it was.
        found = drawn.find(state, place) if drawn else None
        return self._draw(*around, matrices, place) if found is None else found

    def _draw(self, held: Held, layer: Layer, matrices: MatrixSet, place: Place) -> bytes:
        """Draw a pooled tile or its picture, and keep it on the disk when that is worth while."""
        from geolabel.labeltiles.tile import draw_picture, encode_tile  # noqa: PLC0415 (numba takes a second to load)

        box = matrices.box(*place.tile)
        classes, statuses = held.classes.names, held.statuses.names
        if place.look:
            colors, hidden = json.loads(place.look)
            body = draw_picture(layer, box, classes=classes, statuses=statuses, colors=colors, hidden=hidden)
        else:
            body = encode_tile(layer, box, classes=classes, statuses=statuses, pooled=True)
        if self._drawn and matrices.name == _WEB and held.layer.done() and len(layer.find(reach(box))) >= _WORTH:
            with held.lock:
                now, complete = held.layer.result()
                state = held.state
            if now is layer and complete:
                self._drawn.keep(state, place, body)
        return body

    def _around(self, project: str, state: LabelsState, matrices: MatrixSet, box: Bounds) -> tuple[Held, Layer] | None:
        """Labels in memory that hold all that a tile shows, or those around it; None when there are none."""
        held = self._find(project, state, matrices) if self._memory else None
        layer, complete = self._now(held, project, state, matrices) if held else (None, False)
        if not complete:
            boxes = boxes_around(box, matrices, check_fits(state.crs, project))
            count = sum(self._feed.tile_count(project, bbox=b, limit=max(_FEW, 1)) for b in boxes)
            if count == 0:
                return None
            if held is None or count < _FEW:
                held = Held(state)
                layer, _ = self._read(project, held, boxes, matrices, _ONCE)
            elif layer is None:
                assert held is not None
                held.layer.result()
                return self._around(project, state, matrices, box)  # with what was edited meanwhile
        assert held is not None
        assert layer is not None
        return held, layer

    def prepare(self, projects: Iterable[str]) -> None:
        """Have large projects ready before somebody opens their map: labels in memory, as far as there is room, and first views."""
        waiting = deque(projects)
        if self._drawn and self._drawn.any():
            timer = threading.Timer(_FIRST_VIEW_S, self._begin, [waiting])
            timer.daemon = True
            timer.start()
        else:
            self._begin(waiting)

    def _begin(self, waiting: deque[str]) -> None:
        with suppress(RuntimeError):  # closed just now
            self._readers.submit(self._prepare, waiting)

    def _prepare(self, waiting: deque[str]) -> None:
        """One project, and then the next, behind those that somebody asked for meanwhile."""
        if self._closed or not waiting or sum(held.nbytes for held in list(self._held.values())) > self._memory // 2:
            return
        try:
            self._prepare_one(waiting.popleft())
        except (NotFound, InvalidCRS):  # deleted meanwhile, or not on the Earth
            pass
        except StoreFailed as error:
            _log.warning("Label tiles are prepared when they are asked for: %s", error)
            return
        self._begin(waiting)

    def _prepare_one(self, project: str) -> None:
        matrices = matrix_set(_WEB)
        state = self.state(project)
        if self._feed.tile_count(project, bbox=None, limit=_FEW) < _FEW:
            return
        key = (state.key, matrices.crs)
        held = self._held.get(key)
        if held:
            self._now(held, project, state, matrices)  # which lets go of it when too much has changed
        with self._lock:
            fresh = key not in self._held
            held = self._held.setdefault(key, Held(state))
        if fresh:
            self._fill(project, held, matrices)
        if self._drawn:
            self._draw_again(project)

    def _first_views(self, project: str, state: LabelsState, layer: Layer, matrices: MatrixSet) -> list[Place]:
        """Of what the map shows when it is opened, what is not on the disk."""
        assert self._drawn
        if len(layer) < _WORTH:
            return []
        look = look_of({c.name: c.color for c in self._feed.project(project).classes})
        tiles = matrices.over(layer.bounds, _FIRST_TILES)
        first = [tile for tile in tiles if tile[0] > tiles[-1][0] - _FIRST_ZOOMS]
        full = [tile for tile in first if len(layer.find(reach(matrices.box(*tile)))) >= _WORTH]
        places = [place for tile in full for place in (Place(tile), Place(tile, look))]
        return [place for place in places if self._drawn.find(state, place) is None]

    def _find(self, project: str, state: LabelsState, matrices: MatrixSet) -> Held:
        """The project's labels in memory, or on their way there."""
        key = (state.key, matrices.crs)
        with self._lock:
            held = self._held.get(key)
            if held is not None and not (held.layer.done() and held.layer.exception()):
                self._held.move_to_end(key)
                return held
            held = self._held[key] = Held(state)
        self._readers.submit(self._fill, project, held, matrices)
        return held

    def _fill(self, project: str, held: Held, matrices: MatrixSet) -> None:
        try:
            kept = self._kept(project, held, matrices)
            found = (kept, True) if kept else self._read(project, held, [None], matrices, self._memory)
        except BaseException as error:  # noqa: BLE001 (whoever waits for it raises it)
            held.layer.set_exception(error)
            return
        state = held.state  # edits are laid over it as soon as it is there
        held.layer.set_result(found)
        self._make_room()
        layer, complete = found
        if self._saved and complete and not kept and len(layer) >= _FEW:
            self._saved.save(state, matrices.crs, list(held.classes.known), list(held.statuses.known), layer.shapes)

    def _kept(self, project: str, held: Held, matrices: MatrixSet) -> Layer | None:
        """What an earlier server saved, when the changes since then can be laid over it."""
        kept = self._saved.load(held.state, matrices.crs) if self._saved else None
        if kept is None or kept.shapes.nbytes > self._memory:
            return None
        if self._feed.tile_changes(project, kept.state, limit=_MOST_CHANGES) is None:
            return None
        from geolabel.labeltiles.layer import make_layer  # noqa: PLC0415 (numba takes a second to load)

        held.state = kept.state
        held.classes, held.statuses = Words(kept.classes), Words(kept.statuses)
        return make_layer([kept.shapes])

    def _make_room(self) -> None:
        """Let go of the labels of projects that nobody has looked at for longest."""
        with self._lock:
            used = sum(held.nbytes for held in self._held.values())
            for key in list(self._held)[:-1]:
                if used <= self._memory:
                    return
                used -= self._held.pop(key).nbytes

    def _now(
        self, held: Held, project: str, state: LabelsState, matrices: MatrixSet
    ) -> tuple[Layer, bool] | tuple[None, bool]:
        """The labels in memory brought up to date; None as long as they are not there."""
        if not held.layer.done():
            return None, False
        if held.state == state:
            return held.layer.result()
        with held.lock:
            if held.state == state:
                return held.layer.result()
            changes = self._feed.tile_changes(project, held.state, limit=_MOST_CHANGES)
            if changes is None:
                with self._lock:
                    self._held.pop((held.state.key, matrices.crs), None)
                return None, False
            layer, complete = held.layer.result()
            if changes.come or len(changes.gone):
                come = join([self._placed(batch, held, matrices) for batch in changes.come])
                ids = np.concatenate([changes.gone, *(batch.ids for batch in changes.come)])
                touched = np.concatenate([layer.boxes_of(ids), come.boxes])
                layer = layer.changed(ids, come)
            else:
                touched = np.empty((0, 4))
            later = Future[tuple["Layer", bool]]()
            later.set_result((layer, complete))
            before, held.layer, held.state = held.state, later, changes.state
            if self._drawn and matrices.name == _WEB:
                self._drawn.follow(
                    before, held.state, lambda place: bool(meeting(touched, reach(matrices.box(*place.tile))).any())
                )
                self._calm.call(project)
            return layer, complete

    def _draw_again(self, project: str) -> None:
        """Draw what edits touched of the tiles on the disk, and what a map shows first: one, and the next behind what somebody asked for."""
        with suppress(RuntimeError):  # closed just now
            self._readers.submit(self._draw_one_again, project)

    def _draw_one_again(self, project: str) -> None:
        assert self._drawn
        matrices = matrix_set(_WEB)
        try:
            state = self.state(project)
            held = self._held.get((state.key, matrices.crs))
            layer, complete = self._now(held, project, state, matrices) if held else (None, False)
            if not held or not layer or not complete or self._closed:
                return
            wanted = self._drawn.lost(state) or self._first_views(project, state, layer, matrices)
            if wanted:
                self._draw(held, layer, matrices, wanted[0])
                if self._drawn.find(state, wanted[0]) is not None:
                    self._draw_again(project)
        except (NotFound, InvalidCRS):  # deleted meanwhile
            pass
        except StoreFailed as error:
            _log.warning("Label tiles are drawn when they are asked for: %s", error)

    def _placed(self, batch: LabelBatch, held: Held, matrices: MatrixSet) -> Shapes:
        return place(
            batch.geometries,
            batch.ids,
            held.classes.numbers(batch.class_names),
            held.statuses.numbers(batch.columns["status"]),
            crs=held.state.crs or "",
            matrices=matrices,
        )

    def _read(
        self, project: str, held: Held, boxes: list[Bounds | None], matrices: MatrixSet, memory: int
    ) -> tuple[Layer, bool]:
        """Labels whose boxes meet one of some boxes, the largest of them if there is no room for all; whether these are all."""
        from geolabel.labeltiles.layer import make_layer  # noqa: PLC0415 (numba takes a second to load)

        parts: list[Shapes] = []
        used, complete = 0, True
        seen = np.empty(0, dtype=np.int64)
        for box in boxes:
            for batch in ahead(self._feed.tile_batches(project, bbox=box)):
                if self._closed:
                    raise Cancelled("The server stops: ask another time.")
                shapes = self._placed(batch, held, matrices)
                if len(seen):
                    shapes = shapes.take(np.flatnonzero(~np.isin(shapes.ids, seen)))
                parts.append(shapes)
                used += shapes.nbytes
                if used > memory:
                    parts = [largest(parts, memory // 2)]
                    used, complete = parts[0].nbytes, False
            if len(boxes) > 1:
                seen = np.concatenate([part.ids for part in parts]) if parts else seen
        return make_layer(parts), complete
