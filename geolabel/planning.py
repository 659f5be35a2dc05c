"""A project of a workspace and a ChipSpec -> a plan: what an export, its dry run and its preview begin with."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.chips.clouds import check_clouds
from geolabel.chips.labels import gather
from geolabel.chips.planner import make_plan, plan_without_chips
from geolabel.cql import queryables, read_filter
from geolabel.errors import InvalidInput, InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from shapely.geometry.base import BaseGeometry

    from geolabel.batches import LabelBatch
    from geolabel.chips.labels import Labels
    from geolabel.chips.plan import Plan
    from geolabel.chips.spec import ChipSpec
    from geolabel.cql import Where
    from geolabel.cql.nodes import Predicate
    from geolabel.model import Project
    from geolabel.store.store import Store


@dataclass(frozen=True, slots=True)
class Planned:
    """What an export begins with.

    Attributes:
        plan: chips, annotations, splits; without chips when only map formats are asked for.
        labels: the annotations that go into the dataset.
        state: that is exported: `name`, `changeset`, `hash`.
    """

    plan: Plan
    labels: Labels
    state: dict[str, Any]


def plan_export(
    store: Store,
    project_id: str,
    spec: ChipSpec,
    *,
    snapshot: str | None = None,
    chipped: bool = True,
    progress: Callable[[float, str], None] = lambda _share, _message: None,
) -> Planned:
    """Read the annotations of a project, all of one moment, and plan its chips.

    Args:
        store: the workspace.
        project_id: slug.
        spec: how.
        snapshot: name of the snapshot to export; the present state when None.
        chipped: False when no format needs chips.
        progress: called with a share and a sentence.

    Raises:
        NotFound: no such project, snapshot or scene.
        InvalidInput: the project has no scenes.
        InvalidSpec: the spec asks for what the project or its scenes do not have, or no chip is left.
    """
    with store.one_moment():
        project, state = store.state(project_id, snapshot)
        progress(0.0, "Reading annotations")
        scenes = [store.scene(scene) for scene in project.scenes]
        masks = check_clouds(spec, scenes, {s.id: s for s in store.scenes()} if spec.cloud_mask else {})
        coverage = store.coverage(project_id, at=state["changeset"])
        with closing(_batches(store, project, state, spec)) as batches:
            labels = gather(project, batches, coverage, spec, store.folder)
    progress(0.0, "Planning")
    if not chipped:
        return Planned(plan_without_chips(project, scenes, labels, spec), labels, state)
    return Planned(make_plan(project, scenes, labels, spec, masks), labels, state)


def _batches(store: Store, project: Project, state: dict[str, Any], spec: ChipSpec) -> Generator[LabelBatch]:
    where = None if spec.filter is None else _where(project, spec.filter)
    return store.batches(project.id, at=state["changeset"], where=where)


def _placed(crs: str | None, shape: BaseGeometry, _predicate: Predicate) -> BaseGeometry:
    """A geometry of a filter, longitude and latitude, where the annotations are."""
    if crs is None or crs_.same(crs, CRS84):
        return shape
    alone = np.array([shape, None], dtype=object)[:-1]
    tolerance = 1.0 / crs_.unit_metres(crs)  # an edge across the ground bends by no more than a metre
    placed: BaseGeometry = crs_.transform_geometries(alone, CRS84, crs, tolerance=tolerance)[0]
    return placed if placed.is_valid else shapely.make_valid(placed, method="structure")


def _where(project: Project, text: str) -> Where:
    try:
        return read_filter(text, "cql2-text", queryables(project), partial(_placed, project.crs))
    except InvalidInput as error:
        raise InvalidSpec(f"filter: {error}", error.problems) from error
