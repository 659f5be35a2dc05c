"""Read Label Studio's JSON: tasks with annotations or predictions, and its short form JSON_MIN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely import affinity

from geolabel.errors import InvalidInput
from geolabel.formats.coco_reader import files_in
from geolabel.formats.pictures import Guide, Picture, check_size, numbers_of, outline, score_of, upright
from geolabel.formats.strict import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

_KINDS = ("rectanglelabels", "polygonlabels", "ellipselabels", "keypointlabels")
_QUARTER = 16
"""Vertices of a quarter of an ellipse."""


class _Bad(Exception):
    """A result that cannot be."""


def read_labelstudio(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read the tasks of an export of Label Studio; where a task has no annotations, its predictions."""
    for file in files_in(path, ("labelstudio",), "*.json"):
        tasks = read_json(file)
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise InvalidInput(f"{file.name} is not Label Studio's JSON: expected a list of tasks (at /).")
        for index, task in enumerate(tasks):
            yield from _task(task, f"{file.name}/{index}", guide)


def _task(task: dict[str, Any], where: str, guide: Guide) -> Iterator[Picture]:
    named = task.get("data")
    data = named if isinstance(named, dict) else task
    name = next((v for k in ("image", "img", "ocr") if isinstance(v := data.get(k), str)), None) or next(
        (v for v in data.values() if isinstance(v, str) and "." in v), None
    )
    results = list(_results(task, where))
    if name is None and results:
        raise InvalidInput(f"{where}/data: the task names no picture; expected a text such as 'image'.")
    picture = Picture(name or "", where)
    for pointer, result, score in results:
        if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
            guide.refuse(pointer, "a result is an object with a 'value'", reason="its result is none")
            continue
        kind, value = result.get("type"), result["value"]
        if kind not in _KINDS:
            guide.left_out[f"results of the type {str(kind)[:40]!r}"] += 1
            continue
        try:
            size = check_size(result.get("original_width"), result.get("original_height"), pointer)
            if picture.size not in {None, size}:
                raise _Bad(f"the picture is {size[0]} x {size[1]} here and another size before")
            picture.size = size
            labels = value.get(kind)
            if not isinstance(labels, list) or not labels or not isinstance(labels[0], str):
                raise _Bad(f"expected a list with a class under {kind!r}")
            shape = _shape(str(kind), value, np.array(size, dtype=np.float64) / 100)
        except (_Bad, InvalidInput) as bad:
            guide.refuse(pointer, str(bad).removesuffix("."), reason="its shape or class cannot be")
            continue
        picture.add(shape, guide.class_name or labels[0], pointer, score=score_of(result.get("score", score)))
    yield picture


def _results(task: dict[str, Any], where: str) -> Iterator[tuple[str, Any, Any]]:
    """Every result with its pointer, and the score of the prediction that it is of."""
    annotations = task.get("annotations", task.get("completions"))
    if annotations is None and "predictions" not in task:
        yield from _short_form(task, where)
        return
    kept = [(i, a) for i, a in enumerate(annotations or []) if isinstance(a, dict) and not a.get("was_cancelled")]
    which, member = (kept, "annotations") if kept else (list(enumerate(task.get("predictions") or [])), "predictions")
    for index, one in which:
        if not isinstance(one, dict) or not isinstance(one.get("result", []), list):
            raise InvalidInput(f"{where}/{member}/{index}: expected an object with the list 'result'.")
        for number, result in enumerate(one.get("result", [])):
            yield f"{where}/{member}/{index}/result/{number}", result, one.get("score")


def _short_form(task: dict[str, Any], where: str) -> Iterator[tuple[str, Any, Any]]:
    """JSON_MIN has the values of results as lists of the task, by the name of the control."""
    for name, values in task.items():
        if not isinstance(values, list):
            continue
        for index, value in enumerate(values):
            kind = next((k for k in _KINDS if isinstance(value, dict) and k in value), None)
            if kind is not None:
                yield f"{where}/{name}/{index}", {**value, "type": kind, "value": value}, None


def _shape(kind: str, value: dict[str, Any], percent: np.ndarray) -> BaseGeometry:
    if kind == "polygonlabels":
        points = value.get("points")
        if not isinstance(points, list) or any(not isinstance(p, list) or len(p) != 2 for p in points):
            raise _Bad("the points of a polygon are a list of [x, y]")
        flat = numbers_of([v for p in points for v in p], least=6)
        ring = None if flat is None else outline(flat.reshape(-1, 2) * percent)
        if ring is None:
            raise _Bad("a polygon has three or more points that enclose an area")
        return ring
    names = {"keypointlabels": ("x", "y"), "ellipselabels": ("x", "y", "radiusX", "radiusY")}.get(
        kind, ("x", "y", "width", "height")
    )
    found = numbers_of([value.get(n) for n in names])
    if found is None:
        raise _Bad(f"expected finite numbers {', '.join(names)}")
    corner = found[:2] * percent
    if kind == "keypointlabels":
        point: BaseGeometry = shapely.Point(corner)
        return point
    extent = found[2:] * percent
    if (extent <= 0).any():
        raise _Bad("the shape has no area")
    if kind == "ellipselabels":
        round_ = shapely.Point(corner).buffer(1, quad_segs=_QUARTER)
        shape: BaseGeometry = affinity.scale(round_, extent[0], extent[1], origin=tuple(corner))
    else:
        shape = upright(*corner, *(corner + extent))
    angle = numbers_of([value.get("rotation", 0)])
    if angle is None:
        raise _Bad("a rotation is a finite number of degrees")
    # Turned clockwise as seen on the picture, about the corner (an ellipse: its middle).
    turned: BaseGeometry = affinity.rotate(shape, float(angle[0]), origin=tuple(corner)) if angle[0] else shape
    return turned
