"""Each use case in a few lines: join the stages. The command line, the API and the Python client call these."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geolabel import formats, intake, predictions, sample
from geolabel import scenes as scenes_
from geolabel.attributes import make_attributes
from geolabel.chips.spec import ChipSpec
from geolabel.classes import make_classes
from geolabel.cog import write_cog
from geolabel.errors import AlreadyExists, InvalidInput, InvalidRaster
from geolabel.formats import objects, staging, vector
from geolabel.formats.base import LabelStream
from geolabel.formats.dataset import Build, write_dataset
from geolabel.formats.files import LocalFiles
from geolabel.formats.memory import stream_of
from geolabel.formats.report import ExportReport, make_report
from geolabel.formats.uploads import opened_upload
from geolabel.geo import crs as crs_
from geolabel.intake.look import look_at
from geolabel.intake.mapped import with_classes
from geolabel.jobs import export_folder, import_file_of
from geolabel.mapping import SchemaMapping, read_mapping
from geolabel.model import NAMELESS, NewAnnotation, Project, Provenance, check_title, slugify
from geolabel.planning import plan_export
from geolabel.store import copying, open_store
from geolabel.store.room import check_room

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from geolabel.chips.plan import Plan
    from geolabel.formats.base import LabelFile
    from geolabel.geo.policy import InvalidPolicy
    from geolabel.intake.look import FileLook
    from geolabel.jobs import Handler
    from geolabel.model import Job, Scene
    from geolabel.store.copying import CopyReport
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]


def add_scene(
    store: Store,
    path: str | Path | Sequence[str | Path],
    *,
    project: str | None = None,
    datetime: str | None = None,
    cog: bool = False,
    assets: Sequence[str] = (),
    check: Callable[[str], str] = str,
    progress: Progress | None = None,
) -> Scene:
    """Register a raster as a scene; the file stays where it is.

    Args:
        store: the workspace.
        path: a raster that this machine can read; several single-band files on one grid, which become one scene; or a
            STAC item. One that is registered already is looked at again.
        project: slug of a project that the scene joins.
        datetime: RFC 3339; from the file's tags when None.
        cog: write a Cloud Optimized GeoTIFF beside it first, and register that.
        assets: of a STAC item, which to take; the data on its finest grid when none are named.
        check: looks at each file that a STAC item names, and raises when it may not be opened.
        progress: called with a share and a sentence.

    Raises:
        InvalidRaster: the file cannot be labelled on; nothing is registered.
        InvalidInput: an asset that a STAC item does not have.
    """
    if project:
        store.project(project)  # refused before the work, not after it
    found = scenes_.find_files(path, assets, check)
    href = str(write_cog(found.href, progress=progress)) if cog else found.href
    scene = scenes_.inspect(href, scene_id=found.id, datetime=datetime or found.datetime)
    taken = {s.id: s for s in store.scenes()}
    known = next((s for s in taken.values() if s.href == scene.href), None)
    if known is not None:
        scene = store.replace_scene(
            replace(scene, id=known.id, datetime=scene.datetime or known.datetime, rendering=known.rendering)
        )
    else:
        scene = store.add_scene(replace(scene, id=_free_slug(scene.id, taken)))
    if project:
        joined = [*(s for s in map(store.scene, store.project(project).scenes) if s.id != scene.id), scene]
        check_ground(project, store.project(project).crs, joined)
        store.change_project(project, lambda p: replace(p, scenes=tuple(dict.fromkeys((*p.scenes, scene.id)))))
    return scene


def _free_slug(slug: str, taken: Container[str]) -> str:
    """The slug itself, or with the first free number behind it."""
    if slug not in taken:
        return slug
    return next(name for n in count(2) if (name := f"{slug[:58]}-{n}") not in taken)


def update_scene(store: Store, scene_id: str, **changes: Any) -> Scene:
    """Change what is said of a scene; what is not named stays.

    Args:
        store: the workspace.
        scene_id: slug.
        changes: `rendering`, query parameters of its tiles that hold where a request says nothing else; `datetime`, RFC 3339
            or None.

    Raises:
        NotFound: no such scene.
        InvalidInput: a parameter that its tiles cannot be drawn with, or a date that cannot be read.
    """
    scene = store.scene(scene_id)
    if "rendering" in changes:
        scenes_.check_rendering(scene, changes["rendering"])
    if changes.get("datetime") is not None:
        changes["datetime"] = scenes_.read_datetime(changes["datetime"])
    return store.replace_scene(replace(store.scene(scene_id), **changes))


def relink_scene(store: Store, scene_id: str, path: str | Path) -> Scene:
    """Say where a scene's file is now; chips cut before and after are on the same pixels.

    Raises:
        InvalidRaster: the file at the new place has another grid.
    """
    scene = store.scene(scene_id)
    found = scenes_.inspect(path, scene_id=scene_id, datetime=scene.datetime)
    if found.grid != scene.grid or len(found.bands) != len(scene.bands):
        raise InvalidRaster(
            f"{Path(found.href).name} is not the raster of scene {scene_id!r}: expected {_grid_words(scene)}, got {_grid_words(found)}. "
            "Register it as a scene of its own with `geolabel scene add`.",
        )
    return store.replace_scene(replace(found, rendering=scene.rendering))


def _grid_words(scene: Scene) -> str:
    grid = scene.grid
    crs = "no CRS" if grid.crs is None else crs_.label(grid.crs)
    return f"{grid.width} x {grid.height} px, {len(scene.bands)} bands, {crs}, corner ({grid.transform[2]:.12g}, {grid.transform[5]:.12g})"


def create_project(
    store: Store,
    title: str,
    *,
    scenes: Sequence[str],
    classes: Sequence[str | Mapping[str, Any]],
    crs: str | None = None,
    attributes: Sequence[str | Mapping[str, Any]] = (),
    guidelines: str = "",
    require_if_match: bool = False,
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
        require_if_match: a change must name the version that it changes.

    Raises:
        InvalidInput: no scene to take the CRS from, a CRS or a class that cannot be.
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
        slug = _free_slug(slug, {p.id for p in store.projects()})
    return store.create_project(
        Project(
            slug,
            check_title(title),
            storage,
            make_classes(classes),
            tuple(s.id for s in found),
            attributes=make_attributes(attributes),
            guidelines=guidelines,
            require_if_match=require_if_match,
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


def open_labels(
    path: Path, *, format_name: str = "auto", crs: str | None = None, layer: str | None = None
) -> LabelStream:
    """Begin to read labels from a file, with the reader of a format or the one that fits.

    Raises:
        InvalidInput: no such format, or nothing usable in the file.
    """
    if format_name == "auto":
        return vector.open_labels(path, crs=crs, layer=layer)
    found = formats.readable(format_name)
    if found.reader is None:
        raise InvalidInput(
            f"Labels in {format_name} are in the pixels of chips: they are placed by the manifest of the dataset that the chips are of "
            "(--manifest OUT/manifest.json)."
        )
    read = found.read(path, crs=crs, layer=layer)
    return read if isinstance(read, LabelStream) else stream_of(read)


def read_labels(
    path: Path, *, format_name: str = "auto", crs: str | None = None, layer: str | None = None
) -> LabelFile:
    """Read labels from a file at once. See `open_labels`."""
    return open_labels(path, format_name=format_name, crs=crs, layer=layer).whole()


def import_labels(
    store: Store,
    project_id: str,
    labels: LabelStream | LabelFile,
    *,
    class_field: str | None = None,
    class_name: str | None = None,
    on_invalid: InvalidPolicy | None = None,
    id_field: str | None = None,
    prune: bool = False,
    max_vertices: int = intake.MAX_VERTICES,
    author: str | None = None,
    progress: Progress | None = None,
    job: int | None = None,
) -> intake.ImportReport:
    """Bring labels into a project, all or none; edits go on meanwhile, and memory stays small.

    Args:
        store: the workspace.
        project_id: slug.
        labels: what `open_labels`, `labels_from_frame` or `labels_from_geojson` gives, in any CRS.
        class_field: the column that names the class; `class` when there is one and nothing else was said.
        class_name: one class for all, instead of a column.
        on_invalid: what to do with shapes that cross themselves and the like; the project's policy when None.
        id_field: the column with ids of the source's own, `fid` for the file's numbers of its features; by them a later
            import of the same file name updates what this one made. None for the ids that GeoJSON features have.
        prune: delete what an earlier import of the same file name made and this one does not have any more.
        max_vertices: a shape with more counts as invalid.
        author: who did it.
        progress: called with a share and a sentence; what it raises (`Cancelled`) stops the work without a trace.
        job: that this import is; it is done in the moment in which the labels are there.

    Raises:
        UnknownClass: classes that the project does not have, each with its count.
        InvalidGeometry: an invalid shape, under the policy `reject`.
        InvalidInput: no label touches a scene of the project: wrong CRS, or x and y exchanged.
    """
    project = store.project(project_id)
    options = intake.Options(class_field, class_name, on_invalid, id_field, prune, max_vertices)
    scenes = [store.scene(s) for s in project.scenes]
    tell = progress or (lambda _share, _message: None)
    stream = labels if isinstance(labels, LabelStream) else stream_of(labels)
    return intake.run(store, project, scenes, stream, options, author=author, progress=tell, job=job)


def import_file(
    store: Store,
    project_id: str,
    path: Path,
    *,
    format_name: str = "auto",
    manifest: Path | None = None,
    crs: str | None = None,
    layer: str | None = None,
    voc_base: int = 1,
    outside: Literal["clip", "refuse"] = "refuse",
    options: intake.Options | None = None,
    author: str | None = None,
    progress: Progress | None = None,
) -> intake.ImportReport:
    """Bring the labels of a file of any format into a project, all or none. See `import_labels`.

    Args:
        store: the workspace.
        project_id: slug.
        path: a file, a folder, or a zip or tar of one.
        format_name: how to read it; by what is in it when `auto`.
        manifest: of the dataset whose chips a pixel format speaks of; None where its pictures are the project's scenes, or
            say themselves where they lie.
        crs: CRS of a map format's coordinates, where the file does not say.
        layer: of a map format's file with several.
        voc_base: what Pascal VOC's files call the first pixel: 1, or 0.
        outside: what becomes of shapes that reach over the edge of their picture.
        options: classes, ids, invalid shapes.
        author: who did it.
        progress: called with a share and a sentence.
    """
    tell = progress or (lambda _share, _message: None)
    chosen = options or intake.Options()
    name = predictions.find_format(path, format_name)
    project = store.project(project_id)
    if name == "auto" or formats.readable(name).space == "map":
        stream = open_labels(path, format_name=name, crs=crs, layer=layer)
        scenes = [store.scene(s) for s in project.scenes]
        return intake.run(store, project, scenes, stream, chosen, author=author, progress=tell)
    back = predictions.EXACT if outside == "refuse" else replace(predictions.EXACT, outside=outside)
    return predictions.import_pictures(
        store,
        project,
        path,
        name,
        chosen,
        manifest=manifest,
        back=back,
        voc_base=voc_base,
        author=author,
        progress=tell,
    )


def import_predictions(
    store: Store,
    project_id: str,
    path: Path,
    *,
    manifest: Path | None = None,
    model: str | None = None,
    format_name: str = "auto",
    class_field: str | None = None,
    class_name: str | None = None,
    crs: str | None = None,
    voc_base: int = 1,
    threshold: float = 0.5,
    replace_former: bool = False,
    options: predictions.BackOptions | None = None,
    author: str | None = None,
    progress: Progress | None = None,
    job: int | None = None,
    name: str | None = None,
) -> predictions.PredictionReport:
    """Put a model's predictions on the map as suggestions; no label of a person is touched.

    Args:
        store: the workspace.
        project_id: slug.
        path: a file, a folder, or a zip or tar of one, in any format that is read.
        manifest: `manifest.json` of the dataset that was predicted on, or its folder; not needed where the pictures are
            the project's scenes, or say themselves where they lie.
        model: `name@version`; the file's name when None.
        format_name: how to read it; by what is in it when `auto`.
        class_field: the column of a map format that names the class.
        class_name: one class for all, whatever the file says.
        crs: CRS of a map format's coordinates, where the file does not say.
        voc_base: what Pascal VOC's files call the first pixel: 1, or 0.
        threshold: from which probability on a pixel of a mask belongs to its class.
        replace_former: delete suggestions of this model from before that nobody has touched and that the file has not.
        options: how pieces are joined and duplicates found.
        author: who did it.
        progress: called with a share and a sentence.
        job: that this is.
        name: what to call the file; its own name when None.

    Raises:
        InvalidInput: none of it can be placed; nothing was changed.
    """
    return predictions.suggest(
        store,
        store.project(project_id),
        path,
        format_name,
        model=model or path.name.partition(".")[0],
        manifest=manifest,
        back=options or predictions.BackOptions(),
        class_field=class_field,
        class_name=class_name,
        crs=crs,
        voc_base=voc_base,
        threshold=threshold,
        replace_former=replace_former,
        author=author,
        progress=progress or (lambda _share, _message: None),
        job=job,
        name=name,
    )


def export(
    store: Store,
    project_id: str,
    out: str | Path,
    format_names: Sequence[str],
    spec: ChipSpec,
    *,
    snapshot: str | None = None,
    progress: Progress | None = None,
    dry_run: bool = False,
    engine: str | None = None,
    resume: bool = False,
) -> ExportReport:
    """Write a dataset; it appears at `out` only when it is whole.

    Args:
        store: the workspace.
        project_id: slug.
        out: a folder that does not exist yet, or `s3://bucket/folder` (`gs://`, `az://`) with nothing in it.
        format_names: names such as `coco`, `geojson`, `mask-semantic` (see `formats.names`).
        spec: how chips are cut, chosen, split and written.
        snapshot: name of the snapshot to export, with the schema and the labels that it has; the present state when None.
        progress: called with a share and a sentence; what it raises (`Cancelled`) stops the work without a trace.
        dry_run: count what would be written, and write nothing.
        engine: who builds the chips: `serial`, `processes[:N]`, `dask[:ADDRESS]`; None takes what suits their number. The
            dataset is the same.
        resume: go on where a killed export of the same dataset to the same place was, and keep what is done should this
            one be stopped as well.

    Raises:
        AlreadyExists: something is at `out`.
        NotFound: no such project, snapshot or scene.
        InvalidSpec: an unknown format, or one that cannot hold this project; no chip is left.
        InvalidRaster: a scene's file is gone, damaged or changed.
    """
    tell = progress or (lambda _share, _message: None)
    wanted = formats.chosen(format_names)
    remote = objects.is_url(out)
    if remote:
        objects.check_free(str(out))
    else:
        staging.check_free(Path(out))
    chipped = any(f.space == "pixel" for f in wanted)
    found = plan_export(store, project_id, spec, snapshot=snapshot, chipped=chipped, progress=tell)
    plan, labels, state = found.plan, found.labels, found.state
    if dry_run:
        names = [f.name for f in wanted]
        return make_report(plan, names, labels.sentences(), snapshot=state, dry_run=True, chipped=chipped)
    if not remote:
        check_room(Path(out).absolute().parent, _size_of_images(plan), "The export")
    with objects.uploaded(str(out), resume=resume) if remote else staging.staged(Path(out), resume=resume) as place:
        files = LocalFiles(place) if isinstance(place, Path) else place
        report = write_dataset(plan, labels, wanted, files, Build(engine, resume, tell), snapshot=state)
    tell(1.0, f"Wrote {Path(out).name}")
    return report


def _size_of_images(plan: Plan) -> int:
    """Bytes that the chips' images will take at least: a third of their pixels."""
    total = 0
    for frame, laid, kept in zip(plan.frames, plan.laid, plan.kept, strict=True):
        item = 0
        for scene in frame.scenes:
            # Complex integers have no numpy type; they are written as a pair of floats.
            dtypes = {band.index: band.dtype for band in scene.bands}
            chosen = [dtypes[band] for band in plan.spec.bands or dtypes]
            item += sum(8 if dtype.startswith("complex_") else np.dtype(dtype).itemsize for dtype in chosen)
        total += item * int((laid.windows.boxes[kept, 2] * laid.windows.boxes[kept, 3]).sum())
    return total // 3


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


