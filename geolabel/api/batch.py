"""`/api/collections/{project}/batch`: many edits in one request, all or nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request, Response

from geolabel.api.author import AuthorName, read_author
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.items import ContentCrs, view_of
from geolabel.api.negotiate import of_content, refuse_old_crs_member
from geolabel.api.once import IdempotencyKey, read_once, replayed
from geolabel.api.welding import MAX_WELDED, welded
from geolabel.api.wire import BodyDep, Json, Refused, bad_member
from geolabel.errors import InvalidInput, NotFound, Problem, VersionConflict
from geolabel.model import AnnotationPatch, NewAnnotation
from geolabel.store.batch import MAX_EDITS, Batch, BatchResult, Edit

if TYPE_CHECKING:
    from collections.abc import Callable

    from geolabel.api.features import View
    from geolabel.model import Annotation

router = APIRouter(
    prefix="/api/collections/{project}/batch",
    tags=["labels"],
    dependencies=[Depends(known_parameters)],
    default_response_class=Json,
)

_MEMBERS = ("create", "update", "delete")
_UPDATE = ("type", "id", "version", "geometry", "properties", "bbox", "links")
_DELETE = ("id", "version")
_MAX_COMMENT = 1000
_MAX_ID = 2**63 - 1
_SHOWN = 20


@router.post("")
def write_batch(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    body: BodyDep,
    content_crs: ContentCrs = None,
    idempotency_key: IdempotencyKey = None,
    author: AuthorName = None,
) -> Response:
    """Create, update and delete labels as one change set: all of them, or none.

    An update that names the version of a label's delete brings the label back.
    """
    who = read_author(author)
    project_ = context.store.project(project)
    edge = of_content(project_, context.base, content_crs)
    view = view_of(context, project_, edge)
    once = read_once(request, idempotency_key, body.raw)
    if once is not None and context.store.is_done(project, once):
        result = context.store.batch(project, Batch(), once=once)
    else:
        asked = _Asked(context, view, body.json())
        refuse_old_crs_member(asked.value, edge)
        result = asked.write(
            lambda edits: context.store.batch(project, edits, author=who, comment=asked.comment, once=once)
        )
    return Json(_to_json(view, result), headers={"Content-Crs": f"<{edge.uri}>", **replayed(once)})


def _to_json(view: View, result: BatchResult) -> dict[str, Any]:
    return {
        "changeset": result.changeset,
        "created": view.features(result.created),
        "updated": view.features(result.updated),
        "deleted": [{"id": annotation.id, "version": annotation.version} for annotation in result.deleted],
    }


class _Asked:
    """The body of a batch, checked as far as it can be without looking at what is there."""

    def __init__(self, context: Context, view: View, value: Any) -> None:
        if not isinstance(value, dict) or not set(value) <= {*_MEMBERS, "comment", "borders", "crs"}:
            raise bad_member("", f"A batch is an object with any of {', '.join(_MEMBERS)}, 'comment' and 'borders'")
        for name in _MEMBERS:
            if not isinstance(value.get(name, []), list):
                raise bad_member(f"/{name}", f"Expected a list, got {value[name]!r:.80}")
        self._context, self._view = context, view
        self.value = value
        self.create, self.update, self.delete = (value.get(name, []) for name in _MEMBERS)
        self.comment = value.get("comment")
        if not isinstance(self.comment, str | None) or len(self.comment or "") > _MAX_COMMENT:
            raise bad_member("/comment", f"Expected a text of at most {_MAX_COMMENT} characters")
        self._borders = value.get("borders", False)
        if not isinstance(self._borders, bool):
            raise bad_member("/borders", f"Expected true or false, got {self._borders!r:.60}")
        count = len(self.create) + len(self.update) + len(self.delete)
        if count > MAX_EDITS:
            raise Refused(
                413,
                f"A batch changes at most {MAX_EDITS:,} labels, got {count:,}: send several, or import them.",
            )
        if self._borders and count > MAX_WELDED:
            raise bad_member("/borders", f"Borders are kept for at most {MAX_WELDED:,} labels at once, got {count:,}")
        self._check_members()

    def _check_members(self) -> None:
        problems, unversioned = [], []
        for name, members in (("update", _UPDATE), ("delete", _DELETE)):
            for index, item in enumerate(getattr(self, name)):
                place = f"/{name}/{index}"
                if not isinstance(item, dict) or not set(item) <= set(members):
                    problems.append(Problem(place, f"is an object with any of {', '.join(members)}, got {item!r:.80}"))
                    continue
                wrong = [(member, _number_problem(item, member)) for member in ("id", "version")]
                problems += [Problem(f"{place}/{member}", message) for member, message in wrong if message is not None]
                if item.get("version") is None:
                    unversioned.append(Problem(f"{place}/version", "is required"))
        if problems:
            raise _refusal(problems)
        if unversioned and self._view.project.require_if_match:
            raise Refused(
                428,
                f"Project {self._view.project.id!r} wants every change to name the version that it changes: "
                f"give 'version' with each update and delete (at {unversioned[0].pointer}).",
                unversioned[:_SHOWN],
            )

    def write(self, store: Callable[[Batch], BatchResult]) -> BatchResult:
        """Apply the edits to what is there and write them.

        Each is applied to the very version that it replaces. When another write comes between and the client named no
        version, the step is repeated while nobody else writes: the last write wins.
        """
        named = {
            f"/{n}/{i}" for n in ("update", "delete") for i, item in enumerate(getattr(self, n)) if "version" in item
        }
        ids = [int(item["id"]) for item in (*self.update, *self.delete)]

        def attempt() -> BatchResult:
            return store(self._edits(self._context.store.annotations(self._view.project.id, ids)))

        try:
            try:
                return attempt()
            except VersionConflict as error:
                if any(p.pointer in named for p in error.problems):
                    raise
            with self._context.store.alone():
                return attempt()
        except VersionConflict as error:
            raise self._conflict(error) from error

    def _edits(self, current: dict[int, Annotation]) -> Batch:
        problems: list[Problem] = []

        def read(place: str, make: Callable[[], NewAnnotation]) -> NewAnnotation | None:
            try:
                return make()
            except (Refused, InvalidInput) as error:
                found = error.problems or (Problem("", str(error)),)
                problems.extend(Problem(place + p.pointer if p.pointer[:1] == "/" else place, p.message) for p in found)
                return None

        create = [
            read(f"/create/{index}", partial(self._view.create, item, self._context.source))
            for index, item in enumerate(self.create)
        ]
        update: list[Edit] = []
        for index, item in enumerate(self.update):
            id_, expected = int(item["id"]), item.get("version")
            before = current.get(id_) or self._buried(id_, expected)
            if before is None or expected not in {None, before.version}:
                update.append(Edit(id_, AnnotationPatch(), expected))  # the store says what became of it
                continue
            patch = {name: item[name] for name in ("type", "geometry", "properties") if name in item}
            new = read(f"/update/{index}", partial(self._view.patch, patch, before, partial(self._past, id_)))
            update.append(Edit(id_, new, before.version))
        if problems:
            raise _refusal(problems)
        delete = [Edit(int(item["id"]), None, item.get("version")) for item in self.delete]
        whole = Batch([new for new in create if new is not None], update, delete)
        return welded(self._context.store, self._view, whole, current) if self._borders else whole

    def _buried(self, id_: int, expected: int | None) -> Annotation | None:
        """The delete of a label, when the client names its version: the update brings the label back."""
        if expected is None:
            return None
        try:
            last = self._past(id_)[-1]
        except NotFound:
            return None
        return last if last.version == expected else None

    def _past(self, id_: int) -> list[Annotation]:
        return [change.annotation for change in self._context.store.history(self._view.project.id, id_)]

    def _id(self, place: str) -> int:
        _, name, index = place.split("/")
        return int(getattr(self, name)[int(index)]["id"])

    def _conflict(self, error: VersionConflict) -> Refused:
        """412 with what is there now of each label that somebody else has changed, and its version; null for a deleted one."""
        shown = error.problems[:_SHOWN]
        ids = [self._id(p.pointer) for p in shown]
        there = self._context.store.annotations(self._view.project.id, ids)
        features = {f["id"]: f for f in self._view.features(list(there.values()))}
        versions = {i: there[i].version if i in there else self._past(i)[-1].version for i in ids}
        current = [
            {"pointer": p.pointer, "feature": features.get(i), "version": versions[i]}
            for p, i in zip(shown, ids, strict=True)
        ]
        return Refused(412, str(error), shown, current=current)


def _number_problem(item: dict[str, Any], member: str) -> str | None:
    """Ids may come as text, as QGIS sends them; a version is a number, or left out."""
    value = item.get(member)
    if member == "version" and value is None:
        return None
    if member == "id" and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_ID:
        return f"is a whole number from 1, got {value!r:.60}"
    return None


def _refusal(problems: list[Problem]) -> Refused:
    first = problems[0]
    more = f"; {len(problems)} things are wrong" if len(problems) > 1 else ""
    return Refused(
        422, f"Nothing of the batch was saved: {first.message} (at {first.pointer}{more}).", problems[:_SHOWN]
    )
