"""Planned chips -> chips: pixels read, masks burnt. What a chip is depends on its plan alone, whoever builds it and when."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from geolabel.chips.burn import Flat, burn, mask_type
from geolabel.chips.onto import open_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from geolabel.chips.frame import Frame
    from geolabel.chips.labels import ChipLabels, Drawn
    from geolabel.chips.onto import FrameReader
    from geolabel.chips.plan import Plan
    from geolabel.chips.planned import PlannedChip
    from geolabel.chips.spec import ChipSpec
    from geolabel.chips.stored import Stored
    from geolabel.chips.together import Together
    from geolabel.geo.pixels import Window
    from geolabel.model import Grid, Project


@dataclass(frozen=True)
class Chip:
    """A chip, whole.

    Attributes:
        number: its position in the plan from 1, and its row in `chips.parquet`.
        name: `{scene}_{col}_{row}`.
        scene: id of the scene.
        split: `train`, `val` or `test`.
        window: (col, row, width, height) on the scene's grid; col and row may be negative.
        grid: the chip's own pixel grid.
        bands: 1-based bands of the scene, in the order of `image`.
        valid: bool (height, width), True where there is data.
        hidden: bool (height, width), True where there is data that is not to be learnt from: clouds, and what lies
            around annotations if it was asked to be ignored.
        nodata: the value that means "no data", or None.
        colors: what each band says it is: `red`, `alpha`, `undefined`...
        shown: which of the bands, counted from 0, people look at: red, green and blue, or one.
        palette: RGBA per pixel value of a one-band palette image, or None.
        labels: the annotations on it, in its own pixels.
        columns: what else is known of them, by name: (n,) values in the order of `labels`.
        ignore: the mask value that means "not to be learnt from".
        stored: the very blocks of the file that `image` is decoded from, where it is whole blocks; None otherwise.
    """

    number: int
    name: str
    scene: str
    split: str
    window: Window
    grid: Grid
    bands: tuple[int, ...]
    valid: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    nodata: float | None
    colors: tuple[str, ...]
    shown: tuple[int, ...]
    palette: dict[int, tuple[int, int, int, int]] | None
    labels: ChipLabels
    columns: Mapping[str, NDArray[np.object_]]
    ignore: int
    stored: Stored | None
    _image: NDArray[Any] | Callable[[], NDArray[Any]]
    _drawn: Drawn
    _background: int
    _all_touched: bool

    @property
    def _pixels(self) -> Window:
        return (0, 0, self.grid.width, self.grid.height)

    @cached_property
    def image(self) -> NDArray[Any]:
        """(bands, height, width), the scene's own dtype; padding is nodata, or 0.

        A chip that is copied as it lies in the file is decoded only when somebody asks for this.

        Raises:
            InvalidRaster: the scene's file is gone, damaged or changed.
        """
        return self._image() if callable(self._image) else self._image

    @cached_property
    def sight(self) -> NDArray[Any]:
        """The same for statistics and for people's eyes: decoded three times as fast where the chip is copied as it lies in the file.

        There single values may be some levels beside GDAL's, whose decoder enlarges the colours of a JPEG in another
        way. They are those that most other software reads.
        """
        seen = self.stored.sight() if callable(self._image) and self.stored is not None else None
        return self.image if seen is None else seen

    @cached_property
    def semantic(self) -> NDArray[np.uint8 | np.uint16]:
        """The mask of class ids, (height, width): 0 is background, `ignore` wins where there is no data.

        Whole annotations are burnt, also those of which too little lies on the chip to be an object of their own:
        their pixels are what they are.
        """
        dtype = np.uint8 if self.ignore == 255 else np.uint16
        drawn = self._drawn
        mask: NDArray[np.uint8 | np.uint16] = self._burn(drawn.class_ids, dtype, self._background)
        self._ignore_in(mask, self.ignore)
        return mask

    @cached_property
    def instances(self) -> NDArray[np.int32]:
        """Which annotation owns each pixel, (height, width): its position in `labels` from 1; 0 is none, -1 is ignore.

        Drawn as `semantic` is: where an annotation is, its class is there. An annotation of which too little lies on the
        chip to be an object of its own hides those below it, and its pixels are 0.
        """
        drawn, found = self._drawn, self.labels.ids
        values = np.searchsorted(found, drawn.ids).astype(np.int64) + 1
        values[~np.isin(drawn.ids, found)] = 0
        values[(drawn.ids == 0) & (drawn.class_ids == self.ignore)] = -1
        background = -1 if self._background == self.ignore else 0
        mask = self._burn(values, np.int32, background)
        self._ignore_in(mask, -1)
        return mask

    def _ignore_in(self, mask: NDArray[Any], value: int) -> None:
        if not self.valid.all() or self.hidden.any():
            mask[~self.valid | self.hidden] = value

    def _burn(self, values: NDArray[np.int64], dtype: type[Any], background: int) -> NDArray[Any]:
        drawn = self._drawn
        touched = drawn.ids > 0 if self._all_touched else None
        return burn(
            drawn.geometries,
            values,
            self._pixels,
            dtype=dtype,
            background=background,
            touched=touched,
            flat=lambda: drawn.together.known(_flat).some(drawn.part),
        )

    @property
    def coverage(self) -> Literal["seen", "partial", "unseen"]:
        """How much of the ground that has data can be learnt from: all of it, some or none."""
        if self._background == 0 and (self._drawn.ids > 0).all() and not self.hidden.any():
            return "seen" if self.valid.any() else "unseen"
        known = self.semantic[self.valid] != self.ignore
        return "unseen" if not known.any() else "seen" if known.all() else "partial"


class ChipBuilder:
    """Builds chips of one project in one thread; the scene of the last chip stays open for the next one.

    Args:
        project: says what ground without labels is, and what its classes are.
        spec: says which bands are read, and how they come onto the chips' grid.
    """

    def __init__(self, project: Project, spec: ChipSpec) -> None:
        self._spec = spec
        _, self._ignore = mask_type(project.classes)
        self._background = self._ignore if project.unlabelled == "ignore" else 0
        self._unchanged = spec.dtype is None and spec.stretch is None and spec.around != "black"
        self._open = ExitStack()
        self._opened: tuple[Frame, FrameReader] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the scene that is open."""
        self._opened = None
        self._open.close()

    def build(self, planned: PlannedChip, number: int, columns: Mapping[str, NDArray[np.object_]]) -> Chip:
        """Read the pixels of a planned chip.

        Args:
            planned: the chip.
            number: its position in the plan, from 1.
            columns: what else is known of its annotations (see `Chip`).

        Raises:
            InvalidRaster: the scene's file is gone, damaged or changed.
        """
        reader = self._reader(planned.frame)
        with self._said():
            stored = reader.stored(planned.window, planned.turn) if self._unchanged else None
            image: NDArray[Any] | Callable[[], NDArray[Any]]
            if stored is not None and reader.is_whole:
                image, valid = (
                    partial(self._read, planned),
                    np.ones((planned.window[3], planned.window[2]), bool),
                )
            else:
                image, valid = reader.read(planned.window, planned.turn)
            hidden = reader.clouds(planned.window, planned.turn) if self._spec.cloud_mask else np.zeros_like(valid)
        if self._spec.around != "keep":
            beyond = ~_covered(planned, all_touched=self._spec.all_touched)
            if self._spec.around == "ignore":
                hidden |= beyond
            else:
                assert isinstance(image, np.ndarray)
                image = image.copy()
                image[[color != "alpha" for color in reader.colors]] *= ~beyond
        return Chip(
            number=number,
            name=planned.name,
            scene=planned.scene.id,
            split=planned.split,
            window=planned.window,
            grid=planned.grid,
            bands=reader.bands,
            valid=valid,
            hidden=hidden,
            nodata=reader.nodata,
            colors=reader.colors,
            shown=reader.shown,
            palette=reader.palette,
            labels=planned.labels,
            columns=columns,
            ignore=self._ignore,
            stored=stored,
            _image=image,
            _drawn=planned.drawn,
            _background=self._background,
            _all_touched=self._spec.all_touched,
        )

    def _read(self, planned: PlannedChip) -> NDArray[Any]:
        """The pixels of a chip that nobody has asked for so far: its scene may be closed since."""
        if self._opened is None or _key(self._opened[0]) != _key(planned.frame):
            with open_frame(planned.frame, self._spec) as reader:
                return reader.read(planned.window, planned.turn)[0]
        with self._said():
            return self._opened[1].read(planned.window, planned.turn)[0]

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What goes wrong in the block closes the scene, which says what it means (`open_scene`)."""
        try:
            yield
        except BaseException:
            self._opened = None
            self._open.__exit__(*sys.exc_info())
            raise

    def _reader(self, frame: Frame) -> FrameReader:
        if self._opened is None or _key(self._opened[0]) != _key(frame):
            self.close()
            self._opened = (frame, self._open.enter_context(open_frame(frame, self._spec)))
        return self._opened[1]


def _covered(planned: PlannedChip, *, all_touched: bool) -> NDArray[np.bool_]:
    """Where annotations are, (height, width)."""
    drawn, grid = planned.drawn, planned.grid
    window = (0, 0, grid.width, grid.height)
    there = drawn.ids > 0
    touched = there if all_touched else None
    return burn(drawn.geometries, there.astype(np.int64), window, dtype=np.uint8, touched=touched) > 0


def _flat(shapes: Together) -> Flat:
    return Flat.of(shapes.geometries)


def _key(frame: Frame) -> tuple[object, ...]:
    """What makes two frames show the same: they may have been sent here one by one."""
    return (frame.scenes, frame.grid, frame.native)


def chips(planned: Plan) -> Iterator[Chip]:
    """Build the planned chips, in order, without columns.

    Raises:
        InvalidRaster: a scene's file is gone, damaged or changed.
    """
    with ChipBuilder(planned.project, planned.spec) as builder:
        for number, chip in enumerate(planned.chips, start=1):
            yield builder.build(chip, number, {})
