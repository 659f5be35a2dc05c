"""What Python users hold: a `Workspace` and its `Project`s. Thin handles over `workflows`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import geopandas as gpd
import pandas as pd

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.formats.memory import labels_from_frame, labels_from_geojson
from geolabel.geo import crs as crs_
from geolabel.geo.areas import Area, areas_of
from geolabel.intake import Options
from geolabel.model import Scene
from geolabel.preview import preview
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from geolabel.changes import Changeset, Snapshot
    from geolabel.formats.report import ExportReport
    from geolabel.geo.policy import InvalidPolicy
    from geolabel.intake import ImportReport
    from geolabel.model import Annotation, Bounds
    from geolabel.model import Project as ProjectInfo
    from geolabel.predictions import BackOptions, PredictionReport
    from geolabel.preview import Preview
    from geolabel.store.diff import Diff
    from geolabel.store.revert import Reverted
    from geolabel.store.store import Store

_DTYPES = {"number": "float64", "boolean": "boolean"}
"""Type of a column by kind of attribute; `boolean` is the one of pandas that knows missing values."""


def open(location: str | Path = ".", *, create: bool = False) -> Workspace:  # noqa: A001 - geolabel.open reads best
    """Open a workspace.

    Args:
        location: its folder, or the URL of its PostGIS database.
        create: make it when there is none.

    Raises:
        NotFound: there is none and `create` is False.
    """
    return Workspace(open_store(location, create=create))


class Workspace:
    """Scenes and projects in one place; close it when done, or use it in a `with` block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Workspace {self._store.name}>"

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def add_scene(
        self,
        path: str | Path | Sequence[str | Path],
        *,
        datetime: str | None = None,
        cog: bool = False,
        assets: Sequence[str] = (),
    ) -> Scene:
        """Register a raster, single-band files as one, or a STAC item; their pixels stay where they are. See `workflows.add_scene`."""
        return workflows.add_scene(self._store, path, datetime=datetime, cog=cog, assets=assets)

    def scenes(self) -> list[Scene]:
        """All registered scenes."""
        return self._store.scenes()

    def create_project(
        self,
        title: str,
        *,
        scenes: Sequence[Scene | str],
        classes: Sequence[str | Mapping[str, Any]],
        crs: str | None = None,
        attributes: Sequence[str | Mapping[str, Any]] = (),
        guidelines: str = "",
        unlabelled: str | None = None,
        on_invalid: str | None = None,
        require_if_match: bool | None = None,
    ) -> Project:
        """Make a project; its CRS is that of the first scene unless one is given.

        See `workflows.create_project`, and `Project.update` for the settings.
        """
        ids = [s.id if isinstance(s, Scene) else s for s in scenes]
        made = workflows.create_project(
            self._store,
            title,
            scenes=ids,
            classes=classes,
            crs=crs,
            attributes=attributes,
            guidelines=guidelines,
            unlabelled=unlabelled,
            on_invalid=on_invalid,
            require_if_match=require_if_match,
        )
        return Project(self._store, made.id)

    def project(self, slug: str) -> Project:
        """The project of that slug.

        Raises:
            NotFound: there is none.
        """
        return Project(self._store, self._store.project(slug).id)

    def projects(self) -> list[Project]:
        """All projects."""
        return [Project(self._store, p.id) for p in self._store.projects()]


