"""Use cases of projects and workspaces: make, change, copy."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from geolabel.attributes import make_attributes
from geolabel.classes import make_classes
from geolabel.errors import InvalidInput
from geolabel.geo import crs as crs_
from geolabel.mapping import SchemaMapping, read_mapping
from geolabel.model import NAMELESS, Project, check_title, slugify
from geolabel.store import copying, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

    from geolabel.model import Scene
    from geolabel.store.copying import CopyReport
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]


PIXEL_CRS = "pixel"
"""Asked for as a project's CRS: labels are pixels of its one scene."""


def free_slug(slug: str, taken: Container[str]) -> str:
    """The slug itself, or with the first free number behind it."""
    if slug not in taken:
        return slug
    return next(name for n in count(2) if (name := f"{slug[:58]}-{n}") not in taken)


def create_project(
    store: Store,
    title: str,
    *,
    scenes: Sequence[str],
    classes: Sequence[str | Mapping[str, Any]],
    crs: str | None = None,
    attributes: Sequence[str | Mapping[str, Any]] = (),
    guidelines: str = "",
    **settings: Any,
) -> Project:
    """Make a project.

    Args:
        store: the workspace.
        title: as people read it; the slug comes from it, or is numbered when the title has no Latin letter or digit.
        scenes: ids of registered scenes.
        classes: names, or partial class objects (see `classes.make_classes`).
        crs: storage CRS of the labels: a code or WKT, on the Earth or off it; `pixel` for pixels of a scene that has no
            place on any map; that of the first scene when None or `auto`.
        attributes: names (of texts), or partial attribute objects (see `attributes.make_attributes`).
        guidelines: how to label, in Markdown.
        settings: `unlabelled`, `on_invalid`, `require_if_match`; those that are None or not named are as `Project` has them.

    Raises:
        InvalidInput: no scene to take the CRS from, a CRS, a class or a setting that cannot be.
        NotFound: a scene that is not registered.
    """
    found = [store.scene(scene) for scene in scenes]
    if crs == PIXEL_CRS:
        storage: str | None = None
    elif crs and crs != "auto":
        storage = crs_.normalise(crs)
    elif found:
        storage = found[0].grid.crs
    else:
        raise InvalidInput(
            f"Project {title!r} has no scene to take its CRS from; name a scene, or a CRS such as EPSG:32633.",
        )
    check_ground(title, storage, found)
    slug = slugify(check_title(title))
    if slug == NAMELESS:
        slug = free_slug(slug, {p.id for p in store.projects()})
    return store.create_project(
        Project(
            slug,
            check_title(title),
            storage,
            make_classes(classes),
            tuple(s.id for s in found),
            attributes=make_attributes(attributes),
            guidelines=guidelines,
            **{name: value for name, value in settings.items() if value is not None},
        ),
    )


def update_project(
    store: Store,
    project_id: str,
    *,
    title: str | None = None,
    classes: Sequence[str | Mapping[str, Any]] | None = None,
    attributes: Sequence[str | Mapping[str, Any]] | None = None,
    mapping: SchemaMapping | Mapping[str, Any] | None = None,
    author: str | None = None,
    **settings: Any,
) -> Project:
    """Change a project; what is None or not named stays.

    Args:
        store: the workspace.
        project_id: slug.
        title: as people read it.
        classes: the whole list; a class of the schema so far keeps what is not given anew.
        attributes: the whole list; likewise.
        mapping: what becomes of labels that would not fit (see `mapping.read_mapping`). Where no new classes or attributes
            are given, they follow from it.
        author: who does it.
        settings: `scenes`, `unlabelled`, `on_invalid`, `guidelines`, `require_if_match`.

    Raises:
        NotFound: no such project or scene.
        InvalidInput: labels would not fit the new schema, with their numbers; nothing was changed.
    """
    follow = mapping if isinstance(mapping, SchemaMapping) else read_mapping(mapping or {})
    given = {name: value for name, value in settings.items() if value is not None}

    def change(now: Project) -> Project:
        follow.check(now.classes, now.attributes)
        its_classes, its_attributes = follow.renamed(now.classes, now.attributes)
        return replace(
            now,
            **given,
            title=now.title if title is None else check_title(title),
            classes=its_classes if classes is None else make_classes(classes, its_classes),
            attributes=its_attributes if attributes is None else make_attributes(attributes, its_attributes),
        )

    return store.change_project(project_id, change, mapping=follow, author=author)


def check_ground(title: str, crs: str | None, scenes: Sequence[Scene]) -> None:
    """Refuse scenes that the labels of a project cannot lie on.

    Raises:
        InvalidInput: a scene on another celestial body, or with no place on any; two scenes for labels that are pixels.
    """
    storage = crs or crs_.PIXELS
    for scene in scenes:
        own = scene.grid.crs or crs_.PIXELS
        if not crs_.same(own, storage) and not crs_.one_body(own, storage):
            raise InvalidInput(
                f"Scene {scene.id!r} is in {crs_.label(own)} and the labels of {title!r} rest in {crs_.label(storage)}: "
                "nothing leads from one to the other. Make a project of its own for it.",
            )
    if crs is None and len(scenes) > 1:
        raise InvalidInput(
            f"The labels of {title!r} are pixels of one scene, got {len(scenes)} scenes without a place on a map. "
            "Make a project for each.",
        )


def copy_workspace(source: str | Path, target: str | Path, *, progress: Progress | None = None) -> CopyReport:
    """Copy a whole workspace, whichever databases the two are in.

    Args:
        source: folder or URL of a workspace; people may go on working in it.
        target: the same of an empty one, or of one that is not there yet.
        progress: called with a share and a sentence.

    Raises:
        NotFound: no workspace at `source`.
        AlreadyExists: the target holds something.
        StoreFailed: the copy is not equal to the original, and is not kept.
    """
    with open_store(source) as origin, open_store(target, create=True) as copy:
        return copying.copy_workspace(origin, copy, progress=progress)
