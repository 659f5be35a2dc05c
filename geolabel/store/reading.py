# ruff: noqa: A002 (an annotation has an `id`; its name is the same here)
"""What a Store can be asked of its annotations, as they are and as they were."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.model import COVERAGE, Coverage, Status
from geolabel.store import annotations as labels
from geolabel.store import past, search

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager

    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection

    from geolabel.batches import LabelBatch
    from geolabel.cql import Where
    from geolabel.geo.areas import Area
    from geolabel.geo.placed import Placed
    from geolabel.model import Annotation, Bounds


class Reading(ABC):
    """The part of Store that finds annotations; see `geolabel.store.store.Store`."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def annotations(self, project: str, ids: Sequence[int]) -> dict[int, Annotation]:
        """The current versions of those ids that are there, by id; NotFound for the project."""
        with self._read() as connection:
            return labels.find_many(connection, project, ids)

    def annotation(self, project: str, id: int, *, at: int | None = None) -> Annotation:
        """The current version, or the one at a change set; NotFound."""
        with self._read() as connection:
            if at is not None:
                return past.find(connection, project, id, at=at)
            return labels.find(connection, project, id)

    def query(
        self,
        project: str,
        *,
        bbox: Bounds | None = None,
        class_name: str | None = None,
        status: Status | None = None,
        after: int = 0,
        limit: int | None = None,
        areas: Sequence[Area] | None = None,
        where: Where | None = None,
        seconds: float | None = None,
        at: int | None = None,
    ) -> list[Annotation]:
        """Annotations in order of id.

        Args:
            project: its id.
            bbox: in the project's CRS; only those whose exact geometry touches it.
            class_name: only those of this class.
            status: only those that stand there.
            after: only ids above this one: the last id of the page before.
            limit: at most so many; None for all.
            areas: only those whose exact geometry touches one of them; a box in any CRS (`geolabel.geo.areas`).
            where: only those that a filter chooses; its geometries are in the project's CRS.
            seconds: how long it may take; None for as long as it needs.
            at: number of a change set: as they were then (`changeset_at`).

        Raises:
            NotFound: no such project.
            InvalidInput: a box that is none.
            TooSlow: the time was over.
        """
        with self._read() as connection:
            if at is not None:
                return past.query(
                    connection,
                    project,
                    at=at,
                    bbox=bbox,
                    class_name=class_name,
                    status=status,
                    after=after,
                    limit=limit,
                    areas=areas,
                    where=where,
                    seconds=seconds,
                )
            return search.query(
                connection,
                project,
                bbox=bbox,
                class_name=class_name,
                status=status,
                after=after,
                limit=limit,
                areas=areas,
                where=where,
                seconds=seconds,
            )

    def rows(
        self,
        project: str,
        columns: Sequence[str],
        *,
        class_name: str | None = None,
        status: Status | None = None,
        after: int = 0,
        limit: int | None = None,
        areas: Sequence[Area] | None = None,
        where: Where | None = None,
        seconds: float | None = None,
    ) -> tuple[Sequence[Sequence[Any]], Placed]:
        """The same as `query` without an object for each annotation, for those who write many out.

        Args:
            project: its id.
            columns: names of those that are wanted: of an annotation's own, and of the project's attributes.
            class_name: see `query`, also for what follows.
            status: only those that stand there.
            after: only ids above this one.
            limit: at most so many; None for all.
            areas: only those that touch one of them.
            where: only those that a filter chooses.
            seconds: how long it may take.

        Returns:
            Rows that begin with the columns in their order, and their shapes (n,) in the project's CRS, as flat arrays.
        """
        with self._read() as connection:
            return search.rows(
                connection,
                project,
                columns,
                class_name=class_name,
                status=status,
                after=after,
                limit=limit,
                areas=areas,
                where=where,
                seconds=seconds,
            )

    def count(
        self,
        project: str,
        *,
        bbox: Bounds | None = None,
        class_name: str | None = None,
        status: Status | None = None,
        areas: Sequence[Area] | None = None,
        where: Where | None = None,
        seconds: float | None = None,
        at: int | None = None,
    ) -> int:
        """How many annotations `query` would give without a limit."""
        with self._read() as connection:
            if at is not None:
                return past.count(
                    connection,
                    project,
                    at=at,
                    bbox=bbox,
                    class_name=class_name,
                    status=status,
                    areas=areas,
                    where=where,
                    seconds=seconds,
                )
            return search.count(
                connection,
                project,
                bbox=bbox,
                class_name=class_name,
                status=status,
                areas=areas,
                where=where,
                seconds=seconds,
            )

    def coverage(self, project: str, *, at: int | None = None) -> Coverage:
        """Which ground of a project was seen, and which is to be ignored, now or at a change set; NotFound."""
        found: dict[str, list[BaseGeometry]] = {"seen": [], "ignore": []}
        times: dict[str, list[tuple[str | None, str | None]]] = {"seen": [], "ignore": []}
        for batch in self.batches(project + COVERAGE, at=at):
            columns = (batch.columns[name] for name in ("status", "valid_from", "valid_to"))
            for name, geometry, status, start, end in zip(batch.class_names, batch.geometries, *columns, strict=True):
                if status in {Status.LABELLED, Status.ACCEPTED}:
                    found[name].append(geometry)
                    times[name].append((start, end))
        seen, ignored = (np.array([*shapes, None], dtype=object)[:-1] for shapes in found.values())
        return Coverage(seen, ignored, tuple(times["seen"]), tuple(times["ignore"]))

    def extent(self, project: str, *, at: int | None = None) -> Bounds | None:
        """The box around all annotations in the project's CRS, now or at a change set; None without any; NotFound."""
        with self._read() as connection:
            if at is not None:
                return past.extent(connection, project, at=at)
            return search.extent(connection, project)

    def batches(
        self,
        project: str,
        *,
        bbox: Bounds | None = None,
        size: int = 10_000,
        at: int | None = None,
        where: Where | None = None,
    ) -> Generator[LabelBatch]:
        """Annotations as arrays, in order of id, from one snapshot: changes made meanwhile are not seen.

        Args:
            project: its id.
            bbox: in the project's CRS; only those whose exact geometry touches it.
            size: at most so many in a batch.
            at: number of a change set: as they were then (`changeset_at`).
            where: only those that this is true for.

        Raises:
            NotFound: no such project.
            InvalidInput: a box that is none.
        """
        with self._read() as connection:
            if at is not None:
                yield from past.batches(connection, project, at=at, bbox=bbox, size=size, where=where)
                return
            yield from search.batches(connection, project, bbox=bbox, size=size, where=where)
