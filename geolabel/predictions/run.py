"""A file of pixels -> labels or suggestions in a project: read, brought home, and stored by an import."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel import formats, intake
from geolabel.errors import InvalidGeometry, InvalidInput, UnknownClass
from geolabel.formats import vector
from geolabel.formats.archive import is_archive, unpacked
from geolabel.formats.detect import detect
from geolabel.formats.pictures import Guide
from geolabel.formats.places import places_of, places_of_scenes
from geolabel.geo import crs as crs_
from geolabel.geo.tolerance import tolerance_of
from geolabel.intake.columns import as_text
from geolabel.predictions.home import Home, bring_home
from geolabel.predictions.objects import Objects, are_boxes, joined, objects
from geolabel.predictions.report import PredictionReport, make_report
from geolabel.predictions.stream import labels_of, suggestions_of
from geolabel.predictions.suppress import duplicates

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geolabel.intake import ImportReport
    from geolabel.model import Project, Scene
    from geolabel.predictions.options import BackOptions
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]

_MODEL = re.compile(r"[\w][\w .+:/-]{0,79}(@[\w][\w.+-]{0,39})?\Z")
_SCORES = ("confidence", "score", "probability")
_BESIDE = {"manifest.json", "chips.parquet"}
_READ = 0.7
"""The share of the work that is done when everything lies on the map, and nothing is stored."""


def check_model(name: str) -> str:
    """The name of a model, `name@version`.

    Raises:
        InvalidInput: it could not stand in a label's source.
    """
    if not _MODEL.match(name):
        raise InvalidInput(f"A model is called NAME@VERSION in letters, digits and . _ + - : /, got {name!r:.120}.")
    return name


def find_format(path: Path, name: str) -> str:
    """The format of a file: as it was named, or by what is in it; `auto` for one of map space.

    Raises:
        InvalidInput: nothing is read by that name, or the file does not tell.
    """
    if not path.exists():
        raise InvalidInput(f"There is no file {path}.")
    if name != "auto":
        formats.readable(name)
        return name
    return "auto" if is_archive(path) and path.suffix == ".zip" and _is_map_zip(path) else detect(path)


def _is_map_zip(path: Path) -> bool:
    import zipfile  # noqa: PLC0415

    with zipfile.ZipFile(path) as archive:
        return any(name.lower().endswith((".shp", ".gdb/")) for name in archive.namelist())


def import_pictures(
    store: Store,
    project: Project,
    path: Path,
    format_name: str,
    options: intake.Options,
    *,
    manifest: Path | None,
    back: BackOptions,
    voc_base: int,
    author: str | None,
    progress: Progress,
    job: int | None = None,
    called: str | None = None,
) -> ImportReport:
    """Import the labels of a pixel format. See `workflows.import_file`; `called` is what the file is called."""
    called = called or path.name
    scenes = [store.scene(s) for s in project.scenes]
    with ExitStack() as held:
        file, name, places_file = _entered(held, path, format_name, manifest)
        guide = _guide(project, scenes, places_file, class_name=options.class_name, voc_base=voc_base)
        home = _home(project, scenes, file, name, guide=guide, back=back, progress=progress)
        skip = (options.on_invalid or project.on_invalid) == "skip"
        if guide.count and not skip:
            raise _refused(called, guide)
        if not len(home.objects):
            raise _nothing(called, home, guide)

        def report(stored: ImportReport) -> ImportReport:
            return replace(
                stored,
                read=home.read,
                skipped=stored.skipped + home.read - len(home.objects),
                reasons={**stored.reasons, **guide.reasons, **_not_alone(home)},
                problems=(*guide.refused, *stored.problems),
            )

        stored = intake.run(
            store,
            project,
            scenes,
            labels_of(home.objects, called, project.crs),
            replace(options, class_field="class", class_name=None),
            author=author,
            progress=_later(progress),
            job=job,
            result=lambda stored: report(stored).to_json(),
        )
    return report(stored)


def suggest(
    store: Store,
    project: Project,
    path: Path,
    format_name: str,
    *,
    model: str,
    manifest: Path | None,
    back: BackOptions,
    class_field: str | None = None,
    class_name: str | None = None,
    crs: str | None = None,
    voc_base: int = 1,
    threshold: float = 0.5,
    replace_former: bool = False,
    author: str | None,
    progress: Progress,
    job: int | None = None,
    name: str | None = None,
) -> PredictionReport:
    """Put a model's predictions on the map. See `workflows.import_predictions`."""
    source = check_model(model)
    called = name or path.name
    scenes = [store.scene(s) for s in project.scenes]
    if class_name is not None:
        project.class_named(class_name)
    with ExitStack() as held:
        file, found_format, places_file = _entered(held, path, format_name, manifest)
        guide = _guide(project, scenes, places_file, class_name=class_name, voc_base=voc_base, threshold=threshold)
        if found_format == "auto" or formats.readable(found_format).space == "map":
            home = _from_map(
                project, scenes, file, found_format, guide=guide, back=back, class_field=class_field, crs=crs
            )
        else:
            home = _home(project, scenes, file, found_format, guide=guide, back=back, progress=progress)
        _drop_unknown(project, home, guide)
        if not len(home.objects):
            raise _nothing(called, home, guide)

        def report(stored: ImportReport) -> PredictionReport:
            return make_report(
                source,
                home,
                stored,
                refused=dict(guide.reasons.most_common()),
                left_out=dict(guide.left_out.most_common()),
                problems=tuple(guide.refused),
            )

        options = intake.Options(
            class_field="class",
            on_invalid="repair",
            prune=replace_former,
            source=f"model:{source}",
            trusted=("scene",),
            touched=False,
        )
        stream = suggestions_of(home.objects, called, project.crs)
        stored = intake.run(
            store,
            project,
            scenes,
            stream,
            options,
            author=author,
            progress=_later(progress),
            job=job,
            result=lambda stored: report(stored).to_json(),
        )
    return report(stored)