PIXEL_CRS = "pixel"
"""Asked for as a project's CRS: labels are pixels of its one scene."""


def write_parquet(store: Store, project_id: str, path: Path, *, at: str | int | None = None) -> int:
    """Write all annotations of a project to one GeoParquet file, with memory for one batch.

    Args:
        store: the workspace.
        project_id: slug.
        path: of the file; one that is there is replaced when the new one is whole.
        at: a moment of the past (`Store.changeset_at`); now when None.

    Returns:
        How many annotations were written.
    """
    from geolabel.formats.geoparquet_writer import write_annotations  # noqa: PLC0415 (pyarrow is heavy)

    project = store.project(project_id)
    moment = None if at is None else store.changeset_at(project_id, at)
    part = path.with_name(f".{path.name}.partial")
    try:
        with ExitStack() as files:
            count = write_annotations(files, part, project, store.batches(project_id, at=moment))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


DEMO_PROJECT = "Land use"


def make_demo(store: Store, raster: Path | None = None, *, progress: Progress | None = None) -> tuple[Project, bool]:
    """Make the demo project, or find it.

    Args:
        store: the workspace.
        raster: the user's own; a generated scene, kept in the workspace's folder, when None.
        progress: called with a share and a sentence.

    Returns:
        The project, and whether it was made now.

    Raises:
        AlreadyExists: the workspace has a project of that name, of another raster.
        InvalidRaster: the raster cannot be labelled on.
    """
    if raster is None:
        path, title = store.folder / "sample.tif", DEMO_PROJECT
    else:
        path, title = raster, raster.stem
    found = next((p for p in store.projects() if p.id == slugify(title)), None)
    if found is None:
        if raster is None and not path.exists():
            sample.write_scene(path, progress=progress)
        scene = add_scene(store, path)
        project = create_project(store, title, scenes=[scene.id], classes=sample.CLASSES)
    else:
        project = found
        if raster is not None and str(path.resolve()) not in {store.scene(s).href for s in project.scenes}:
            raise AlreadyExists(
                f"{store.folder} has a project {project.id!r} of another raster than {path}: make this demo in another folder."
            )
    if raster is None and store.changes(project.id) == 0:  # also where an earlier run was stopped in between
        provenance = Provenance(source="sample", scene=project.scenes[0])
        store.create(project.id, [NewAnnotation(g, name, provenance=provenance) for name, g in sample.partial_labels()])
    return project, found is None


