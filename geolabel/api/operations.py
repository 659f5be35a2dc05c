"""`/api/collections/{project}/operations/...`: exact geometry, worked out on the stored doubles. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.items import ContentCrs, view_of
from geolabel.api.negotiate import media_type, of_content
from geolabel.api.properties import SERVER_OWNED
from geolabel.api.shapes import read_shape
from geolabel.api.wire import BodyDep, GeoJson, Refused, bad_member
from geolabel.errors import InvalidGeometry, InvalidInput, NotFound, Problem
from geolabel.geo import crs as crs_
from geolabel.geo import overlay
from geolabel.geo.borders import SAME_M, new_vertices, with_vertices
from geolabel.geo.geometry import kind_of
from geolabel.geo.places import ground_of
from geolabel.geo.tolerance import tolerance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shapely.geometry.base import BaseGeometry

    from geolabel.api.features import View
    from geolabel.model import Annotation

router = APIRouter(
    prefix="/api/collections/{project}/operations",
    tags=["labels"],
    dependencies=[Depends(known_parameters)],
    default_response_class=GeoJson,
)

OperationName = Literal["split", "merge", "union", "subtract", "clip", "simplify", "buffer", "repair"]
MAX_LABELS = 1000
_MAX_NEIGHBOURS = 1000
_MAX_DISTANCE_M = 100_000.0


class Operation(BaseModel):
    """Labels, and what they are worked on with."""

    model_config = ConfigDict(extra="forbid")

    ids: list[int] = Field([], max_length=MAX_LABELS, description="Labels that are worked on, as they are stored.")
    features: list[dict[str, Any]] = Field(
        [],
        max_length=MAX_LABELS,
        description="Labels that are worked on, as they are here; with an `id`, vertices that were not touched are the stored ones.",
    )
    other_ids: list[int] = Field(
        [],
        max_length=MAX_LABELS,
        description="`union`, `subtract`, `clip`: labels to work with; they stay as they are.",
    )
    geometry: dict[str, Any] | None = Field(
        None, description="A line to `split` by, or an outline to `union`, `subtract` or `clip` with."
    )
    scene: str | None = Field(None, description="`clip`: the scene outside of which nothing is to be left.")
    tolerance: float | None = Field(
        None, ge=1e-6, description="`simplify`: in metres; half a pixel of the finest scene when not sent."
    )
    distance: float | None = Field(
        None,
        ge=-_MAX_DISTANCE_M,
        le=_MAX_DISTANCE_M,
        description="`buffer`: in metres on the ground; inwards when negative.",
    )
    borders: bool = Field(
        True, description="Whether neighbours get the vertices that come to lie on their edges, so that no gap opens."
    )


@dataclass(frozen=True, slots=True)
class _Subject:
    """A label that is worked on.

    Attributes:
        shape: in the storage CRS.
        properties: as a feature has them.
        id: None for one that was never stored.
    """

    shape: BaseGeometry
    properties: dict[str, Any]
    id: int | None

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.properties.get('class', 'The label')} #{self.id}" if self.id else "The label"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What an operation makes: of each subject its shapes, the first of which stays the subject; and who is gone."""

    shapes: list[tuple[_Subject, list[BaseGeometry]]]
    gone: tuple[_Subject, ...] = ()


@router.post("/{operation}")
def operate(
    *,
    context: ContextDep,
    project: str,
    operation: Annotated[str, Path(description=f"One of {', '.join(get_args(OperationName))}.")],
    body: BodyDep,
    content_crs: ContentCrs = None,
) -> Response:
    """Work on labels and answer with what they would be; save it with a batch.

    Features with an `id` are labels that change; those without are new, made `from` one of them. `deleted` are ids that
    the others have taken in, `neighbours` are labels that only got a vertex on their border.
    """
    if operation not in _OPERATIONS:
        raise NotFound(f"There is no operation {operation!r:.60}; expected one of {', '.join(_OPERATIONS)}.")
    asked = body.model(Operation)
    project_ = context.store.project(project)
    edge = of_content(project_, context.base, content_crs)
    with context.store.one_moment():
        work = _Work(context, view_of(context, project_, edge), asked, mends=operation == "repair")
        outcome = _OPERATIONS[operation](work)
        answer = work.answer(outcome)
    return GeoJson(answer, headers={"Content-Crs": f"<{edge.uri}>"}, media_type=media_type(project_))


