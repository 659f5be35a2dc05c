"""Read formats of one text file a picture and one line an object: YOLO, DOTA, KITTI; labels, and results with a confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import yaml

from geolabel.errors import InvalidInput
from geolabel.formats.pictures import LARGEST, Guide, Picture, mended, outline, points_of, score_of, upright
from geolabel.formats.strict import number, read_bytes, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_NOT_LABELS = {"classes.txt", "train.txt", "val.txt", "test.txt", "readme.txt", "labels.txt"}


class _Bad(Exception):
    """A line that cannot be."""


def _text_files(path: Path, folders: tuple[str, ...]) -> list[Path]:
    """The file itself, or the text files in the first of these folders below a folder that there is, else in it."""
    if path.name in {"data.yaml", "data.yml", "obj.data", "dataset.yaml"}:
        path = path.parent
    if path.is_file():
        return [path]
    roots = [found for name in folders for found in sorted(path.rglob(name)) if found.is_dir()] or [path]
    files = sorted({file for root in roots for file in root.rglob("*.txt") if file.name.lower() not in _NOT_LABELS})
    if not files:
        raise InvalidInput(f"The folder {path.name or path} has no text file with labels.")
    return files


def _finite(words: list[str]) -> NDArray[np.float64]:
    values = [number(word) for word in words]
    for word, value in zip(words, values, strict=True):
        if value is None or abs(value) > LARGEST:
            raise _Bad(f"expected finite numbers, got {word!r:.40}")
    return np.array(values, dtype=np.float64)


def _score(value: float) -> float:
    score = score_of(value)
    if score is None:
        raise _Bad(f"a confidence is from 0 to 1, got {value:g}")
    return score


class _Yolo:
    """A line: class, shares of the picture's size, and the confidence of a result behind them."""

    folder: ClassVar[str] = "yolo"
    expected: ClassVar[str] = "class cx cy w h [confidence]"

    def __init__(self, path: Path, guide: Guide) -> None:
        self._guide = guide
        self._path = path
        self._names = _yolo_names(path)

    def pictures(self) -> Iterator[Picture]:
        for file in _text_files(self._path, ("labels", "obj_train_data")):
            place = self._guide.places.find(file.stem)
            if place is None:
                count = sum(1 for _ in read_lines(file))
                message = self._guide.places.unknown(file.stem)
                for _ in range(count):
                    self._guide.refuse(file.name, message, reason="nothing says where its picture lies")
                continue
            size = (place.grid.width, place.grid.height)
            picture = Picture(file.stem, file.name, None, loose=self.loose())
            for line, words in read_lines(file):
                where = f"{file.name}, line {line}"
                try:
                    name = self._guide.class_name or self._class(words[0])
                    shape, score = self._read(_finite(words[1:]), np.array(size, dtype=np.float64))
                except _Bad as bad:
                    self._guide.refuse(
                        where, f"{bad}; expected {self.expected}", reason="its line is none of the format"
                    )
                    continue
                picture.add(shape, name, where, score=score)
            yield picture

    @classmethod
    def loose(cls) -> bool:
        return False

    def _class(self, word: str) -> str:
        index = int(word) if word.isdecimal() and len(word) < 8 else -1
        name = self._names.get(index) if self._names else self._guide.places.class_of(index)
        if name is None:
            raise _Bad(f"no class has the number {word!r:.20}")
        return name

    def _read(self, values: NDArray[np.float64], size: NDArray[np.float64]) -> tuple[BaseGeometry, float | None]:
        if len(values) not in {4, 5}:
            raise _Bad(f"the line has {len(values) + 1} numbers")
        return _yolo_box(values[:4], size), _score(values[4]) if len(values) == 5 else None


class _YoloSeg(_Yolo):
    folder = "yolo-seg"
    expected = "class x1 y1 x2 y2 x3 y3 ... [confidence]"

    def _read(self, values: NDArray[np.float64], size: NDArray[np.float64]) -> tuple[BaseGeometry, float | None]:
        odd = len(values) % 2
        ring = outline(values[: len(values) - odd].reshape(-1, 2) * size)
        if ring is None:
            raise _Bad("the outline encloses no area")
        return mended(ring), _score(values[-1]) if odd else None


class _YoloObb(_Yolo):
    folder = "yolo-obb"
    expected = "class x1 y1 x2 y2 x3 y3 x4 y4 [confidence]"

    @classmethod
    def loose(cls) -> bool:
        return True

    def _read(self, values: NDArray[np.float64], size: NDArray[np.float64]) -> tuple[BaseGeometry, float | None]:
        if len(values) not in {8, 9}:
            raise _Bad(f"the line has {len(values) + 1} numbers")
        ring = outline(values[:8].reshape(4, 2) * size)
        if ring is None:
            raise _Bad("the corners enclose no area")
        return ring, _score(values[8]) if len(values) == 9 else None


class _YoloPose(_Yolo):
    folder = "yolo-pose"
    expected = "class cx cy w h, then x y visible of each point [confidence]"

    def _read(self, values: NDArray[np.float64], size: NDArray[np.float64]) -> tuple[BaseGeometry, float | None]:
        rest = values[4:]
        step = 3 if len(rest) % 3 in {0, 1} and len(rest) >= 3 else 2
        extra = len(rest) % step
        if len(rest) < 2 or extra > 1:
            raise _Bad(f"the line has {len(values) + 1} numbers")
        points = rest[: len(rest) - extra].reshape(-1, step)
        seen = points[:, :2][points[:, 2] > 0] if step == 3 else points[(points != 0).any(axis=1)]
        if not len(seen):
            raise _Bad("none of the points is visible")
        return points_of(seen * size), _score(values[-1]) if extra else None