def _entered(held: ExitStack, path: Path, format_name: str, manifest: Path | None) -> tuple[Path, str, Path | None]:
    """The file to read, its format, and the manifest: out of the archive, where it is one."""
    found = find_format(path, format_name) if format_name != "auto" or not is_archive(path) else "auto"
    if (
        not is_archive(path)
        or (found == "auto" and _is_map_zip(path))
        or (found != "auto" and formats.readable(found).space == "map")
    ):
        return path, found, manifest
    folder = held.enter_context(unpacked(path))
    inside = [p for p in folder.iterdir() if not p.name.startswith((".", "__MACOSX"))]
    if len(inside) == 1 and inside[0].is_dir() and (inside[0] / "manifest.json").is_file():
        folder, inside = inside[0], list(inside[0].iterdir())
    own = folder / "manifest.json"
    rest = [p for p in inside if p.name not in _BESIDE]
    file = rest[0] if len(rest) == 1 else folder
    return file, find_format(file, found), manifest or (own if own.is_file() else None)


def _guide(project: Project, scenes: list[Scene], manifest: Path | None, **said: Any) -> Guide:
    places = places_of_scenes(scenes, project.classes) if manifest is None else places_of(manifest)
    return Guide(places, **said)


def _home(
    project: Project,
    scenes: list[Scene],
    file: Path,
    name: str,
    *,
    guide: Guide,
    back: BackOptions,
    progress: Progress,
) -> Home:
    entry = formats.readable(name)
    assert entry.pictures is not None
    pictures = resolve_name(entry.pictures)(file, guide)
    tell = partial(_scaled, progress)
    return bring_home(pictures, guide, project.crs, tolerance_of(scenes), options=back, progress=tell)


def _scaled(progress: Progress, share: float, message: str) -> None:
    progress(_READ * share, message)


def _later(progress: Progress) -> Progress:
    return lambda share, message: progress(_READ + (1 - _READ) * share, message)


