"""Pictures -> objects in the project's CRS: placed, pieces joined, duplicates left out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine

from geolabel.errors import InvalidCRS
from geolabel.formats.places import Place
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import PixelGeometry, pixel_to_map
from geolabel.predictions.merge import merge
from geolabel.predictions.objects import Objects, are_boxes, joined, objects
from geolabel.predictions.suppress import duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from geolabel.formats.pictures import Guide, Picture
    from geolabel.geo.tolerance import Tolerance
    from geolabel.predictions.options import BackOptions

_EVEN = 1e-3
"""In pixels: chips whose corners are whole pixels apart, to within this, lie on one lattice."""

_INSIDE = 1e-6


@dataclass(slots=True)
class Home:
    """What came of the pictures.

    Attributes:
        objects: in the project's CRS, in the order of the file.
        read: objects in the file, those refused and left out included.
        merged: pieces that were joined to others.
        suppressed: duplicates that were left out.
        unsure: left out because they are less sure than was asked for.
        small: left out because they are smaller than was asked for.
        clipped: cut off at the edge of their picture.
    """

    objects: Objects
    read: int = 0
    merged: int = 0
    suppressed: int = 0
    unsure: int = 0
    small: int = 0
    clipped: int = 0


@dataclass(slots=True)
class _Lattice:
    """Objects on chips that share one grid of pixels; its origin is the corner of the first of them."""

    place: Place
    objects: list[Objects] = field(default_factory=list)
    frames: list[NDArray[np.float64]] = field(default_factory=list)


def bring_home(
    pictures: Iterable[Picture],
    guide: Guide,
    crs: str | None,
    tolerance: Tolerance,
    *,
    options: BackOptions,
    progress: Callable[[float, str], None],
) -> Home:
    """Place objects on the map.

    Args:
        pictures: as a format's reader gives them.
        guide: where pictures lie; it hears of what was refused.
        crs: the project's; None for a project of pixels.
        tolerance: how far an edge may bend on its way before it gets vertices.
        options: how pieces are joined and duplicates found.
        progress: called with a share, 0..1, and a sentence.

    Raises:
        InvalidInput: a file that cannot be read.
        InvalidCRS: a picture that has no place in the project's CRS.
    """
    home = Home(joined([]))
    before = guide.count
    lattices: dict[tuple[Any, ...], list[_Lattice]] = defaultdict(list)
    for number, picture in enumerate(pictures):
        home.read += len(picture) + guide.count - before  # with those that the reader itself has refused
        place = guide.places.find(picture.name)
        if place is None and picture.grid is not None:
            place = Place(str(picture.name), "", picture.grid)
        if _fits(picture, place, guide):
            assert place is not None
            _lay(picture, place, number, guide, home=home, lattices=lattices, options=options)
        before = guide.count
        if number % 100 == 0:
            progress(0.3, f"{home.read:,} objects on {number + 1:,} pictures read")
    home.read += guide.count - before
    placed = []
    flat = [lattice for same in lattices.values() for lattice in same]
    for done, lattice in enumerate(flat):
        progress(0.3 + 0.5 * done / len(flat), f"Joining pieces: grid {done + 1:,} of {len(flat):,}")
        found = joined(lattice.objects)
        if options.merge:
            found, merged = merge(found, np.concatenate(lattice.frames), options)
            home.merged += merged
        placed.append(replace(found, shapes=_to_map(found.shapes, lattice.place, crs, tolerance, options)))
    home.objects = joined(placed)
    if options.merge:
        progress(0.8, "Looking for duplicates")
        gone = duplicates(home.objects, options)
        home.suppressed = int(gone.sum())
        home.objects = home.objects.take(~gone)
    return home


def _fits(picture: Picture, place: Place | None, guide: Guide) -> bool:
    """Whether a picture has a place of its own size; else its objects are refused."""
    if place is None:
        message = guide.places.unknown(picture.name)
        reason = "nothing says where its picture lies"
    elif picture.size not in {None, (place.grid.width, place.grid.height)}:
        assert picture.size is not None
        message = (
            f"the file says that {place.name} is {picture.size[0]} x {picture.size[1]} pixels, "
            f"and it is {place.grid.width} x {place.grid.height}"
        )
        reason = "its picture has another size"
    else:
        return True
    for pointer in picture.pointers:
        guide.refuse(pointer, message, reason=reason)
    return False


def _lay(
    picture: Picture,
    place: Place,
    number: int,
    guide: Guide,
    *,
    home: Home,
    lattices: dict[tuple[Any, ...], list[_Lattice]],
    options: BackOptions,
) -> None:
    if not len(picture):
        return
    shapes = objects(picture.shapes)
    scores = np.array(picture.scores, dtype=np.float64)
    kept = _in_picture(shapes, picture, place, guide, home=home, options=options)
    unsure = kept & (np.nan_to_num(scores, nan=1.0) < options.min_score)
    home.unsure += int(unsure.sum())
    small = kept & ~unsure & (shapely.get_dimensions(shapes) == 2) & (shapely.area(shapes) < options.min_area_px)
    home.small += int(small.sum())
    rows = np.flatnonzero(kept & ~unsure & ~small)
    if not len(rows):
        return
    lattice, offset = _lattice_of(place, lattices)
    on = np.array([*offset, offset[0] + place.grid.width, offset[1] + place.grid.height], dtype=np.float64)
    count = len(picture)
    found = Objects(
        shapes=shapely.transform(shapes, lambda xy: xy + offset),
        classes=objects(picture.classes),
        scores=scores,
        pointers=objects(picture.pointers),
        keys=objects(picture.keys),
        pictures=objects([frozenset((number,))] * count),
        scenes=objects([place.scene] * count),
        boxes=are_boxes(shapes),
        columns={n: objects([*column, *[None] * (count - len(column))]) for n, column in picture.columns.items()},
    )
    lattice.objects.append(found.take(rows))
    lattice.frames.append(np.broadcast_to(on, (len(rows), 4)))


def _in_picture(
    shapes: NDArray[np.object_], picture: Picture, place: Place, guide: Guide, *, home: Home, options: BackOptions
) -> NDArray[np.bool_]:
    """Which shapes lie on their picture, (n,); those that reach over its edge are cut off in place, or refused."""
    width, height = place.grid.width, place.grid.height
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    size = np.array((width, height))
    beside = ((bounds[:, 2:] <= 0) | (bounds[:, :2] >= size)).any(axis=1) & (shapely.get_dimensions(shapes) == 2)
    beside |= ((bounds[:, 2:] < 0) | (bounds[:, :2] > size)).any(axis=1)
    over = ~beside & ((bounds[:, :2] < -_INSIDE) | (bounds[:, 2:] > size + _INSIDE)).any(axis=1)
    if picture.loose:
        over[:] = False
    refused = beside | over if options.outside == "refuse" else beside
    for row in np.flatnonzero(refused).tolist():
        box = ", ".join(f"{v:.6g}" for v in bounds[row])
        guide.refuse(
            picture.pointers[row],
            f"the shape ({box}) lies {'beside' if beside[row] else 'over the edge of'} its picture of {width} x {height} pixels",
            reason="it lies beside its picture" if beside[row] else "it reaches over the edge of its picture",
        )
    rows = np.flatnonzero(over & ~refused)
    if len(rows):
        valid = shapes[rows]
        broken = ~shapely.is_valid(valid)
        valid[broken] = shapely.make_valid(valid[broken], method="structure")
        cut = shapely.intersection(valid, shapely.box(0, 0, width, height))
        same = shapely.get_dimensions(cut) == shapely.get_dimensions(shapes[rows])
        shapes[rows[same]] = cut[same]
        home.clipped += int(same.sum())
    return np.asarray(~refused)


def _lattice_of(place: Place, lattices: dict[tuple[Any, ...], list[_Lattice]]) -> tuple[_Lattice, tuple[float, float]]:
    """The lattice of a picture, and where its corner lies on it, in whole pixels."""
    a, b, c, d, e, f = place.grid.transform
    same = lattices[place.scene, place.grid.crs, a, b, d, e]
    for lattice in same:
        x, y = ~Affine(*lattice.place.grid.transform) @ (c, f)
        if abs(x - round(x)) <= _EVEN and abs(y - round(y)) <= _EVEN:
            return lattice, (float(round(x)), float(round(y)))
    same.append(_Lattice(place))
    return same[-1], (0.0, 0.0)


def _to_map(
    shapes: NDArray[np.object_], place: Place, crs: str | None, tolerance: Tolerance, options: BackOptions
) -> NDArray[np.object_]:
    if options.simplify_px:
        areas = shapely.get_dimensions(shapes) == 2
        shapes = shapes.copy()
        shapes[areas] = shapely.simplify(shapes[areas], options.simplify_px)
    if (place.grid.crs is None) != (crs is None):
        what = "no place on a map, and the project has" if place.grid.crs is None else "a CRS, and the project has none"
        raise InvalidCRS(f"The picture {place.name} has {what}: nothing leads from one to the other.")
    on_ground = pixel_to_map(PixelGeometry(shapes, place.grid)).geometries
    if crs is None or place.grid.crs is None:
        return on_ground
    return crs_.transform_geometries(on_ground, place.grid.crs, crs, tolerance=tolerance.bend(crs))
