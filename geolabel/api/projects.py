"""`/api/projects`: list, make, look, change, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel import workflows
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.wire import BodyDep, Json, bad_member
from geolabel.classes import GeometryKind
from geolabel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geolabel.model import Project

router = APIRouter(
    prefix="/api/projects", tags=["projects"], dependencies=[Depends(known_parameters)], default_response_class=Json
)


class ClassBody(BaseModel):
    """A class of the schema; what is left out is given out in order."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    id: int | None = None
    color: str | None = Field(None, description="#rrggbb")
    hotkey: str | None = None
    parent: str | None = None
    kind: Literal["thing", "stuff"] | None = None
    geometries: list[GeometryKind] | None = None
    priority: int | None = None
    description: str | None = Field(None, max_length=10_000)


class AttributeBody(BaseModel):
    """An attribute of the schema: a typed value that labels carry beside their class."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=58)
    kind: Literal["enum", "number", "text", "boolean"] | None = None
    required: bool | None = None
    values: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(None, max_length=10_000)
    minimum: float | None = None
    maximum: float | None = None
    classes: list[str] | None = Field(None, description="Whose labels carry it; all when empty.")
    title: str | None = Field(None, max_length=200)
    description: str | None = Field(None, max_length=10_000)


ClassItem = Annotated[str, Field(min_length=1, max_length=200)] | ClassBody
AttributeItem = Annotated[str, Field(min_length=1, max_length=58)] | AttributeBody

_MAX_GUIDELINES = 1_000_000


class NewProject(BaseModel):
    """A project to make."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=200, description="Its title; `title` means the same.")
    title: str | None = Field(None, min_length=1, max_length=200)
    scenes: list[str] = Field(
        default_factory=list, description="Ids; the first gives the CRS unless `crs` does. None of them needs a `crs`."
    )
    classes: list[ClassItem] = Field(min_length=1, max_length=65_534)
    crs: str | None = Field(None, description="CRS that the labels are kept in: EPSG:n, another code, or WKT.")
    attributes: list[AttributeItem] = Field(default_factory=list, max_length=200)
    guidelines: str = Field("", max_length=_MAX_GUIDELINES, description="How to label, in Markdown.")
    unlabelled: Literal["background", "ignore"] = "background"
    on_invalid: Literal["reject", "repair", "skip"] = "reject"
    require_if_match: bool = Field(False, description="Whether a change must name the version that it changes.")


class ProjectPatch(BaseModel):
    """What is to change; the rest stays."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(default_factory=str, min_length=1, max_length=200)
    classes: list[ClassItem] = Field(default_factory=list, min_length=1, max_length=65_534)
    scenes: list[str] = []
    unlabelled: Literal["background", "ignore"] = "background"
    on_invalid: Literal["reject", "repair", "skip"] = "reject"
    attributes: list[AttributeItem] = Field(default_factory=list, max_length=200)
    guidelines: str = Field("", max_length=_MAX_GUIDELINES, description="How to label, in Markdown.")
    require_if_match: bool = Field(False, description="Whether a change must name the version that it changes.")
    mapping: dict[str, Any] = Field(
        default_factory=dict,
        description="What becomes of labels when the schema changes: `classes`, `attributes`, `values`, `fill`.",
    )


@router.get("")
def list_projects(context: ContextDep) -> Response:
    """All projects, with the number of labels of each class."""
    return Json({"projects": [_to_json(context, project) for project in context.store.projects()]})


@router.post("", status_code=201)
def create_project(context: ContextDep, body: BodyDep) -> Response:
    """Make a project; its id is made from its title."""
    new = body.model(NewProject)
    title = new.title or new.name
    if title is None or (new.title and new.name and new.title != new.name):
        raise bad_member("/title", "Expected a 'title' (or a 'name'), one of them")
    project = workflows.create_project(
        context.store,
        title,
        scenes=_scenes(context, new.scenes),
        classes=_values(new.classes),
        crs=new.crs,
        attributes=_values(new.attributes),
        guidelines=new.guidelines,
        unlabelled=new.unlabelled,
        on_invalid=new.on_invalid,
        require_if_match=new.require_if_match,
    )
    return Json(_to_json(context, project), 201, {"Location": context.url(f"/api/projects/{project.id}")})


@router.get("/{project}")
def get_project(context: ContextDep, project: str) -> Response:
    """One project."""
    return Json(_to_json(context, context.store.project(project)))


@router.patch("/{project}")
def update_project(context: ContextDep, project: str, body: BodyDep) -> Response:
    """Change title, schema, scenes and policies; a `mapping` says what becomes of labels that would not fit."""
    patch = body.model(ProjectPatch)
    sent = {name: getattr(patch, name) for name in patch.model_fields_set}
    for name in ("classes", "attributes"):
        if name in sent:
            sent[name] = _values(sent[name])
    if "scenes" in sent:
        sent["scenes"] = _scenes(context, patch.scenes)
    return Json(_to_json(context, workflows.update_project(context.store, project, **sent)))


@router.delete("/{project}", status_code=204)
def delete_project(context: ContextDep, project: str) -> Response:
    """Delete a project with all its labels and their history. There is no way back."""
    context.store.delete_project(project)
    return Response(status_code=204)


def _scenes(context: Context, given: list[str]) -> tuple[str, ...]:
    for index, scene in enumerate(given):
        try:
            context.store.scene(scene)
        except NotFound as error:
            raise bad_member(f"/scenes/{index}", str(error)) from error
    return tuple(dict.fromkeys(given))


def _to_json(context: Context, project: Project) -> dict[str, Any]:
    return {**project.to_json(), "counts": context.store.counts(project.id)}


def _values(items: Sequence[str | BaseModel]) -> list[str | Mapping[str, Any]]:
    return [item if isinstance(item, str) else item.model_dump(exclude_unset=True) for item in items]
