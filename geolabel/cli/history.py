"""`geolabel history`, `geolabel revert`, `geolabel snapshot ...`: what was changed, taken back, and kept under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import out, say, show_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geolabel.changes import Changeset, Snapshot
    from geolabel.store.store import Store

commands = typer.Typer(help="Keep states of a project under a name, and compare them.", no_args_is_help=True)
app.add_typer(commands, name="snapshot")


@app.command()
def history(
    project: str,
    annotation: Annotated[int | None, typer.Argument(metavar="[ID]", help="Of one annotation; of all without.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many change sets.")] = 20,
    before: Annotated[int | None, typer.Option("--before", help="Only change sets of lower numbers.")] = None,
    author: Annotated[str | None, typer.Option("--author", help="Only of this author.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="edit, batch, import, revert, schema or copy.")] = None,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """List a project's change sets, newest first, or every state of one annotation."""
    with open_workspace(workspace) as store:
        if annotation is not None:
            _show_steps(store, project, annotation, as_json=as_json)
            return
        found = store.changesets(project, before=before, limit=limit, author=author, kind=kind)
    if as_json:
        show_json({"changesets": [changeset.to_json() for changeset in found]})
    elif not found:
        say(f"Nothing was written to project {project} yet, or nothing of that kind.")
    else:
        _show_changesets(found)


def _show_changesets(found: Sequence[Changeset]) -> None:
    table = Table(
        "number", "time (UTC)", "kind", "author", "made", "changed", "deleted", "comment", box=None, pad_edge=False
    )
    for c in found:
        kind = c.kind if c.reverts is None else f"revert of {c.reverts}"
        counts = map(str, (c.created, c.updated, c.deleted))
        table.add_row(str(c.number), _clock(c.at), kind, escape(c.author or "-"), *counts, escape(c.comment or ""))
    out.print(table)


def _clock(at: str) -> str:
    """A time for people: UTC, to the second."""
    return at[:19].replace("T", " ")


def _show_steps(store: Store, project: str, annotation: int, *, as_json: bool) -> None:
    changes = store.history(project, annotation)
    if as_json:
        steps = [
            {
                "operation": change.operation,
                "version": change.annotation.version,
                "changeset": change.changeset,
                "kind": change.kind,
                "comment": change.comment,
                "at": change.at,
                "author": change.author,
                "class": change.annotation.class_name,
                "status": change.annotation.status.value,
                "geometry": change.annotation.geometry.wkt,
            }
            for change in changes
        ]
        show_json({"history": steps})
        return
    names = ("version", "change set", "time (UTC)", "what", "author", "class", "status", "comment")
    table = Table(*names, box=None, pad_edge=False)
    for change in changes:
        state = change.annotation
        what = change.operation if change.kind == "edit" else f"{change.operation} ({change.kind})"
        who, why = escape(change.author or "-"), escape(change.comment or "")
        place = (str(state.version), str(change.changeset), _clock(change.at), what, who)
        table.add_row(*place, escape(state.class_name), state.status.value, why)
    out.print(table)


@app.command()
def revert(
    project: str,
    changeset: Annotated[int, typer.Argument(metavar="N", help="Number of a change set (see `geolabel history`).")],
    comment: Annotated[str | None, typer.Option("--comment", help="Why.")] = None,
    skip_conflicts: Annotated[
        bool, typer.Option("--skip-conflicts", help="Leave what was changed since, and take back the rest.")
    ] = False,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Take a change set back by a new one: nothing is lost, and the revert can be taken back, too."""
    with open_workspace(workspace) as store:
        done = store.revert(project, changeset, comment=comment, skip_conflicts=skip_conflicts)
    made = done.changeset
    if as_json:
        conflicts = [
            {"id": c.id, "version": c.version, "deleted": c.deleted, "reason": c.reason} for c in done.conflicts
        ]
        rest = {"unchanged": done.unchanged, "lostAttributes": dict(done.lost)}
        show_json({**made.to_json(), "conflicts": conflicts, **rest})
        return
    say(
        f"Took back change set {changeset} by change set {made.number}: {made.updated} annotations are as before it "
        f"again, {made.deleted} that it made are deleted."
    )
    for conflict in done.conflicts[:10]:
        say(f"  annotation {conflict.id} stays: it {conflict.reason}")
    if len(done.conflicts) > 10:
        say(f"  ... and {len(done.conflicts) - 10} more stay")
    for name, count in done.lost.items():
        say(f"  {count} came back without {name!r}, which the project does not have any more")


@commands.command("create")
def snapshot_create(
    project: str,
    name: Annotated[
        str | None, typer.Argument(help="Lower-case letters, digits, - and _; numbered when not given.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="Free text.")] = None,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Give the present state of a project a name and a hash, to export it again at any time."""
    with open_workspace(workspace) as store:
        made = store.create_snapshot(project, name, note=note)
    if as_json:
        show_json(made.to_json())
        return
    say(f"Snapshot {made.name} of {project}: {made.count} annotations at change set {made.changeset}.")
    say(f"  SHA-256 {made.hash}")


@commands.command("list")
def snapshot_list(project: str, workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """List the snapshots of a project, oldest first."""
    with open_workspace(workspace) as store:
        found = store.snapshots(project)
    if as_json:
        show_json({"snapshots": [snapshot.to_json() for snapshot in found]})
    elif not found:
        say(f"No snapshots yet. Take one with: geolabel snapshot create {project} NAME")
    else:
        _show_snapshots(found)


def _show_snapshots(found: Sequence[Snapshot]) -> None:
    table = Table("name", "time (UTC)", "change set", "labels", "hash", "author", "note", box=None, pad_edge=False)
    for s in found:
        place = (s.name, _clock(s.at), str(s.changeset), str(s.count), s.hash[:12])
        table.add_row(*place, escape(s.author or "-"), escape(s.note or ""))
    out.print(table)


@commands.command("diff")
def snapshot_diff(
    project: str,
    a: Annotated[str, typer.Argument(metavar="A", help="A snapshot, a change set's number, or a time.")],
    b: Annotated[str, typer.Argument(metavar="[B]", help="The same, or now.")] = "now",
    limit: Annotated[int, typer.Option("--limit", min=0, help="Annotations listed, at most.")] = 20,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Say what was added, changed and deleted from one moment to another."""
    with open_workspace(workspace) as store:
        found = store.diff(project, a, b, limit=limit)
    if as_json:
        show_json({**found.to_json(), "entries": [entry.to_json() for entry in found.entries]})
        return
    say(
        f"From change set {found.a} to {found.b}: {found.added} added, {found.changed} changed, {found.deleted} deleted."
    )
    for entry in found.entries:
        state = entry.after or entry.before
        assert state is not None
        what = f": {', '.join(entry.what)}" if entry.what else ""
        say(f"  {entry.change:8} {entry.id:>8}  {state.class_name}{what}")
    rest = found.added + found.changed + found.deleted - len(found.entries)
    if rest:
        say(f"  ... and {rest} more")


@commands.command("delete")
def snapshot_delete(project: str, name: str, workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """Forget the name of a snapshot; the labels and their past stay."""
    with open_workspace(workspace) as store:
        store.delete_snapshot(project, name)
    if as_json:
        show_json({"deleted": name})
    else:
        say(f"Snapshot {name} of {project} is forgotten; its labels can still be read by the number of its change set.")