class Project:
    """One project of a workspace.

    Attributes:
        id: its slug.
    """

    def __init__(self, store: Store, slug: str) -> None:
        self._store = store
        self.id = slug

    def __repr__(self) -> str:
        return f"<Project {self.id}>"

    @property
    def info(self) -> ProjectInfo:
        """Title, CRS, classes and scenes, as they are now."""
        return self._store.project(self.id)

    def update(
        self,
        *,
        title: str | None = None,
        classes: Sequence[str | Mapping[str, Any]] | None = None,
        attributes: Sequence[str | Mapping[str, Any]] | None = None,
        guidelines: str | None = None,
        unlabelled: str | None = None,
        on_invalid: str | None = None,
        require_if_match: bool | None = None,
        mapping: Mapping[str, Any] | None = None,
    ) -> ProjectInfo:
        """Change title, label schema or settings; what is None stays.

        Args:
            title: as people read it; the slug stays.
            classes: the whole list; a class that is there keeps what is not given anew.
            attributes: the whole list; likewise.
            guidelines: how to label, in Markdown.
            unlabelled: what unlabelled ground means: `background` or `ignore`.
            on_invalid: what happens to invalid shapes unless an import says: `reject`, `repair` or `skip`.
            require_if_match: over HTTP, a change must name the version that it changes.
            mapping: what becomes of labels that would not fit: `{"classes": {"wood": "forest"}}`; see docs/schema.md.

        Returns:
            The project as it is now.

        Raises:
            InvalidInput: labels would not fit the new schema, with their numbers; nothing was changed.
        """
        return workflows.update_project(
            self._store,
            self.id,
            title=title,
            classes=classes,
            attributes=attributes,
            guidelines=guidelines,
            unlabelled=unlabelled,
            on_invalid=on_invalid,
            require_if_match=require_if_match,
            mapping=mapping,
        )

    def counts(self) -> dict[str, int]:
        """Annotations by class name."""
        return self._store.counts(self.id)

    def add(
        self,
        labels: gpd.GeoDataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | Path,
        *,
        class_field: str | None = None,
        class_name: str | None = None,
        crs: str | None = None,
        on_invalid: InvalidPolicy | None = None,
    ) -> ImportReport:
        """Add labels, all or none.

        Args:
            labels: a GeoDataFrame, a GeoJSON object, a list of GeoJSON features, or a file.
            class_field: the column that names the class; `class` when there is one.
            class_name: one class for all, instead.
            crs: CRS of the coordinates, where the data does not say; GeoJSON is CRS84.
            on_invalid: `reject`, `repair` or `skip`; the project's policy when None.

        Raises:
            InvalidInput: nothing was added; the message says what and where.
        """
        if isinstance(labels, gpd.GeoDataFrame):
            read = labels_from_frame(labels, crs=crs)
        elif isinstance(labels, str | Path):
            read = workflows.open_labels(Path(labels), crs=crs)
        else:
            read = labels_from_geojson(labels, crs=crs)
        return workflows.import_labels(
            self._store, self.id, read, class_field=class_field, class_name=class_name, on_invalid=on_invalid
        )

    def import_file(
        self,
        path: str | Path,
        *,
        format: str = "auto",  # noqa: A002 - what it is called on the command line, too
        manifest: str | Path | None = None,
        class_field: str | None = None,
        class_name: str | None = None,
        crs: str | None = None,
        on_invalid: InvalidPolicy | None = None,
    ) -> ImportReport:
        """Bring in the labels of a file of any format, all or none. See `workflows.import_file`.

        Args:
            path: a file, a folder, or a zip or tar of one.
            format: how to read it; by what is in it when `auto`.
            manifest: of the dataset whose chips a pixel format speaks of.
            class_field: the column of a map format that names the class.
            class_name: one class for all, instead.
            crs: CRS of a map format's coordinates, where the file does not say.
            on_invalid: `reject`, `repair` or `skip`; the project's policy when None.
        """
        return workflows.import_file(
            self._store,
            self.id,
            Path(path),
            format_name=format,
            manifest=None if manifest is None else Path(manifest),
            crs=crs,
            options=Options(class_field, class_name, on_invalid),
        )

    def import_predictions(
        self,
        path: str | Path,
        *,
        manifest: str | Path | None = None,
        model: str | None = None,
        format: str = "auto",  # noqa: A002
        class_field: str | None = None,
        class_name: str | None = None,
        options: BackOptions | None = None,
        threshold: float = 0.5,
        replace: bool = False,
        progress: Callable[[float, str], None] | None = None,
    ) -> PredictionReport:
        """Put a model's predictions on the map as suggestions; no label of a person is touched.

        Args:
            path: a file, a folder, or a zip or tar of one: COCO results, YOLO, VOC, DOTA, masks, GeoJSON...
            manifest: `manifest.json` of the dataset that was predicted on, or its folder.
            model: `name@version`; the file's name when None.
            format: how to read it; by what is in it when `auto`.
            class_field: the column of a map format that names the class.
            class_name: one class for all, whatever the file says.
            options: how pieces are joined and duplicates found.
            threshold: from which probability on a pixel of a mask belongs to its class.
            replace: delete suggestions of this model from before that nobody has touched and that the file has not.
            progress: called with a share and a sentence.

        Raises:
            InvalidInput: none of it can be placed; nothing was changed.
        """
        return workflows.import_predictions(
            self._store,
            self.id,
            Path(path),
            manifest=None if manifest is None else Path(manifest),
            model=model,
            format_name=format,
            class_field=class_field,
            class_name=class_name,
            threshold=threshold,
            replace_former=replace,
            options=options,
            progress=progress,
        )

    def annotations(
        self, *, bbox: Bounds | None = None, crs: str | None = None, at: str | int | datetime | None = None
    ) -> gpd.GeoDataFrame:
        """The annotations as a GeoDataFrame indexed by id.

        Args:
            bbox: (min x, min y, max x, max y) in the CRS that is asked for.
            crs: CRS wanted; the project's own when None, and then the stored doubles bit for bit.
            at: look back: a time (with its time zone), the number of a change set, or the name of a snapshot.

        Raises:
            InvalidInput: `at` names no moment.
        """
        project = self.info
        number = None if at is None else self._store.changeset_at(self.id, _moment(at))
        wanted = crs_.normalise(crs) if crs else project.crs
        areas = None if bbox is None else [Area(bbox, None, "", "")]
        if bbox and wanted and project.crs:
            areas = areas_of([bbox], wanted, project.crs, self._store.extent(self.id, at=number))
        frame = _frame(self._store.query(self.id, areas=areas, at=number), project)
        return frame if wanted == project.crs else frame.to_crs(wanted)

    def snapshot(self, name: str | None = None, *, note: str | None = None) -> Snapshot:
        """Give the present state a name and a hash, so that it can be read and exported again. See `Store.create_snapshot`.

        Args:
            name: a slug; numbered when None.
            note: free text.
        """
        return self._store.create_snapshot(self.id, name, note=note)

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first."""
        return self._store.snapshots(self.id)

    def diff(self, a: str | int | datetime, b: str | int | datetime = "now") -> Diff:
        """What is different at `b` from what was at `a`: times, numbers of change sets, names of snapshots, or `now`."""
        return self._store.diff(self.id, _moment(a), _moment(b))

    def changesets(self, *, before: int | None = None, limit: int = 100) -> list[Changeset]:
        """What was written together, newest first."""
        return self._store.changesets(self.id, before=before, limit=limit)

    def revert(self, changeset: int, *, comment: str | None = None, skip_conflicts: bool = False) -> Reverted:
        """Take a change set back by a new one. See `Store.revert`.

        Args:
            changeset: its number.
            comment: why, in words.
            skip_conflicts: leave what was changed since as it is and take back the rest.

        Raises:
            Conflicts: something was changed since; nothing was taken back.
        """
        return self._store.revert(self.id, changeset, comment=comment, skip_conflicts=skip_conflicts)

    def to_parquet(self, path: str | Path, *, at: str | int | None = None) -> int:
        """Write all annotations to one GeoParquet file, a batch at a time; how many there were.

        Args:
            path: of the file; one that is there is replaced when the new one is whole.
            at: a moment of the past: a time, the number of a change set, or the name of a snapshot.
        """
        return workflows.write_parquet(self._store, self.id, Path(path), at=at)

    def preview(self, chips: ChipSpec | None = None, *, snapshot: str | None = None, samples: int = 8) -> Preview:
        """What an export would make: counts, the chips as GeoJSON, names of a few. See `preview.preview`.

        Args:
            chips: how to cut; 512 px on the native grid when None.
            snapshot: name of the snapshot; the present state when None.
            samples: how many chips to name, about.
        """
        return preview(self._store, self.id, chips or ChipSpec(), snapshot=snapshot, samples=samples)

    def export(
        self,
        out: str | Path,
        *,
        formats: Sequence[str],
        chips: ChipSpec | None = None,
        snapshot: str | None = None,
        progress: Callable[[float, str], None] | None = None,
        engine: str | None = None,
        resume: bool = False,
    ) -> ExportReport:
        """Write a dataset. See `workflows.export`.

        Args:
            out: a folder that does not exist yet, or `s3://bucket/folder`.
            formats: names such as `coco`, `geojson`, `mask-semantic`.
            chips: how to cut; 512 px on the native grid when None.
            snapshot: name of the snapshot to export; the present state when None.
            progress: called with a share and a sentence.
            engine: who builds the chips: `serial`, `processes[:N]`, `dask[:ADDRESS]`; None takes what suits their number.
            resume: go on where a killed export of the same dataset was.
        """
        return workflows.export(
            self._store,
            self.id,
            out,
            formats,
            chips or ChipSpec(),
            snapshot=snapshot,
            progress=progress,
            engine=engine,
            resume=resume,
        )


def _moment(at: str | int | datetime) -> str | int:
    return at.isoformat() if isinstance(at, datetime) else at


def _frame(annotations: Sequence[Annotation], project: ProjectInfo) -> gpd.GeoDataFrame:
    columns: dict[str, Any] = {
        "class": [a.class_name for a in annotations],
        "note": [a.note for a in annotations],
        "status": [a.status.value for a in annotations],
        "source": [a.provenance.source for a in annotations],
        "confidence": [a.provenance.confidence for a in annotations],
        "scene": [a.provenance.scene for a in annotations],
        "author": [a.provenance.author for a in annotations],
        "created_at": [a.created_at for a in annotations],
        "updated_at": [a.updated_at for a in annotations],
        "version": [a.version for a in annotations],
        "valid_from": [a.valid_from for a in annotations],
        "valid_to": [a.valid_to for a in annotations],
        "track": [a.track for a in annotations],
        "external_id": [a.external_id for a in annotations],
    }
    index = [a.id for a in annotations]
    kinds = {a.name: a.kind for a in project.attributes}
    past = {name for a in annotations for name in a.attributes} - set(kinds)  # of a schema that has changed since
    for name in (*kinds, *sorted(past)):
        values = [a.attributes.get(name) for a in annotations]
        columns[name] = pd.Series(values, index=index, dtype=_DTYPES.get(kinds.get(name, "text"), "object"))
    shapes = [a.geometry for a in annotations]
    return gpd.GeoDataFrame(columns, index=index, geometry=shapes, crs=project.crs).rename_axis("id")
