"""`/api/projects`: list, make, look, change, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel import workflows
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.wire import BodyDep, Json, bad_member
from geolabel.classes import GeometryKind, make_classes
from geolabel.errors import NotFound
from geolabel.model import check_title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geolabel.classes import LabelClass
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


ClassItem = Annotated[str, Field(min_length=1, max_length=200)] | ClassBody


class NewProject(BaseModel):
    """A project to make."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=200, description="Its title; `title` means the same.")
    title: str | None = Field(None, min_length=1, max_length=200)
    scenes: list[str] = Field(min_length=1, description="Ids; the first gives the CRS unless `crs` does.")
    classes: list[ClassItem] = Field(min_length=1, max_length=65_534)
    crs: str | None = Field(None, description="CRS that the labels are kept in: EPSG:n.")


class ProjectPatch(BaseModel):
    """What is to change; the rest stays."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(default_factory=str, min_length=1, max_length=200)
    classes: list[ClassItem] = Field(default_factory=list, min_length=1, max_length=65_534)
    scenes: list[str] = []
    unlabelled: Literal["background", "ignore"] = "background"
    on_invalid: Literal["reject", "repair", "skip"] = "reject"


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
        context.store, title, scenes=_scenes(context, new.scenes), classes=_class_values(new.classes), crs=new.crs
    )
    return Json(_to_json(context, project), 201, {"Location": context.url(f"/api/projects/{project.id}")})


@router.get("/{project}")
def get_project(context: ContextDep, project: str) -> Response:
    """One project."""
    return Json(_to_json(context, context.store.project(project)))


@router.patch("/{project}")
def update_project(context: ContextDep, project: str, body: BodyDep) -> Response:
    """Change title, classes, scenes, what unlabelled ground means, or what happens to invalid shapes."""
    patch = body.model(ProjectPatch)
    sent = {name: getattr(patch, name) for name in patch.model_fields_set}
    if "title" in sent:
        sent["title"] = check_title(patch.title)
    if "classes" in sent:
        sent["classes"] = _classes(patch.classes)
    if "scenes" in sent:
        sent["scenes"] = _scenes(context, patch.scenes)
    changed = context.store.change_project(project, lambda current: replace(current, **sent))
    return Json(_to_json(context, changed))


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


def _class_values(classes: list[ClassItem]) -> list[str | Mapping[str, Any]]:
    return [c if isinstance(c, str) else c.model_dump(exclude_none=True) for c in classes]


def _classes(classes: list[ClassItem]) -> tuple[LabelClass, ...]:
    return make_classes(_class_values(classes))