class _Work:
    """The inputs of an operation, read."""

    def __init__(self, context: Context, view: View, asked: Operation, *, mends: bool) -> None:
        self.asked, self.view = asked, view
        self._context, self._mends = context, mends
        self.subjects = [
            *map(self._stored, self._annotations(asked.ids, "/ids")),
            *(self._sent(value, f"/features/{index}") for index, value in enumerate(asked.features)),
        ]
        if not self.subjects:
            raise bad_member("/ids", "Name the labels to work on, in `ids` or `features`")
        self.same = SAME_M / crs_.unit_metres(view.storage)

    def _annotations(self, ids: Sequence[int], pointer: str) -> list[Annotation]:
        if not ids:
            return []
        found = self._context.store.annotations(self.view.project.id, ids)
        gone = [i for i in ids if i not in found]
        if gone:
            message = f"there is no label {gone[0]} in project {self.view.project.id}"
            raise Refused(
                404,
                f"The labels cannot be worked on: {message}.",
                [Problem(f"{pointer}/{ids.index(gone[0])}", message)],
            )
        return [found[i] for i in dict.fromkeys(ids)]

    def _stored(self, annotation: Annotation) -> _Subject:
        [feature] = self.view.features([annotation])
        return _Subject(annotation.geometry, feature["properties"], annotation.id)

    def _sent(self, value: dict[str, Any], pointer: str) -> _Subject:
        id_ = value.get("id")
        if id_ is not None and (isinstance(id_, bool) or not isinstance(id_, int)):
            raise bad_member(f"{pointer}/id", f"The id of a label is a whole number, got {id_!r:.60}")
        properties = value.get("properties") or {}
        if not isinstance(properties, dict):
            raise bad_member(f"{pointer}/properties", "Expected an object")
        current = self._annotations([id_], f"{pointer}/id")[0] if id_ is not None else None
        shape = self._shape(value.get("geometry"), current.geometry if current else None, f"{pointer}/geometry")
        return _Subject(shape, properties, id_)

    def _shape(self, value: Any, current: BaseGeometry | None, pointer: str) -> BaseGeometry:
        try:
            shape, _ = read_shape(
                value,
                current,
                edge=self.view.edge,
                storage=self.view.storage,
                scenes=self.view.scenes,
                policy="repair" if self._mends else "reject",
                max_vertices=self.view.max_vertices,
            )
        except InvalidInput as error:
            problems = [Problem(p.pointer.replace("/geometry", pointer, 1), p.message) for p in error.problems]
            raise InvalidGeometry(str(error), problems) from error
        return shape

    def blade(self) -> BaseGeometry:
        """The line to cut by."""
        if self.asked.geometry is None:
            raise bad_member("/geometry", "Give the line to split by, a LineString")
        line = self._shape(self.asked.geometry, None, "/geometry")
        if kind_of(line) != "line":
            raise bad_member("/geometry/type", f"A label is split by a line, got {line.geom_type}")
        return line

    def others(self) -> list[BaseGeometry]:
        """The shapes to work with."""
        shapes = [annotation.geometry for annotation in self._annotations(self.asked.other_ids, "/other_ids")]
        if self.asked.geometry is not None:
            shapes.append(self._shape(self.asked.geometry, None, "/geometry"))
        if self.asked.scene is not None:
            scene = next((scene for scene in self.view.scenes if scene.id == self.asked.scene), None)
            if scene is None:
                raise bad_member("/scene", f"The project has no scene {self.asked.scene!r:.80}")
            shapes.append(ground_of([scene], self.view.storage).outline)
        if not shapes:
            raise bad_member("/other_ids", "Name what to work with, in `other_ids`, `geometry` or `scene`")
        return shapes

    def each(self, make: Callable[[BaseGeometry], BaseGeometry]) -> _Outcome:
        """Make one shape of each subject."""
        made: list[tuple[_Subject, list[BaseGeometry]]] = []
        for index, subject in enumerate(self.subjects):
            try:
                made.append((subject, [make(subject.shape)]))
            except InvalidGeometry as error:
                raise self.refusal(index, str(error)) from error
        return _Outcome(made)

    def refusal(self, index: int, sentence: str) -> InvalidGeometry:
        """A refusal that names the subject and points at it."""
        ids = self.asked.ids
        pointer = f"/ids/{index}" if index < len(ids) else f"/features/{index - len(ids)}"
        return InvalidGeometry(f"{self.subjects[index].name} stays as it is. {sentence}", [Problem(pointer, sentence)])

    def answer(self, outcome: _Outcome) -> dict[str, Any]:
        """The body of the answer."""
        features = []
        for subject, shapes in outcome.shapes:
            for position, (geometry, area) in enumerate(zip(*self.view.shapes(_array(shapes)), strict=True)):
                properties = subject.properties if area is None else {**subject.properties, "area_m2": area}
                feature: dict[str, Any] = {"type": "Feature", "geometry": geometry, "properties": properties}
                if position > 0:
                    feature["from"] = subject.id
                    feature["properties"] = {name: v for name, v in properties.items() if name not in SERVER_OWNED}
                elif subject.id:
                    feature["id"] = subject.id
                features.append(feature)
        return {
            "type": "FeatureCollection",
            "features": features,
            "neighbours": self._neighbours(outcome) if self.asked.borders else [],
            "deleted": [subject.id for subject in outcome.gone if subject.id],
        }

    def _neighbours(self, outcome: _Outcome) -> list[dict[str, Any]]:
        """The labels on whose edges new vertices lie, with these vertices."""
        made = _array([shape for _, shapes in outcome.shapes for shape in shapes])
        places = new_vertices(made, _array([subject.shape for subject in self.subjects]))
        if len(places) == 0:
            return []
        (west, south), (east, north) = places.min(axis=0), places.max(axis=0)
        box = (west - self.same, south - self.same, east + self.same, north + self.same)
        ours = {subject.id for subject in self.subjects}
        near = self._context.store.query(self.view.project.id, bbox=box, limit=_MAX_NEIGHBOURS + len(ours))
        changed: list[tuple[_Subject, BaseGeometry]] = []
        for annotation in near:
            shape = (
                annotation.geometry if annotation.id in ours else with_vertices(annotation.geometry, places, self.same)
            )
            if shape is not annotation.geometry:
                changed.append((self._stored(annotation), shape))
        geometries, _ = self.view.shapes(_array([shape for _, shape in changed]))
        return [
            {"type": "Feature", "id": subject.id, "geometry": geometry, "properties": subject.properties}
            for (subject, _), geometry in zip(changed, geometries, strict=True)
        ]