def _yolo_box(values: NDArray[np.float64], size: NDArray[np.float64]) -> BaseGeometry:
    middle, extent = values[:2] * size, values[2:] * size
    if (extent <= 0).any():
        raise _Bad("the box has no area")
    return upright(*(middle - extent / 2), *(middle + extent / 2))


def _yolo_names(path: Path) -> dict[int, str]:
    """Class names by number, from the dataset's own files above or in the folder; none where it has none."""
    start = path if path.is_dir() else path.parent
    for folder in (start, *list(start.parents)[:3]):
        for file in (folder / "data.yaml", folder / "data.yml", folder / "dataset.yaml"):
            if file.is_file():
                return _from_yaml(file)
        for file in (folder / "obj.names", folder / "classes.txt"):
            if file.is_file():
                return {
                    index: line.strip()
                    for index, line in enumerate(read_bytes(file, 10_000_000).decode("utf-8", "replace").splitlines())
                }
    return {}


def _from_yaml(file: Path) -> dict[int, str]:
    try:
        value = yaml.safe_load(read_bytes(file, 10_000_000))
    except yaml.YAMLError as error:
        raise InvalidInput(f"{file.name} is not YAML: {' '.join(str(error).split()):.200}.") from error
    names = value.get("names") if isinstance(value, dict) else None
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not all(type(k) is int and isinstance(v, str) for k, v in listed.items()):
        raise InvalidInput(f"{file.name} has no class names: expected a list or numbers with names under 'names'.")
    return listed


def read_yolo(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read YOLO's boxes: a folder of text files, `data.yaml`, or one file."""
    return _Yolo(path, guide).pictures()


def read_yolo_seg(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read YOLO's outlines."""
    return _YoloSeg(path, guide).pictures()


def read_yolo_obb(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read YOLO's turned boxes."""
    return _YoloObb(path, guide).pictures()


def read_yolo_pose(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read YOLO's points."""
    return _YoloPose(path, guide).pictures()


def read_dota(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read DOTA: `labelTxt/*.txt` with corners, class and difficulty; or results, `Task1_CLASS.txt`, with picture and confidence."""
    for file in _text_files(path, ("labelTxt",)):
        if file.name.lower().startswith("task"):
            yield from _dota_results(file, guide)
            continue
        picture = Picture(file.stem, file.name, loose=True)
        for line, words in read_lines(file):
            if line <= 2 and words[0].lower().partition(":")[0] in {"imagesource", "gsd"}:
                continue
            where = f"{file.name}, line {line}"
            try:
                if len(words) not in {9, 10}:
                    raise _Bad(f"the line has {len(words)} words")
                shape = _corners(words[:8])
            except _Bad as bad:
                guide.refuse(
                    where,
                    f"{bad}; expected x1 y1 x2 y2 x3 y3 x4 y4 class [difficulty]",
                    reason="its line is none of the format",
                )
                continue
            level = words[9] if len(words) == 10 else None
            said = {"difficulty": int(level)} if level and level.isdecimal() else None
            picture.add(shape, guide.class_name or words[8], where, said=said)
        yield picture


def _dota_results(file: Path, guide: Guide) -> Iterator[Picture]:
    class_name = guide.class_name or file.stem.partition("_")[2]
    pictures: dict[str, Picture] = {}
    for line, words in read_lines(file):
        where = f"{file.name}, line {line}"
        try:
            if len(words) not in {6, 10}:
                raise _Bad(f"the line has {len(words)} words")
            score = _score(_finite(words[1:2])[0])
            shape = _corners(words[2:]) if len(words) == 10 else upright(*_finite(words[2:]))
        except _Bad as bad:
            guide.refuse(
                where, f"{bad}; expected picture confidence x1 y1 ... x4 y4", reason="its line is none of the format"
            )
            continue
        pictures.setdefault(words[0], Picture(words[0], where, loose=True)).add(shape, class_name, where, score=score)
    yield from pictures.values()


def _corners(words: list[str]) -> BaseGeometry:
    ring = outline(_finite(words).reshape(4, 2))
    if ring is None:
        raise _Bad("the corners enclose no area")
    return ring


def read_kitti(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read KITTI: `label_2/*.txt` with 15 columns, or 16 with a confidence; `DontCare` is no object."""
    for file in _text_files(path, ("label_2",)):
        picture = Picture(file.stem, file.name)
        for line, words in read_lines(file):
            where = f"{file.name}, line {line}"
            if words[0] == "DontCare":
                guide.left_out["areas 'DontCare'"] += 1
                continue
            try:
                if len(words) not in {15, 16}:
                    raise _Bad(f"the line has {len(words)} words")
                x0, y0, x1, y1 = _finite(words[4:8]).tolist()
                if x1 <= x0 or y1 <= y0:
                    raise _Bad("the box has no area")
                score = _score(_finite(words[15:])[0]) if len(words) == 16 else None
            except _Bad as bad:
                guide.refuse(where, f"{bad}; expected KITTI's 15 columns", reason="its line is none of the format")
                continue
            picture.add(upright(x0, y0, x1, y1), guide.class_name or words[0], where, score=score)
        yield picture
