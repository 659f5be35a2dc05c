"""Read COCO: datasets of objects and lists of results; boxes, polygons, RLE and keypoints, each record checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import shapely

from geolabel.errors import InvalidInput
from geolabel.formats import rle
from geolabel.formats.outlines import outline_of
from geolabel.formats.pictures import (
    Guide,
    Picture,
    check_mask_size,
    check_size,
    mended,
    numbers_of,
    outline,
    points_of,
    score_of,
    upright,
)
from geolabel.formats.strict import read_json
from geolabel.geo import crs as crs_
from geolabel.model import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

_NUMBERS = 3
"""Numbers that COCO says of a keypoint: x, y, and whether it is seen."""


class _Bad(Exception):
    """A record that cannot be: where in it, and why."""

    def __init__(self, where: str, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.where = where
        self.reason = reason or message


def read_coco(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read files of COCO.

    Args:
        path: a JSON file, or a folder with some: those in `coco/` or `annotations/`, else its own.
        guide: what the file does not say; it hears of what was refused.

    Raises:
        InvalidInput: not COCO.
    """
    for file in files_in(path, ("coco", "annotations"), "*.json"):
        yield from read_value(read_json(file), file.name, guide)


def read_keypoints(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read the points of COCO's keypoints instead of the boxes around them."""
    for file in files_in(path, ("coco-keypoints", "annotations"), "*.json"):
        yield from read_value(read_json(file), file.name, guide, points=True)


def files_in(path: Path, folders: tuple[str, ...], pattern: str) -> list[Path]:
    """The file itself; of a folder, the files of a pattern in the first of these folders that it has, else its own.

    Raises:
        InvalidInput: there is none.
    """
    if not path.is_dir():
        return [path]
    places = [path / name for name in folders if (path / name).is_dir()] or [path]
    found = sorted(p for p in places[0].glob(pattern) if p.name not in {"manifest.json", "report.json"})
    if not found:
        raise InvalidInput(f"The folder {places[0].name} has no file {pattern}.")
    return found


def read_value(value: Any, name: str, guide: Guide, *, points: bool = False) -> Iterator[Picture]:
    """Read decoded JSON of the file of that name."""
    if isinstance(value, list):
        yield from _Results(value, name, guide, points).pictures()
    elif (
        isinstance(value, dict) and isinstance(value.get("images"), list) and isinstance(value.get("annotations"), list)
    ):
        yield from _Dataset(value, name, guide, points).pictures()
    else:
        raise InvalidInput(
            f"{name} is not COCO: expected an object with the lists 'images' and 'annotations', or a list of results (at /)."
        )


class _Records:
    """Annotations, whichever of the two files they are in."""

    def __init__(self, name: str, guide: Guide, classes: Mapping[int, str], points: bool) -> None:
        self._name, self._guide, self._classes, self._points = name, guide, classes, points

    def put(self, record: Any, pointer: str, picture: Picture) -> None:
        """Put what a record says on its picture, or say why not."""
        where = f"{self._name}{pointer}"
        try:
            shape = self._shape(record, picture)
            if shape is None:
                what = "captions" if "caption" in record else "labels of whole pictures"
                self._guide.left_out[what] += 1
                return
            class_name = self._class(record)
            score = None
            if record.get("score") is not None:
                score = score_of(record["score"])
                if score is None:
                    raise _Bad(
                        "/score",
                        f"a score is a number from 0 to 1, got {_short(record['score'])}",
                        "its score is not from 0 to 1",
                    )
        except _Bad as bad:
            self._guide.refuse(f"{where}{bad.where}", str(bad), reason=bad.reason)
            return
        own = record.get("geo")
        key = own.get("annotation") if isinstance(own, dict) else None
        said = record.get("attributes")
        picture.add(
            shape,
            class_name,
            where,
            score=score,
            key=f"{key}" if type(key) is int else None,
            said={k: v for k, v in said.items() if not isinstance(v, list | dict)} if isinstance(said, dict) else None,
        )

    def _class(self, record: dict[str, Any]) -> str:
        if self._guide.class_name is not None:
            return self._guide.class_name
        number = record.get("category_id")
        if type(number) is not int or number not in self._classes:
            raise _Bad("/category_id", f"no category has the id {_short(number)}", "its category is not in the file")
        return self._classes[number]

    def _shape(self, record: Any, picture: Picture) -> BaseGeometry | None:
        if not isinstance(record, dict):
            raise _Bad("", f"an annotation is an object, got {type(record).__name__}")
        if self._points and record.get("keypoints"):
            return _keypoints(record["keypoints"])
        segmentation = record.get("segmentation")
        if segmentation:
            return _segmentation(segmentation, picture.size)
        if segmentation is not None and segmentation not in ([], {}):
            raise _Bad("/segmentation", f"a segmentation is a list of outlines or an RLE, got {_short(segmentation)}")
        if record.get("bbox"):
            return _box(record["bbox"])
        if record.get("bbox") not in (None, []):
            raise _Bad("/bbox", f"a box is four numbers, got {_short(record['bbox'])}")
        return _keypoints(record["keypoints"]) if record.get("keypoints") else None


class _Dataset(_Records):
    def __init__(self, value: dict[str, Any], name: str, guide: Guide, points: bool) -> None:
        super().__init__(name, guide, _categories(value.get("categories"), name), points)
        self._images, self._annotations = value["images"], value["annotations"]

    def pictures(self) -> Iterator[Picture]:
        pictures: dict[Any, Picture] = {}
        for index, image in enumerate(self._images):
            pointer = f"{self._name}/images/{index}"
            if (
                not isinstance(image, dict)
                or not isinstance(image.get("file_name"), str)
                or not _is_id(image.get("id"))
            ):
                raise InvalidInput(
                    f"{pointer}: an image is an object with an 'id' and a 'file_name', got {_short(image)}."
                )
            if image["id"] in pictures:
                raise InvalidInput(f"{pointer}/id: two images have the id {_short(image['id'])}.")
            size = None
            if image.get("width") is not None or image.get("height") is not None:
                size = check_size(image.get("width"), image.get("height"), pointer)
            pictures[image["id"]] = Picture(image["file_name"], pointer, size, _grid(image, size, pointer))
        seen: set[Any] = set()
        for index, record in enumerate(self._annotations):
            number = record.get("image_id") if isinstance(record, dict) else None
            picture = pictures.get(number) if _is_id(number) else None
            pointer = f"/annotations/{index}"
            own = record.get("id") if isinstance(record, dict) else None
            if picture is None:
                where = f"{self._name}{pointer}{'/image_id' if isinstance(record, dict) else ''}"
                self._guide.refuse(
                    where, f"no image has the id {_short(number)}", reason="its image is not in the file"
                )
            elif _is_id(own) and own in seen:
                where = f"{self._name}{pointer}/id"
                self._guide.refuse(
                    where, f"two annotations have the id {_short(own)}", reason="its id is another one's already"
                )
            else:
                if _is_id(own):
                    seen.add(own)
                self.put(record, pointer, picture)
        yield from pictures.values()


class _Results(_Records):
    def __init__(self, value: list[Any], name: str, guide: Guide, points: bool) -> None:
        super().__init__(name, guide, guide.places.class_names(), points)
        if value and not any(isinstance(r, dict) and "image_id" in r for r in value[:100]):
            raise InvalidInput(
                f"{name} is not COCO: a list of results has objects with an 'image_id', /0 is {_short(value[0])}."
            )
        self._records = value

    def pictures(self) -> Iterator[Picture]:
        pictures: dict[Any, Picture] = {}
        for index, record in enumerate(self._records):
            number: Any = record.get("image_id") if isinstance(record, dict) else None
            if not _is_id(number):
                self._guide.refuse(
                    f"{self._name}/{index}",
                    f"a result has an 'image_id', got {_short(record)}",
                    reason="it names no image",
                )
                continue
            if number not in pictures:
                place = self._guide.places.find(number)
                size = (place.grid.width, place.grid.height) if place else None
                pictures[number] = Picture(number, f"{self._name}/{index}", size)
            self.put(record, f"/{index}", pictures[number])
        yield from pictures.values()


def _categories(value: Any, name: str) -> dict[int, str]:
    classes: dict[int, str] = {}
    if value is None:
        return classes
    if not isinstance(value, list):
        raise InvalidInput(f"{name}/categories: expected a list, got {_short(value)}.")
    for index, one in enumerate(value):
        if not isinstance(one, dict) or type(one.get("id")) is not int or not isinstance(one.get("name"), str):
            raise InvalidInput(
                f"{name}/categories/{index}: a category is an object with a whole 'id' and a 'name', got {_short(one)}."
            )
        if one["id"] in classes:
            raise InvalidInput(f"{name}/categories/{index}/id: two categories have the id {one['id']}.")
        classes[one["id"]] = one["name"]
    return classes


def _grid(image: dict[str, Any], size: tuple[int, int] | None, pointer: str) -> Grid | None:
    """Where the `geo` of an image says that it lies."""
    own = image.get("geo")
    if not isinstance(own, dict) or size is None:
        return None
    six = own.get("transform")
    transform = numbers_of(six) if isinstance(six, list) else None
    crs = own.get("crs")
    if transform is None or len(transform) != 6 or not (crs is None or isinstance(crs, str)):
        raise InvalidInput(f"{pointer}/geo: expected a 'crs' and a 'transform' of six numbers, got {_short(own)}.")
    a, b, c, d, e, f = transform.tolist()
    if a * e == b * d:
        raise InvalidInput(f"{pointer}/geo/transform: it maps every pixel onto a line.")
    return Grid(None if crs is None else crs_.normalise(crs), (a, b, c, d, e, f), *size)


def _box(value: Any) -> BaseGeometry:
    box = numbers_of(value) if isinstance(value, list) else None
    if box is None or len(box) != 4:
        raise _Bad(
            "/bbox",
            f"a box is four finite numbers [x, y, width, height], got {_short(value)}",
            "its box is not four numbers",
        )
    x, y, width, height = box.tolist()
    if width <= 0 or height <= 0:
        raise _Bad(
            "/bbox", f"a box has a width and a height above 0, got {width:g} x {height:g}", "its box has no area"
        )
    return upright(x, y, x + width, y + height)


def _keypoints(value: Any) -> BaseGeometry:
    flat = numbers_of(value) if isinstance(value, list) else None
    if flat is None or len(flat) % _NUMBERS:
        raise _Bad(
            "/keypoints",
            f"keypoints are three numbers each, got {_short(value)}",
            "its keypoints are not three numbers each",
        )
    points = flat.reshape(-1, _NUMBERS)
    seen = points[points[:, 2] > 0, :2]
    if not len(seen):
        raise _Bad("/keypoints", "none of the keypoints is labelled", "none of its keypoints is labelled")
    return points_of(seen)


def _segmentation(value: Any, size: tuple[int, int] | None) -> BaseGeometry:
    if isinstance(value, dict):
        return _from_rle(value, size)
    if not isinstance(value, list):
        raise _Bad(
            "/segmentation",
            f"a segmentation is a list of outlines or an RLE, got {_short(value)}",
            "its segmentation is no list of outlines",
        )
    parts = []
    for index, flat in enumerate(value):
        where = f"/segmentation/{index}"
        if not isinstance(flat, list):
            raise _Bad(
                where,
                f"an outline is a list of numbers, got {_short(flat)}: a flat list must be in a list of its own",
                "its segmentation is no list of outlines",
            )
        numbers = numbers_of(flat, least=6)
        if numbers is None or len(numbers) % 2:
            raise _Bad(
                where,
                f"an outline is six or more finite numbers, x and y in turn, got {_short(flat)}",
                "its outline is not six or more finite numbers",
            )
        ring = outline(numbers.reshape(-1, 2))
        if ring is None:
            raise _Bad(where, "the outline encloses no area", "its outline encloses no area")
        parts.append(ring)
    return _joined(parts)


def _joined(parts: list[Any]) -> BaseGeometry:
    """One shape of the parts; a hole that was cut open (a bridge leads to it) is a hole again."""
    if len(parts) == 1:
        return mended(parts[0])
    whole = shapely.MultiPolygon(parts)
    return whole if shapely.is_valid(whole) else shapely.union_all([mended(part) for part in parts])


def _from_rle(value: dict[str, Any], size: tuple[int, int] | None) -> BaseGeometry:
    where, reason = "/segmentation", "its RLE is broken"
    shape = value.get("size")
    if not isinstance(shape, list) or len(shape) != 2:
        raise _Bad(f"{where}/size", f"the size of an RLE is [height, width], got {_short(shape)}", reason)
    try:
        height, width = check_size(shape[0], shape[1], "RLE")
        check_mask_size(width, height, "RLE")
        if size is not None and (width, height) != size:
            raise _Bad(
                f"{where}/size",
                f"the RLE is {width} x {height} pixels and the picture {size[0]} x {size[1]}",
                "its RLE is of another size than its picture",
            )
        shape_ = outline_of(rle.decode(rle.counts_of(value.get("counts"), height * width), height, width))
    except InvalidInput as error:
        raise _Bad(f"{where}/counts", str(error).removesuffix("."), reason) from error
    if shape_ is None:
        raise _Bad(f"{where}/counts", "the RLE has no pixel", "its RLE has no pixel")
    return shape_


def _is_id(value: object) -> bool:
    return type(value) is int or isinstance(value, str)


def _short(value: object) -> str:
    return f"{value!r:.60}"