def _split(work: _Work) -> _Outcome:
    blade = work.blade()
    made = [(subject, overlay.split(subject.shape, blade, work.same)) for subject in work.subjects]
    if all(len(pieces) == 1 for _, pieces in made):
        names = work.subjects[0].name if len(made) == 1 else "any of the labels"
        sentence = f"The line does not cut {names} in two: draw it right across, from outside to outside."
        raise InvalidGeometry(sentence, [Problem("/geometry", sentence)])
    return _Outcome(made)


def _merge(work: _Work) -> _Outcome:
    if len(work.subjects) < 2:
        raise bad_member("/ids", "Name at least two labels to merge")
    first, *rest = work.subjects
    return _Outcome([(first, [overlay.merge([s.shape for s in work.subjects], work.same)])], tuple(rest))


def _union(work: _Work) -> _Outcome:
    others = work.others()
    return work.each(lambda shape: overlay.merge([shape, *others], work.same))


def _subtract(work: _Work) -> _Outcome:
    others = work.others()
    return work.each(lambda shape: overlay.subtract(shape, others))


def _clip(work: _Work) -> _Outcome:
    others = work.others()
    return work.each(lambda shape: overlay.clip(shape, others))


def _simplify(work: _Work) -> _Outcome:
    shapes = [subject.shape for subject in work.subjects]
    metres = work.asked.tolerance or tolerance_of(work.view.scenes).pixel / 2
    units = float(overlay.units_per_metre(shapes[0], work.view.storage).mean())
    made = overlay.simplify(shapes, metres * units)
    return _Outcome([(subject, [shape]) for subject, shape in zip(work.subjects, made, strict=True)])


def _buffer(work: _Work) -> _Outcome:
    distance = work.asked.distance
    if not distance:
        raise bad_member("/distance", "Give the distance in metres; one that is not 0")
    return work.each(lambda shape: overlay.buffer(shape, distance, work.view.storage))


def _repair(work: _Work) -> _Outcome:
    return work.each(lambda shape: shape)  # it was mended when it was read


_OPERATIONS: dict[str, Callable[[_Work], _Outcome]] = {
    "split": _split,
    "merge": _merge,
    "union": _union,
    "subtract": _subtract,
    "clip": _clip,
    "simplify": _simplify,
    "buffer": _buffer,
    "repair": _repair,
}


def _array(shapes: Sequence[BaseGeometry]) -> np.ndarray[Any, np.dtype[np.object_]]:
    return np.array([*shapes, None], dtype=object)[:-1]
