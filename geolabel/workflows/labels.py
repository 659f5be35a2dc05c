"""Use cases of labels: what comes in from files and from models, and all of them as GeoParquet."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from geolabel import formats, intake, predictions
from geolabel.errors import InvalidInput
from geolabel.formats import vector
from geolabel.formats.base import LabelStream
from geolabel.formats.memory import stream_of
from geolabel.formats.uploads import opened_upload
from geolabel.intake.look import look_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geolabel.formats.base import LabelFile
    from geolabel.geo.policy import InvalidPolicy
    from geolabel.intake.look import FileLook
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]


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
    job: int | None = None,
    called: str | None = None,
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
        job: that this import is.
        called: what to call the file of a pixel format; its own name when None.
    """
    tell = progress or (lambda _share, _message: None)
    chosen = options or intake.Options()
    name = predictions.find_format(path, format_name)
    project = store.project(project_id)
    if name == "auto" or formats.readable(name).space == "map":
        stream = open_labels(path, format_name=name, crs=crs, layer=layer)
        scenes = [store.scene(s) for s in project.scenes]
        return intake.run(store, project, scenes, stream, chosen, author=author, progress=tell, job=job)
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
        job=job,
        called=called,
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


def look_at_upload(
    file: Path, name: str, *, crs: str | None = None, layer: str | None = None
) -> tuple[FileLook, list[str]]:
    """What is in a file that came over HTTP, and the names of its layers.

    Raises:
        InvalidInput: it cannot be read as labels.
    """
    with opened_upload(file, name, crs=crs, layer=layer) as (labels, layers):
        return look_at(labels), layers


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
