"""The contact sheet: chips with their labels drawn over them.

A person sees at a glance whether labels fit, which class is which, and which split a chip went to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import deflate
import numpy as np
import shapely
from PIL import Image, ImageDraw, ImageFont

from geolabel.chips.deal import draw as draw_by_lot
from geolabel.formats.report import split_color

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.build import Chip
    from geolabel.chips.plan import Plan
    from geolabel.chips.planned import PlannedChip

COLUMNS, MOST = 5, 30
CELL, GAP, MARGIN, CAPTION = 384, 16, 32, 30
FINE = 2  # overlays are drawn this many times larger and then reduced: smooth lines

_BACKGROUND, _PANEL = "#0d0e10", "#1e2125"
_TEXT, _SOFT = "#edeff2", "#9098a3"
_CASING = (11, 12, 14, 200)
_Points = list[tuple[float, float]]

_CELL_BYTES = CELL * CELL * 3


class ContactSheet:
    """The cells of the chosen chips, on their way to one picture."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._cells: list[tuple[PlannedChip, Image.Image]] = []

    def add(self, chip: PlannedChip, cell: bytes) -> None:
        """Take the next cell, as `pack` gave it."""
        pixels = deflate.zlib_decompress(cell, _CELL_BYTES)
        self._cells.append((chip, Image.frombytes("RGB", (CELL, CELL), bytes(pixels))))

    def picture(self) -> Image.Image:
        """The whole sheet."""
        order = sorted(self._cells, key=lambda cell: list(self._plan.spec.splits).index(cell[0].split))
        columns = min(COLUMNS, max(len(order), 3))
        width = 2 * MARGIN + columns * (CELL + GAP) - GAP
        legend, legend_height = _legend(self._plan, width - 2 * MARGIN)
        top = MARGIN + 76 + legend_height + GAP
        rows = -(-len(order) // columns)
        sheet = Image.new("RGB", (width, top + rows * (CELL + CAPTION + GAP) + MARGIN - GAP), _BACKGROUND)
        self._head(sheet, len(order))
        sheet.paste(legend, (MARGIN, MARGIN + 76))
        for number, (chip, cell) in enumerate(order):
            row, column = divmod(number, columns)
            x, y = MARGIN + column * (CELL + GAP), top + row * (CELL + CAPTION + GAP)
            sheet.paste(cell, (x, y))
            _caption(sheet, chip, x, y + CELL)
        return sheet

    def _head(self, sheet: Image.Image, shown: int) -> None:
        plan, pen = self._plan, ImageDraw.Draw(sheet)
        pen.text((MARGIN, MARGIN - 6), plan.project.title, _TEXT, _font(30))
        size = sizes_of(plan)
        noun = "chip" if len(plan.chips) == 1 else "chips"
        pen.text(
            (MARGIN, MARGIN + 36),
            f"{shown:,} of {len(plan.chips):,} {noun}, {size}; labels as they are in the dataset",
            _SOFT,
            _font(17),
        )


def sizes_of(plan: Plan) -> str:
    """How large the chips are, for people."""
    edges = {
        tuple(edge)
        for laid, kept in zip(plan.laid, plan.kept, strict=True)
        for edge in laid.windows.boxes[kept, 2:].tolist()
    }
    if len(edges) == 1:
        width, height = edges.pop()
        return f"{width} x {height} px"
    sides = [side for edge in edges for side in edge]
    return f"{min(sides)} to {max(sides)} px"


def choose(plan: Plan, most: int = MOST, seed: int | None = None) -> set[str]:
    """Which chips are shown: every split and every class if there is room, the rest by lot; chips with labels first.

    Args:
        plan: of the chips.
        most: chips, about.
        seed: of the lot; the plan's when None.
    """
    lot = plan.spec.seed if seed is None else seed
    names, splits, has = plan.chip_names, plan.chip_splits, plan.chip_counts > 0
    chosen: set[str] = set()
    for split in dict.fromkeys(splits.tolist()):
        found = np.flatnonzero(splits == split)
        room = max(2, round(most * len(found) / len(names)))
        seen = np.zeros(has.shape[1], dtype=bool)
        own: set[str] = set()
        for chip in found.tolist():
            if len(own) >= room // 2 or seen.all():
                break
            if (has[chip] & ~seen).any():
                own.add(names[chip])
                seen |= has[chip]
        positive = has[found].any(axis=1)
        own |= draw_by_lot(sorted(set(names[found[positive]]) - own), max(room - len(own), 0), lot)
        empty = names[found[~positive]].tolist()
        # Empty chips fill up the sheet only as far as they do not drown the others.
        own |= draw_by_lot(empty, min(room - len(own), max(len(own) // 3, 2)) if own else room, lot)
        chosen |= own
    return chosen


def draw_cell(chip: Chip, colors: Mapping[int, str]) -> Image.Image:
    """The chip, its labels over it, at the size of a cell; `colors` by class id."""
    pixels = Image.fromarray(_display(chip), "RGB")
    scale = CELL / max(pixels.size)
    # Enlarged chips keep their pixels as squares: that is what alignment is judged against.
    method = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    picture = pixels.resize((round(pixels.width * scale), round(pixels.height * scale)), method)
    over = Image.new("RGBA", (picture.width * FINE, picture.height * FINE), (0, 0, 0, 0))
    largest_first = np.argsort(-shapely.area(chip.labels.geometries), kind="stable")
    for index in largest_first:
        color = colors[int(chip.labels.class_ids[index])]
        _draw(over, chip.labels.geometries[index], scale * FINE, color)
    cell = Image.new("RGB", (CELL, CELL), _PANEL)
    smooth = over.convert("RGBa").resize(picture.size, Image.Resampling.BOX).convert("RGBA")
    cell.paste(Image.alpha_composite(picture.convert("RGBA"), smooth).convert("RGB"))
    pen = ImageDraw.Draw(cell)
    pen.rectangle((0, CELL - 4, CELL, CELL), fill=split_color(chip.split))
    return cell


def pack(cell: Image.Image) -> bytes:
    """A cell, fit to travel: not as PNG, which takes ten times as long."""
    return bytes(deflate.zlib_compress(cell.tobytes(), 1))


def png(picture: Image.Image) -> bytes:
    """An RGB picture as PNG, by the encoder that is the fastest at hand."""
    return cv2.imencode(".png", np.asarray(picture)[..., ::-1])[1].tobytes()


def _draw(over: Image.Image, geometry: BaseGeometry, scale: float, color: str) -> None:
    """One label: a tint, and a line with a dark casing."""
    red, green, blue = bytes.fromhex(color[1:])
    line = (red, green, blue, 255)
    filled: list[list[_Points]] = []
    rings: list[_Points] = []
    for part in shapely.get_parts(geometry):
        if part.geom_type == "Polygon":
            filled.append([_points(ring, scale) for ring in (part.exterior, *part.interiors)])
            rings += filled[-1]
        elif part.geom_type == "LineString":
            rings.append(_points(part, scale))
        else:
            _spot(over, _points(part, scale)[0], line)
    if filled:
        _tint(over, filled, (red, green, blue))
    pen = ImageDraw.Draw(over)
    for width, ink in ((4 * FINE, _CASING), (2 * FINE, line)):
        for points in rings:
            pen.line(points, fill=ink, width=width, joint="curve")


def _tint(over: Image.Image, polygons: Sequence[Sequence[_Points]], color: tuple[int, int, int]) -> None:
    """Lay a tint over polygons, each an outline and its holes. Only the box around them is touched: most labels are small."""
    xy = np.concatenate([np.array(rings[0]) for rings in polygons])
    low = np.clip(np.floor(xy.min(axis=0)).astype(int) - 1, 0, over.size)
    high = np.clip(np.ceil(xy.max(axis=0)).astype(int) + 2, low, over.size)
    (left, upper), (width, height) = low.tolist(), (high - low).tolist()
    if not width or not height:
        return
    tint = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(tint)
    for rings in polygons:
        for hole, ring in enumerate(rings):
            pen.polygon([(x - left, y - upper) for x, y in ring], fill=0 if hole else 56)
    layer = Image.new("RGBA", tint.size, (*color, 0))
    layer.putalpha(tint)
    over.alpha_composite(layer, (left, upper))


def _spot(over: Image.Image, at: tuple[float, float], ink: tuple[int, int, int, int]) -> None:
    x, y = at
    pen = ImageDraw.Draw(over)
    for radius, fill in ((6 * FINE, _CASING), (4 * FINE, ink)):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _points(geometry: BaseGeometry, scale: float) -> _Points:
    # Pillow's coordinates are those of pixel centres, ours those of pixel corners.
    return [(x, y) for x, y in (shapely.get_coordinates(geometry) * scale - 0.5).tolist()]


def _display(chip: Chip) -> NDArray[np.uint8]:
    """The chip as a picture for people, (height, width, 3): 8 bits as they are, others stretched from 2 to 98 %."""
    if chip.palette is not None:
        table = np.array([chip.palette.get(value, (0, 0, 0, 255))[:3] for value in range(256)], dtype=np.uint8)
        picture: NDArray[np.uint8] = table[chip.sight[0].astype(np.uint8)]
    else:
        bands = [_stretch(chip.sight[band], chip.valid) for band in chip.shown]
        picture = np.dstack(bands * (3 // len(bands)))
    if chip.valid.all():
        return np.ascontiguousarray(picture)
    hatch = (np.add.outer(np.arange(picture.shape[0]), np.arange(picture.shape[1])) // 8) % 2
    empty = np.where(hatch[..., np.newaxis], 34, 26).astype(np.uint8)
    return np.asarray(np.where(chip.valid[..., np.newaxis], picture, empty), dtype=np.uint8)


def _stretch(band: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    if band.dtype == np.uint8:
        return band
    values = np.abs(band) if np.iscomplexobj(band) else band
    real = values[valid & np.isfinite(values)]
    if not real.size:
        return np.zeros(band.shape, dtype=np.uint8)
    low, high = np.percentile(real, (2, 98))
    scaled = np.nan_to_num((values - low) / max(float(high - low), 1e-12))
    stretched: NDArray[np.uint8] = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return stretched


def _caption(sheet: Image.Image, chip: PlannedChip, x: int, y: int) -> None:
    pen, font = ImageDraw.Draw(sheet), _font(15)
    count = len(chip.ids)
    right = f"{chip.split} · {count} label{'' if count == 1 else 's'}"
    room = CELL - pen.textlength(right, font) - 12
    name = chip.name
    while pen.textlength(name, font) > room and len(name) > 4:
        name = "…" + name.lstrip("…")[1:]
    pen.text((x, y + 6), name, _TEXT, font)
    pen.text((x + CELL, y + 6), right, split_color(chip.split), font, anchor="ra")


def _legend(plan: Plan, width: int) -> tuple[Image.Image, int]:
    """The classes that are in use with their colours and counts, in as many rows as they need."""
    counts = plan.chip_counts.sum(axis=0).tolist()
    entries = [(c.color, f"{c.name}  {count:,}") for c, count in zip(plan.project.classes, counts, strict=True)]
    font, x, y, places = _font(17), 0, 0, []
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    for color, text in entries:
        length = 26 + int(measure.textlength(text, font)) + 28
        if x and x + length > width:
            x, y = 0, y + 28
        places.append((x, y, color, text))
        x += length
    height = y + 28
    legend = Image.new("RGB", (width, height), _BACKGROUND)
    pen = ImageDraw.Draw(legend)
    for left, upper, color, text in places:
        pen.rounded_rectangle((left, upper + 4, left + 16, upper + 20), 4, fill=color)
        pen.text((left + 26, upper + 12), text, _TEXT, font, anchor="lm")
    return legend, height


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(size)