def _export_job(store: Store, job: Job, progress: Progress) -> Mapping[str, Any]:
    out = export_folder(store, job.id)
    if out.exists():  # whole already: the worker died between the rename and its last heartbeat
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    spec = ChipSpec.from_json(job.params.get("chips", {}))
    snapshot = job.params.get("snapshot")
    try:
        report = export(
            store,
            job.project,
            out,
            job.params["formats"],
            spec,
            snapshot=snapshot,
            progress=progress,
            engine=job.params.get("engine"),
            resume=True,  # a worker that was killed at it left what it had done
        )
    except Exception:
        staging.discard(out)
        raise
    return report.to_json()


def _import_job(store: Store, job: Job, progress: Progress) -> Mapping[str, Any]:
    file = import_file_of(store, job)
    try:
        report = _import_body(store, job, file, progress)
    except Exception:
        file.unlink(missing_ok=True)
        raise
    # A worker that is stopped leaves the file: the job will be taken up again.
    file.unlink(missing_ok=True)
    return report.to_json()


def look_at_upload(
    file: Path, name: str, *, crs: str | None = None, layer: str | None = None
) -> tuple[FileLook, list[str]]:
    """What is in a file that came over HTTP, and the names of its layers.

    Raises:
        InvalidInput: it cannot be read as labels.
    """
    with opened_upload(file, name, crs=crs, layer=layer) as (labels, layers):
        return look_at(labels), layers


