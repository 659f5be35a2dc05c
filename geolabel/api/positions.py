"""`/api/projects/{project}/positions`: a place in the project's CRS, in degrees and in pixels of a scene."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from affine import Affine
from fastapi import APIRouter, Depends, Query, Response

from geolabel.api.context import ContextDep, known_parameters
from geolabel.api.wire import Json, bad_parameter
from geolabel.errors import InvalidCRS, NotFound
from geolabel.geo import crs as crs_
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.model import Scene

router = APIRouter(
    prefix="/api/projects", tags=["projects"], dependencies=[Depends(known_parameters)], default_response_class=Json
)

MAX_POINTS = 100


@router.get("/{project}/positions")
def positions(
    context: ContextDep,
    project: str,
    points: Annotated[str, Query(description=f"`x,y;x,y;...` in `crs`, x first; at most {MAX_POINTS}.")],
    crs: Annotated[str, Query(description="CRS of the points; `project` for that of the project.")] = CRS84,
    scene: Annotated[str | None, Query(description="Id of a scene of the project, for pixels.")] = None,
) -> Response:
    """Where points are: longitude and latitude, the project's CRS, and continuous pixels of a scene.

    What a coordinate system cannot hold is null.
    """
    project_ = context.store.project(project)
    if project_.crs is None or not crs_.on_earth(project_.crs):
        raise bad_parameter("points", "the labels of this project have no longitude and latitude")
    try:
        source = project_.crs if crs == "project" else crs_.normalise(crs)
        if not crs_.on_earth(source):
            raise bad_parameter("crs", f"it does not lie on the Earth, got {crs!r:.80}")
    except InvalidCRS as error:
        raise bad_parameter("crs", str(error)) from error
    xy = _read(points)
    shown = None
    if scene is not None:
        try:
            shown = context.store.scene(scene)
        except NotFound as error:
            raise bad_parameter("scene", str(error)) from error
    return Json(
        {
            "crs": crs_.label(project_.crs),
            "lonlat": _rows(crs_.transform_coordinates(xy, source, CRS84)),
            "project": _rows(crs_.transform_coordinates(xy, source, project_.crs)),
            "pixel": None if shown is None or shown.grid.crs is None else _rows(_pixels(xy, source, shown)),
        }
    )


def _pixels(xy: NDArray[np.float64], source: str, scene: Scene) -> NDArray[np.float64]:
    """(n, 2) continuous pixels, column first."""
    x, y = crs_.transform_coordinates(xy, source, scene.grid.crs or source).T
    col, row = ~Affine(*scene.grid.transform) @ (x, y)
    return np.column_stack([col, row])


def _read(text: str) -> NDArray[np.float64]:
    """(n, 2) coordinates, x first."""
    expected = f"expected 1 to {MAX_POINTS} points such as 32.59,0.35;32.60,0.36"
    pairs = text.split(";")
    if len(pairs) > MAX_POINTS:
        raise bad_parameter("points", f"{expected}; got {len(pairs)}")
    found = []
    for pair in pairs:
        try:
            numbers = [float(word) for word in pair.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != 2 or not all(map(math.isfinite, numbers)):
            raise bad_parameter("points", f"{expected}; got {pair!r:.60}")
        found.append(numbers)
    return np.array(found)


def _rows(xy: NDArray[np.float64]) -> list[Any]:
    return [[float(x), float(y)] if math.isfinite(x) and math.isfinite(y) else None for x, y in xy]
