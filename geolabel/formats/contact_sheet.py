"""The contact sheet: chips with their labels drawn over them.

A person sees at a glance whether labels fit, which class is which, and which split a chip went to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import deflate
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from geolabel.chips.deal import draw as draw_by_lot
from geolabel.formats.cell import CELL
from geolabel.formats.report import split_color

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.plan import Plan
    from geolabel.chips.planned import PlannedChip

COLUMNS, MOST = 5, 30
GAP, MARGIN, CAPTION = 16, 32, 30

_BACKGROUND, _TEXT, _SOFT = "#0d0e10", "#edeff2", "#9098a3"

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


def pack(cell: NDArray[np.uint8]) -> bytes:
    """A cell, fit to travel: not as PNG, which takes ten times as long."""
    return bytes(deflate.zlib_compress(cell.tobytes(), 1))


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