def _import_upload(store: Store, job: Job, file: Path, progress: Progress) -> intake.ImportReport:
    given, field = job.params["upload"], job.params["class_field"]
    with opened_upload(file, given["name"], crs=given["crs"], layer=given["layer"]) as (labels, _):
        return import_labels(
            store,
            job.project,
            with_classes(labels, field, given["classes"]) if field else labels,
            class_field=field,
            class_name=job.params["class"],
            on_invalid=job.params["on_invalid"],
            max_vertices=job.params["max_vertices"],
            progress=progress,
            job=job.id,
        )


def _import_body(store: Store, job: Job, file: Path, progress: Progress) -> intake.ImportReport:
    if "upload" in job.params:
        return _import_upload(store, job, file, progress)
    # The body of a request is read strictly, and GDAL, which would follow links in it, never sees it.
    return import_labels(
        store,
        job.project,
        vector.open_body(file, crs=job.params["crs"], name=job.params.get("name") or "the body"),
        class_field=job.params["class_field"],
        class_name=job.params["class"],
        on_invalid=job.params["on_invalid"],
        id_field=job.params.get("id_field"),
        prune=job.params.get("prune", False),
        max_vertices=job.params.get("max_vertices", intake.MAX_VERTICES),
        progress=progress,
        job=job.id,
    )


def _predictions_job(store: Store, job: Job, progress: Progress) -> Mapping[str, Any]:
    file = import_file_of(store, job)
    params = job.params
    dataset = None if params["export"] is None else export_folder(store, params["export"])
    try:
        report = import_predictions(
            store,
            job.project,
            file,
            manifest=dataset,
            model=params["model"],
            format_name=params["format"],
            class_field=params["class_field"],
            class_name=params["class"],
            crs=params["crs"],
            voc_base=params["voc_base"],
            threshold=params["threshold"],
            replace_former=params["replace"],
            options=predictions.BackOptions.from_json(params["options"]),
            progress=progress,
            job=job.id,
            name="the body",
        )
    except Exception:
        file.unlink(missing_ok=True)
        raise
    file.unlink(missing_ok=True)
    return report.to_json()


JOB_HANDLERS: Mapping[str, Handler] = {"export": _export_job, "import": _import_job, "predictions": _predictions_job}
