# ruff: noqa: A002 (an annotation has an `id`; its name is the same here)
"""What a Store can be asked of its past: change sets, states of a moment, snapshots, and what differs between two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from geolabel.store import changesets, diff, history, past, revert, snapshots

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from geolabel.changes import Change, Changeset, Snapshot
    from geolabel.model import Project
    from geolabel.store.changesets import Touch
    from geolabel.store.diff import Diff
    from geolabel.store.idempotency import Once
    from geolabel.store.revert import Reverted


class Timeline(ABC):
    """The part of Store that looks back; see `geolabel.store.store.Store`."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _write(self) -> AbstractContextManager[tuple[Connection, str]]: ...

    def history(self, project: str, id: int) -> list[Change]:
        """All changes of an annotation, oldest first, its creation included, also when it was deleted; NotFound."""
        with self._read() as connection:
            return history.find(connection, project, id)

    def changes(self, project: str | None = None) -> int:
        """Number of the last change set, of a project or of the workspace: 0, then always growing; NotFound."""
        with self._read() as connection:
            return history.last_changeset(connection, project)

    def changeset_at(self, project: str, moment: str | int) -> int:
        """The last change set of a moment, as `at` of the reading methods takes it.

        Args:
            project: its id.
            moment: an RFC 3339 instant, a date (its end, in UTC), the name of a snapshot, or a number itself.

        Raises:
            NotFound: no such project.
            InvalidInput: none of these, or a number that was not given out yet.
        """
        with self._read() as connection:
            return past.changeset_at(connection, project, moment)

    def changesets(
        self,
        project: str,
        *,
        before: int | None = None,
        limit: int = 100,
        author: str | None = None,
        kind: str | None = None,
    ) -> list[Changeset]:
        """Change sets, newest first.

        Args:
            project: its id.
            before: only numbers below this one: the last number of the page before.
            limit: at most so many, up to 1000.
            author: only those of this author.
            kind: only those of this kind: `edit`, `batch`, `import`, `revert`, `schema`, `copy`.

        Raises:
            NotFound: no such project.
            InvalidInput: a limit or a kind that cannot be.
        """
        with self._read() as connection:
            return changesets.page(connection, project, before=before, limit=limit, author=author, kind=kind)

    def changesets_since(self, project: str, after: int, *, limit: int) -> list[tuple[int, Changeset]]:
        """Change sets that came to be seen after a moment, in that order, each with the number from which on it is seen.

        An import is seen when it is done, with a later number than its own if others wrote meanwhile.

        Args:
            project: its id.
            after: a number as `changes` gives it.
            limit: at most so many.

        Raises:
            NotFound: no such project.
        """
        with self._read() as connection:
            return changesets.since(connection, project, after=after, limit=limit)

    def changeset(self, project: str, number: int) -> Changeset:
        """One change set of a project; NotFound."""
        with self._read() as connection:
            return changesets.find(connection, project, number)

    def changeset_changes(self, project: str, number: int, *, after: int = 0, limit: int | None = None) -> list[Touch]:
        """What a change set did to each annotation, in order of id.

        Args:
            project: its id.
            number: of the change set.
            after: only ids above this one: the last id of the page before.
            limit: at most so many; None for all.

        Raises:
            NotFound: no such project or change set.
        """
        with self._read() as connection:
            return changesets.touched(connection, project, number, after=after, limit=limit)

    def revert(
        self,
        project: str,
        number: int,
        *,
        author: str | None = None,
        comment: str | None = None,
        skip_conflicts: bool = False,
        once: Once | None = None,
    ) -> Reverted:
        """Take a change set back by a new one: what it made goes, what it changed or deleted is as before again.

        An annotation that was changed since is a conflict, unless that was taken back, too. So is one whose earlier state
        the schema of today does not allow.

        Args:
            project: its id.
            number: of the change set.
            author: who does it.
            comment: why, in words.
            skip_conflicts: leave conflicts as they are and take back the rest; otherwise nothing is changed.
            once: makes a request that comes twice have one effect.

        Raises:
            NotFound: no such project or change set.
            Conflicts: with each of them; also when nothing but conflicts is left.
            InvalidInput: there is nothing to take back.
        """
        with self._write() as (connection, at):
            return revert.revert(
                connection,
                project,
                number,
                skip_conflicts=skip_conflicts,
                at=at,
                author=author,
                comment=comment,
                once=once,
            )

    def create_snapshot(
        self, project: str, name: str | None = None, *, author: str | None = None, note: str | None = None
    ) -> Snapshot:
        """Name the state of a project and its coverage at this moment, with a hash of all that is in it.

        Args:
            project: its id.
            name: lower-case letters, digits, '-' and '_', with a letter; numbered when None: `s1`, `s2`...
            author: who takes it.
            note: free text.

        Raises:
            NotFound: no such project.
            AlreadyExists: the name is taken.
            InvalidInput: the name cannot be one.
        """
        with self._read() as connection:
            taken = snapshots.take(connection, project, name, author=author, note=note)
        with self._write() as (connection, at):
            return snapshots.add(connection, project, taken, at=at)

    def snapshots(self, project: str) -> list[Snapshot]:
        """All snapshots of a project, oldest first; NotFound."""
        with self._read() as connection:
            return snapshots.find_all(connection, project)

    def snapshot(self, project: str, name: str) -> Snapshot:
        """The snapshot of that name; NotFound."""
        with self._read() as connection:
            return snapshots.find(connection, project, name)

    def delete_snapshot(self, project: str, name: str) -> None:
        """Forget a name; the state can still be read by the number of its change set; NotFound."""
        with self._write() as (connection, _):
            snapshots.delete(connection, project, name)

    def state(self, project: str, snapshot: str | None = None) -> tuple[Project, dict[str, Any]]:
        """A project and the number of the change set at which to read its labels: of a snapshot, or of this moment.

        Returns:
            The project with its schema then, and {name, changeset, hash}; without a snapshot, name and hash are None.

        Raises:
            NotFound: no such project or snapshot.
        """
        with self._read() as connection:
            return snapshots.state(connection, project, snapshot)

    def state_hash(self, project: str, at: int) -> str:
        """The hash that a snapshot of that change set would have, with the schema of today; NotFound."""
        with self._read() as connection:
            return snapshots.state_hash(connection, project, at)

    def diff(self, project: str, a: str | int, b: str | int, *, after: int = 0, limit: int | None = None) -> Diff:
        """What is different at `b` from what was at `a`: two moments as `changeset_at` takes them, or `now`.

        Args:
            project: its id.
            a: the one moment.
            b: the other one; it may be before `a`.
            after: only ids above this one among what is listed; the counts are of all.
            limit: at most so many listed; None for all.

        Raises:
            NotFound: no such project.
            InvalidInput: a moment that is none.
        """
        with self._read() as connection:
            return diff.diff(connection, project, a, b, after=after, limit=limit)
