"""What comes in: labels of a file against a project. Which class, which shape, which place; every refusal is a sentence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.errors import InvalidInput, Problem, UnknownClass
from geolabel.geo import crs as crs_
from geolabel.geo.geometry import kind_of, swap_axes
from geolabel.geo.places import ground_of
from geolabel.geo.tolerance import tolerance_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.formats.base import LabelFile
    from geolabel.model import Project, Scene


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file of labels.

    Attributes:
        file: its name.
        read: features in it.
        imported: annotations made.
        ids: first and last id given; None when nothing was imported.
        by_class: annotations made, by class name.
        repaired: shapes changed to become valid.
        skipped: features left out because their shape could not be used.
        outside: imported although they touch no scene of the project.
        dropped_columns: columns that the project has no place for.
        problems: one sentence per shape repaired or skipped.
    """

    file: str
    read: int
    imported: int
    ids: tuple[int, int] | None
    by_class: dict[str, int]
    repaired: int
    skipped: int
    outside: int
    dropped_columns: tuple[str, ...]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give."""
        return {
            **{
                name: getattr(self, name)
                for name in ("file", "read", "imported", "by_class", "repaired", "skipped", "outside")
            },
            "ids": list(self.ids) if self.ids else None,
            "dropped_columns": list(self.dropped_columns),
            "problems": [{"pointer": p.pointer, "message": p.message} for p in self.problems],
        }


def class_names(
    project: Project, labels: LabelFile, class_field: str | None, class_name: str | None
) -> tuple[NDArray[np.object_], str | None]:
    """The class of each feature, and the column that said so."""
    if class_field and class_name:
        raise InvalidInput("The class comes from a column or is one for all; got both a class field and a class.")
    if class_name:
        project.class_named(class_name)
        return np.full(len(labels.geometries), class_name, dtype=object), None
    columns = ", ".join(labels.columns) or "no columns"
    if class_field is None:
        if "class" not in labels.columns:
            raise InvalidInput(
                f"Nothing says which class the features of {labels.name} are. Name the column with --class-field, or one class for all with --class; "
                f"it has {columns}.",
            )
        class_field = "class"
    if class_field not in labels.columns:
        raise InvalidInput(f"{labels.name} has no column {class_field!r}; it has {columns}.")
    names = np.array([_text(value) for value in labels.columns[class_field]], dtype=object)
    known = {c.name for c in project.classes}
    unknown = Counter(str(n) if n is not None else "(empty)" for n in names if n not in known)
    if unknown:
        listed = ", ".join(f"{name!r} ({times})" for name, times in unknown.most_common(8))
        raise UnknownClass(
            f"{labels.name} has classes that project {project.id!r} does not have: {listed}{' and others' if len(unknown) > 8 else ''}. "
            f"It has: {', '.join(sorted(known))}. Add them to the project, or import with --class.",
            [
                Problem(f"feature {labels.feature_ids[i]}", f"class {n!r}")
                for i, n in enumerate(names)
                if n not in known
            ],
        )
    return names, class_field


def _text(value: Any) -> str | None:
    """A cell as a class name: 3.0 is '3'."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return None
    return str(int(value)) if isinstance(value, float | np.floating) and value.is_integer() else str(value)


def notes(labels: LabelFile) -> NDArray[np.object_]:
    """The free text of each feature, from a column `note`; None where there is none."""
    if "note" not in labels.columns:
        return np.full(len(labels.geometries), None, dtype=object)
    return np.array([_text(value) or None for value in labels.columns["note"]], dtype=object)


def check_kinds(
    project: Project, geometries: NDArray[np.object_], names: NDArray[np.object_], ids: NDArray[np.object_]
) -> None:
    """Refuse shapes of a kind that their class does not take.

    Raises:
        InvalidInput: with one problem per such feature.
    """
    allowed = {c.name: c.geometries for c in project.classes}
    problems = [
        Problem(f"feature {ids[i]}", f"class {names[i]!r} takes {' or '.join(allowed[names[i]])}, got a {kind}")
        for i, kind in enumerate(map(kind_of, geometries))
        if kind not in allowed[names[i]]
    ]
    if problems:
        raise InvalidInput(
            f"{problems[0].pointer.capitalize()} was refused: {problems[0].message} ({len(problems)} such features).",
            problems,
        )


def to_storage(
    project: Project, scenes: Sequence[Scene], geometries: NDArray[np.object_], crs: str | None
) -> NDArray[np.object_]:
    """Into the project's CRS: edges densified to a quarter of the finest pixel, coordinates that come back.

    Raises:
        InvalidCRS: a coordinate that the project's CRS cannot hold, or that is nowhere on the Earth.
    """
    if project.crs is None or crs is None:
        return geometries
    tolerance = tolerance_of(scenes)
    stored = crs_.transform_geometries(
        geometries,
        crs,
        project.crs,
        tolerance=tolerance.bend(project.crs),
        round_trip=tolerance.round_trip(project.crs),
    )
    crs_.refuse_nowhere(stored, project.crs)
    return stored


def check_place(project: Project, scenes: Sequence[Scene], geometries: NDArray[np.object_], labels: LabelFile) -> int:
    """How many labels touch no scene; all of them is refused, for then the CRS is wrong."""
    if not scenes or not len(geometries) or project.crs is None:
        return 0
    ground = ground_of(scenes, project.crs).outline
    touching = shapely.intersects(ground, geometries)
    if touching.any():
        return int((~touching).sum())
    x0, y0, x1, y1 = shapely.total_bounds(geometries)
    a0, b0, a1, b1 = ground.bounds
    swapped = shapely.intersects(ground, _swapped(project, labels)).any()
    cure = (
        "With x and y exchanged they would lie inside: the file has them in the wrong order."
        if swapped
        else "Check the CRS of the file (--crs) and the scenes of the project."
    )
    raise InvalidInput(
        f"None of the {len(geometries)} labels of {labels.name} touches a scene of project {project.id!r}: the scenes cover "
        f"({a0:.10g}, {b0:.10g}) to ({a1:.10g}, {b1:.10g}) in {crs_.label(project.crs)}, the labels "
        f"({x0:.10g}, {y0:.10g}) to ({x1:.10g}, {y1:.10g}). {cure}",
    )


def _swapped(project: Project, labels: LabelFile) -> NDArray[np.object_]:
    """The labels with x and y exchanged, in the project's CRS; none where that gives no place."""
    turned = [swap_axes(g) for g in labels.geometries if g is not None]
    try:
        return to_storage(project, (), np.array([*turned, None], dtype=object)[:-1], labels.crs)
    except InvalidInput:
        return np.array([], dtype=object)