def _from_map(
    project: Project,
    scenes: list[Scene],
    file: Path,
    name: str,
    *,
    guide: Guide,
    back: BackOptions,
    class_field: str | None,
    crs: str | None,
) -> Home:
    """Predictions that are on the map already: GeoJSON and its like."""
    read = vector.read_labels(file, format_name=name, crs=crs)
    field = class_field or next((f for f in ("class", "label", "category") if f in read.columns), None)
    if guide.class_name is None and (field is None or field not in read.columns):
        raise InvalidInput(
            f"Nothing says which class the features of {read.name} are. Name the column with --class-field, or one class for all with --class; "
            f"it has {', '.join(read.columns) or 'no columns'}."
        )
    scores = next((read.columns[n] for n in _SCORES if n in read.columns), None)
    rows, sure, shapes = [], [], read.geometries.copy()
    for row, shape in enumerate(shapes):
        pointer = f"{read.name}, feature {read.feature_ids[row]}"
        score = None if scores is None or scores[row] is None else scores[row]
        if shape is None or shapely.is_empty(shape) or not np.isfinite(shapely.get_coordinates(shape)).all():
            guide.refuse(pointer, "the feature has no shape, or one that is not finite", reason="it has no shape")
        elif score is not None and (isinstance(score, bool | str) or not 0 <= float(score) <= 1):
            guide.refuse(
                pointer,
                f"a confidence is a number from 0 to 1, got {score!r:.40}",
                reason="its score is not from 0 to 1",
            )
        else:
            rows.append(row)
            sure.append(np.nan if score is None else float(score))
    if project.crs is not None and rows:
        shapes[rows] = crs_.transform_geometries(
            shapes[rows], read.crs, project.crs, tolerance=tolerance_of(scenes).bend(project.crs)
        )
    own = shapes[rows]
    names = (
        [guide.class_name] * len(rows)
        if guide.class_name
        else [as_text(read.columns[str(field)][r]) or "" for r in rows]
    )
    found = Objects(
        shapes=own,
        classes=objects(names),
        scores=np.array(sure, dtype=np.float64),
        pointers=objects([f"{read.name}, feature {read.feature_ids[r]}" for r in rows]),
        keys=objects([None] * len(rows)),
        pictures=objects([frozenset((r,)) for r in rows]),
        scenes=objects([""] * len(rows)),
        boxes=are_boxes(own) if rows else np.empty(0, dtype=bool),
        columns={},
    )
    home = Home(found, read=len(shapes))
    unsure = np.nan_to_num(found.scores, nan=1.0) < back.min_score
    home.unsure = int(unsure.sum())
    home.objects = found.take(~unsure)
    if back.merge and len(home.objects):
        gone = duplicates(home.objects, back)
        home.suppressed, home.objects = int(gone.sum()), home.objects.take(~gone)
    return home


def _drop_unknown(project: Project, home: Home, guide: Guide) -> None:
    """Refuse predictions of classes that the project does not have.

    Raises:
        UnknownClass: that is all of them.
    """
    known = {c.name for c in project.classes}
    fine = np.array([name in known for name in home.objects.classes], dtype=bool)
    if fine.all():
        return
    for row in np.flatnonzero(~fine).tolist():
        name = home.objects.classes[row]
        guide.refuse(
            home.objects.pointers[row],
            f"project {project.id!r} has no class {name!r:.80}",
            reason=f"there is no class {name!r:.80}",
        )
    if not fine.any():
        raise UnknownClass(
            f"The predictions are of classes that project {project.id!r} does not have: {', '.join(sorted(map(repr, set(home.objects.classes))))[:300]}. "
            f"It has: {', '.join(sorted(known))}. Add them to the project, or say one class for all.",
            guide.refused,
        )
    home.objects = home.objects.take(fine) if len(home.objects) else joined([])


def _refused(name: str, guide: Guide) -> InvalidInput:
    first = guide.refused[0]
    more = f" ({guide.count:,} such objects)" if guide.count > 1 else ""
    return InvalidGeometry(
        f"{name} was refused: {first.message} at {first.pointer}{more}. Mend it, or import with --on-invalid skip.",
        guide.refused,
    )


def _not_alone(home: Home) -> dict[str, int]:
    """Why objects that were read are no labels of their own."""
    said = (
        (home.merged, "the edge of a chip had cut them: they are joined to other pieces"),
        (home.suppressed, "they are duplicates on overlapping chips"),
        (home.small, "they are smaller than asked for"),
        (home.unsure, "they are less sure than asked for"),
    )
    return {reason: count for count, reason in said if count}


def _nothing(name: str, home: Home, guide: Guide) -> InvalidInput:
    if guide.count:
        first = guide.refused[0]
        return InvalidInput(
            f"None of the objects of {name} can be placed: {first.message} at {first.pointer} ({guide.count:,} refused).",
            guide.refused,
        )
    if home.unsure or home.small:
        return InvalidInput(
            f"None of the {home.read:,} objects of {name} is left: {home.unsure:,} are less sure and {home.small:,} smaller than asked for."
        )
    beside = "; ".join(f"{count:,} {what}" for what, count in guide.left_out.most_common(5))
    return InvalidInput(
        f"{name} holds no objects with a shape{f', only {beside}' if beside else ''}; expected at least one."
    )
