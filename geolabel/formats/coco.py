"""COCO object detection: one JSON file a split, polygons with their full doubles, RLE where a polygon has holes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely

from geolabel.chips.burn import burn_one, encode_many, is_worth_compiling
from geolabel.chips.together import areas, bounds
from geolabel.formats import rle
from geolabel.formats.areas import areas_of, areas_only, left_out
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.keyhole import keyhole
from geolabel.geo import crs as crs_
from geolabel.geo.measure import Rings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip
    from geolabel.chips.together import Together
    from geolabel.classes import LabelClass
    from geolabel.formats.base import Context
    from geolabel.formats.files import Files

_COMMA = ord(",")


class CocoWriter(ChipWriter):
    """Writes `coco/{split}.json`; annotations go to the disk as they come, images are kept until the end."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._files = CocoFiles(context.files, "coco")

    def begin(self) -> None:
        """Write the heads of the files."""
        self._files.begin(self.context, lambda c: {"color": c.color})

    def write(self, chip: Chip) -> Piece:
        """The polygons on a chip; lines and points have no area and are counted."""
        labels = chip.labels
        chosen = areas_of(chip)
        said, measured = labels.each(self._shapes), labels.each(_ground)
        class_ids, ids, truncated = (each.tolist() for each in (labels.class_ids, labels.ids, labels.truncated))
        annotations = [
            b'"image_id":%d,"category_id":%d,%b,"geo":{"annotation":%d,"area_m2":%b,"truncated":%b}%b}'
            % (
                chip.number, class_ids[at], said[at], ids[at], measured[at], b"true" if truncated[at] else b"false", more
            )
            for at, more in zip(chosen.tolist(), self._attributes(chip, chosen), strict=True)
        ]  # fmt: skip
        image = image_record(chip, self.context.image_path(chip))
        return Piece(lines=self._files.lines(image, annotations), counts=left_out(chip))

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Number the annotations of a chip, and write them."""
        self._files.add(chip.split, piece.lines)
        self.counts.update(piece.counts)

    def close(self) -> tuple[str, ...]:
        """Finish the files."""
        self._files.end()
        return areas_only("COCO", self.counts)

    def _attributes(self, chip: Chip, chosen: NDArray[np.int64]) -> list[bytes]:
        """The member `attributes` of each annotation, with a comma before it; nothing where it has none."""
        names = [a.name for a in self.context.project.attributes if a.name in chip.columns]
        if not names:
            return [b""] * len(chosen)
        rows = zip(*(chip.columns[name][chosen].tolist() for name in names), strict=True)
        said = [{name: v for name, v in zip(names, row, strict=True) if v is not None} for row in rows]
        return [b',"attributes":' + orjson.dumps(one) if one else b"" for one in said]

    def _shapes(self, shapes: Together) -> list[bytes]:
        """(n,) the members `bbox` to `segmentation` of areas."""
        x0, y0, x1, y1 = shapes.known(bounds).T
        boxes = texts_of(np.column_stack((x0, y0, x1 - x0, y1 - y0)), np.full(len(x0), 4))
        sizes = texts_of(shapes.known(areas), np.ones(len(x0), dtype=np.int64))
        return [
            b'"bbox":[%b],"area":%b,"iscrowd":0,"segmentation":%b' % said
            for said in zip(boxes, sizes, self._segmentations(shapes), strict=True)
        ]

    def _segmentations(self, shapes: Together) -> list[bytes]:
        """(n,) JSON of areas: outlines `[[x, y, x, y...]...]` without their closing vertex; what has holes as the spec says."""
        rings = shapes.known(_rings)
        texts = texts_of(rings.xy, 2 * rings.sizes, cut=2)
        found: list[bytes] = [b""] * len(shapes.geometries)
        for index, text in zip(rings.owner.tolist(), texts, strict=True):
            found[index] = b"%b,[%b]" % (found[index], text) if found[index] else b"[%b]" % text
        segmentations = [b"[%b]" % text for text in found]
        holed = np.unique(rings.owner[~rings.outline])
        sizes = np.array([(grid.height, grid.width) for grid in shapes.grids])[shapes.chip[holed]]
        for height, width in {(high, wide) for high, wide in sizes.tolist()}:
            own = holed[(sizes == (height, width)).all(axis=1)]
            for index, said in zip(own.tolist(), self._holed(shapes.geometries[own], height, width), strict=True):
                segmentations[index] = orjson.dumps(said)
        return segmentations

    def _holed(self, shapes: NDArray[np.object_], height: int, width: int) -> list[Any]:
        if self.context.spec.coco_holes != "rle":
            return [_cut_open(shape) for shape in shapes]
        if is_worth_compiling(len(shapes)):
            return [{"size": [height, width], "counts": text} for text in encode_many(shapes, width, height)]
        return [rle.to_json(burn_one(shape, width, height)) for shape in shapes]


def texts_of(numbers: NDArray[np.float64], counts: NDArray[np.int64], cut: int = 0) -> list[bytes]:
    """Lists of numbers as JSON has them, without brackets.

    All of them are written at once, and the text is cut at its commas: list by list takes four times as long.

    Args:
        numbers: of all lists, one list after the other, in any shape.
        counts: (n,) how many are in each list, one at least beside those that are cut off.
        cut: so many are left out at the end of each list.
    """
    if not len(counts):
        return []
    text = orjson.dumps(np.ascontiguousarray(numbers).ravel(), option=orjson.OPT_SERIALIZE_NUMPY)
    commas = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == _COMMA)
    around = np.concatenate(([0], commas, [len(text) - 1]))  # the brackets, and between them a comma before each number
    ends = np.cumsum(counts, dtype=np.int64)
    return [
        text[start:end]
        for start, end in zip((around[ends - counts] + 1).tolist(), around[ends - cut].tolist(), strict=True)
    ]


def _cut_open(shape: BaseGeometry) -> list[list[float]]:
    parts = shapely.get_parts(shape)
    rings = (keyhole(p) if len(p.interiors) else shapely.get_coordinates(p.exterior)[:-1] for p in parts)
    return [ring.ravel().tolist() for ring in rings]


class CocoFiles:
    """One JSON file a split, its annotations streamed: `{head, "annotations": [...], "images": [...]}`; ids of annotations count from 1.

    Args:
        files: where they are written.
        folder: that they lie in, relative to the dataset.
    """

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self._folder = folder
        self._images: dict[str, list[bytes]] = {}
        self._numbers: dict[str, int] = {}

    def begin(self, context: Context, category: Callable[[LabelClass], dict[str, Any]]) -> None:
        """Begin the file of each split with its head; `category` gives what is said of a class beside its name."""
        head = {
            "info": {"description": context.project.title, "version": "1.0"},
            "licenses": [],
            "categories": [
                {"id": c.id, "name": c.name, "supercategory": c.parent or "", **category(c)}
                for c in context.project.classes
            ],
        }
        for split in context.splits:
            self._images[split], self._numbers[split] = [], 0
            self._stream(split).write(orjson.dumps(head)[:-1] + b',"annotations":[')

    def lines(self, image: dict[str, Any], annotations: Iterable[bytes]) -> dict[str, bytes]:
        """What `add` takes of a chip: its image and its annotations, JSON without the opening brace, behind which their ids come."""
        return {"image": orjson.dumps(image), "annotations": b"\n".join(annotations)}

    def add(self, split: str, lines: Mapping[str, bytes]) -> None:
        """Keep the image of a chip until the end, and write its annotations with the next ids."""
        self._images[split].append(lines["image"])
        if not lines["annotations"]:
            return
        number = self._numbers[split]
        count = lines["annotations"].count(b"\n") + 1
        # One long text with places for the numbers, filled in at once.
        text = lines["annotations"].replace(b"%", b"%%").replace(b"\n", b',\n{"id":%d,')
        numbered = (b',\n{"id":%d,' + text) % tuple(range(number + 1, number + count + 1))
        self._stream(split).write(numbered if number else numbered[1:])
        self._numbers[split] = number + count

    def end(self) -> None:
        """Write the images and end the files."""
        for split, images in self._images.items():
            self._stream(split).write(b'\n],"images":[\n' + b",\n".join(images) + b"\n]}\n")

    def _stream(self, split: str) -> BinaryIO:
        return self._files.open(f"{self._folder}/{split}.json")


def image_record(chip: Chip, path: str) -> dict[str, Any]:
    """What COCO says of a chip; `geo` brings what is found on it back to the map.

    The id is the chip's number in `chips.parquet`, from 1: by it, results on any split find their chip again.
    """
    return {
        "id": chip.number,
        "file_name": path,
        "width": chip.grid.width,
        "height": chip.grid.height,
        "geo": {
            "crs": chip.grid.crs,
            "transform": list(chip.grid.transform),
            "scene": chip.scene,
            "window": list(chip.window),
        },
    }


def _ground(shapes: Together) -> list[bytes]:
    if not len(shapes.geometries):
        return []
    return orjson.dumps(shapes.known(ground_areas).tolist())[1:-1].split(b",")


def ground_areas(shapes: Together) -> NDArray[np.object_]:
    """(n,) area on the ground in m2 of what lies on the chips; None where there is no ground to measure."""
    found = np.full(len(shapes.geometries), None, dtype=object)
    every = {grid.crs for grid in shapes.grids}
    crs_of = np.array([*(grid.crs for grid in shapes.grids), None], dtype=object)[shapes.chip]
    for crs in [crs for crs in every if crs is not None]:
        rows = np.flatnonzero(crs_of == crs)
        rings = shapes.known(_rings) if len(every) == 1 else Rings.of(shapes.geometries[rows])
        on_ground = replace(rings, xy=_on_map(rings.xy, shapes, np.repeat(shapes.chip[rows][rings.owner], rings.sizes)))

        def large(some: NDArray[np.int64], rows: NDArray[np.int64] = rows) -> NDArray[np.object_]:
            geometries = shapes.geometries[rows[some]]
            xy, of = shapely.get_coordinates(geometries, return_index=True)
            moved = _on_map(xy, shapes, shapes.chip[rows[some]][of])
            return np.asarray(shapely.set_coordinates(geometries.copy(), moved))

        found[rows] = crs_.ground_area_of(on_ground, large, crs).tolist()
    return found


def _rings(shapes: Together) -> Rings:
    return Rings.of(shapes.geometries)


def _on_map(xy: NDArray[np.float64], shapes: Together, chip: NDArray[np.int64]) -> NDArray[np.float64]:
    """Coordinates (v, 2) in pixels of their chips, in the CRS of these."""
    a, b, c, d, e, f = np.array([grid.transform for grid in shapes.grids]).T[:, chip]
    x, y = xy.T
    return np.column_stack((a * x + b * y + c, d * x + e * y + f))
