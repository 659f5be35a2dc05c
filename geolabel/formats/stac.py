"""STAC: a collection of the dataset, an item a chip with the label extension and its ML-AOI split, an item a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from geolabel.formats.areas import many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.ground import check_earth, features_of, outline_in_degrees

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip
    from geolabel.formats.base import Context
    from geolabel.model import Grid, Scene

VERSION = "1.1.0"
LABEL = "https://stac-extensions.github.io/label/v1.0.1/schema.json"
ML_AOI = "https://stac-extensions.github.io/ml-aoi/v0.2.0/schema.json"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
_MEDIA = {
    "tif": "image/tiff; application=geotiff",
    "png": "image/png",
    "jpg": "image/jpeg",
    "npy": "application/octet-stream",
}
_SPLITS = {"train": "train", "val": "validate", "test": "test"}
_ALWAYS = {"datetime": None, "start_datetime": "1900-01-01T00:00:00Z", "end_datetime": "2100-01-01T00:00:00Z"}
"""What an item says whose scene has no date: STAC has no way to say nothing."""


class StacWriter(ChipWriter):
    """Writes `stac/collection.json`, `stac/items/{chip}.json` with `{chip}.geojson` beside it, and `stac/scenes/{scene}.json`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        check_earth(context, "STAC")
        self._scenes = {scene.id: scene for scene in context.scenes}
        self._links: list[dict[str, str]] = []

    def begin(self) -> None:
        """Write the items of the scenes."""
        for scene in self.context.scenes:
            item = _item(f"scene-{scene.id}", scene.grid, scene, self.context.project.id)
            item["links"] = _links()
            item["assets"] = {}
            self._json(f"stac/scenes/{scene.id}.json", item)

    def write(self, chip: Chip) -> Piece:
        """Write the item of a chip, and its labels."""
        project = self.context.project
        names = {c.id: c.name for c in project.classes}
        features = features_of(chip, names)
        self._json(f"stac/items/{chip.name}.geojson", {"type": "FeatureCollection", "features": features})
        item = _item(chip.name, chip.grid, self._scenes[chip.scene], project.id)
        counts = {c.name: int((chip.labels.class_ids == c.id).sum()) for c in project.classes}
        item["properties"] |= {
            "title": chip.name,
            "label:type": "vector",
            "label:properties": ["class"],
            "label:classes": [{"name": "class", "classes": [c.name for c in project.classes]}],
            "label:description": f"Labels of {project.title} on {chip.name}",
            "label:tasks": ["detection", "segmentation"],
            "label:methods": ["manual"],
            "label:overviews": [
                {"property_key": "class", "counts": [{"name": n, "count": k} for n, k in counts.items()]}
            ],
        }
        if chip.split in _SPLITS:
            item["properties"]["ml-aoi:split"] = _SPLITS[chip.split]
        item["links"] = [
            *_links(),
            {"rel": "source", "href": f"../scenes/{chip.scene}.json", "type": "application/geo+json"},
        ]
        image = {
            "href": f"../../{self.context.image_path(chip)}",
            "type": _MEDIA[self.context.spec.image_format],
            "roles": ["data"],
            "ml-aoi:role": "feature",
        }
        labels = {
            "href": f"./{chip.name}.geojson",
            "type": "application/geo+json",
            "roles": ["labels", "labels-vector"],
            "ml-aoi:role": "label",
        }
        item["assets"] = {"image": image, "labels": labels}
        self._json(f"stac/items/{chip.name}.json", item)
        return Piece(counts={"undated": int(self._scenes[chip.scene].datetime is None)})

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Name the item in the collection."""
        href = f"./items/{chip.name}.json"
        self._links.append({"rel": "item", "href": href, "type": "application/geo+json"})
        super().add(chip, piece)

    def close(self) -> tuple[str, ...]:
        """Write the collection."""
        project, scenes = self.context.project, self.context.scenes
        boxes = [outline_in_degrees(scene.grid)[1] for scene in scenes]
        across = any(box[0] > box[2] for box in boxes)
        whole = [
            -180.0 if across else min(b[0] for b in boxes),
            min(b[1] for b in boxes),
            180.0 if across else max(b[2] for b in boxes),
            max(b[3] for b in boxes),
        ]
        dates = sorted(_utc(scene.datetime) for scene in scenes if scene.datetime)
        collection = {
            "type": "Collection",
            "stac_version": VERSION,
            "stac_extensions": [ML_AOI],
            "id": project.id,
            "title": project.title,
            "description": f"Chips and labels of {project.title}",
            "license": "other",
            "extent": {
                "spatial": {"bbox": [whole, *(boxes if len(boxes) > 1 else [])]},
                "temporal": {"interval": [[dates[0] if dates else None, dates[-1] if dates else None]]},
            },
            "summaries": {"ml-aoi:split": sorted({_SPLITS[s] for s in self.context.splits if s in _SPLITS})},
            "links": [
                {"rel": "root", "href": "./collection.json", "type": "application/json"},
                {"rel": "self", "href": "./collection.json", "type": "application/json"},
                *self._links,
            ],
        }
        if not collection["summaries"]["ml-aoi:split"]:  # type: ignore[index]
            del collection["summaries"]
        self._json("stac/collection.json", collection)
        undated = self.counts["undated"]
        if not undated:
            return ()
        return (
            f"STAC needs a date: {many(undated, 'chip')} of scenes without one say 1900 to 2100. Give scenes their date with `geolabel scene add --datetime`.",
        )

    def _json(self, path: str, value: Any) -> None:
        self.context.files.write(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _item(name: str, grid: Grid, scene: Scene, collection: str) -> dict[str, Any]:
    geometry, box = outline_in_degrees(grid)
    assert grid.crs is not None
    code = grid.crs if grid.crs.startswith("EPSG:") else None
    when = {"datetime": _utc(scene.datetime)} if scene.datetime else dict(_ALWAYS)
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [PROJECTION] if name.startswith("scene-") else [LABEL, ML_AOI, PROJECTION],
        "id": name,
        "collection": collection,
        "geometry": geometry,
        "bbox": box,
        "properties": {
            **when,
            "proj:code": code,
            "proj:shape": [grid.height, grid.width],
            "proj:transform": list(grid.transform),
        },
    }


def _links() -> list[dict[str, str]]:
    href = {"href": "../collection.json", "type": "application/json"}
    return [{"rel": rel, **href} for rel in ("collection", "parent", "root")]


def _utc(moment: str) -> str:
    """A date or a time as STAC has it: RFC 3339 with a time zone."""
    return moment if "T" in moment else f"{moment}T00:00:00Z"
