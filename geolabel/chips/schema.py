"""The classes of a dataset: those of the project, renamed, joined and left out as a ChipSpec says. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from geolabel.chips.spec import ChipSpec
    from geolabel.classes import LabelClass
    from geolabel.model import Project


def dataset_schema(project: Project, spec: ChipSpec) -> tuple[Project, dict[str, int]]:
    """The project with the classes of the dataset, and the class id there by the name that an annotation has.

    A class keeps its id and colour. Several that become one have those of the class whose name they take, or of the first.

    Raises:
        InvalidSpec: a class that the project does not have, or no class is left.
    """
    renamed = dict(spec.classes)
    known = {c.name: c for c in project.classes}
    for name in renamed:
        if name not in known:
            raise InvalidSpec(
                f"classes names {name!r}, which project {project.id!r} does not have; it has: {', '.join(known)}."
            )
    became = {c.name: renamed.get(c.name, c.name) for c in project.classes}
    kept: dict[str, LabelClass] = {}
    for c in project.classes:
        target = became[c.name]
        if target is not None and target not in kept:
            # A class of that name, if it stays what it is, stands for all that join it.
            own = known[target] if target in known and became[target] == target else c
            kept[target] = replace(own, name=target)
    if project.classes and not kept:
        raise InvalidSpec("classes leaves out every class of the project; keep at least one.")
    ordered = sorted(kept.values(), key=lambda c: [k.id for k in project.classes].index(c.id))
    classes = tuple(replace(c, parent=_parent(c, became, kept)) for c in ordered)
    ids = {name: kept[target].id for name, target in became.items() if target is not None}
    return replace(project, classes=classes), ids


def _parent(c: LabelClass, became: dict[str, str | None], kept: dict[str, LabelClass]) -> str | None:
    above = became.get(c.parent) if c.parent else None
    return above if above in kept and above != c.name else None
