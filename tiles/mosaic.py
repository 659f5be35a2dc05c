"""Several rasters as one picture: which of them shows in a pixel, and how they are made to look alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from tiles import matrix, render, values
from tiles.errors import InvalidParameter, NotOnMap, OutsideRaster
from tiles.read import Pixels
from tiles.style import needs_stretch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tiles.grid import Placement
    from tiles.matrix import Tile
    from tiles.pictures import Picture, Pictures
    from tiles.sources import Source
    from tiles.style import Range, Style

    Placed = tuple["Member", Placement]

Method = Literal["first", "latest", "mean"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
"""`first`: the first in the stated order that has data; `latest`: the youngest; `mean`: the mean of all that have data."""

MAX_DEPTH: Final = 64
"""Most rasters that are laid over each other in one tile."""


MAX_LOOKED_AT: Final = 16
"""How many of them are looked at for the stretch that all have in common."""


@dataclass(frozen=True, slots=True)
class Member:
    """One raster of a mosaic.

    Attributes:
        scene: its id.
        source: where it is.
        style: how it is shown.
        date: RFC 3339, or None.
    """

    scene: str
    source: Source
    style: Style
    date: str | None


def in_order(members: Sequence[Member], method: Method) -> tuple[Member, ...]:
    """The uppermost first: as they are given, or the youngest first and those without a date last."""
    if method != "latest":
        return tuple(members)
    dated = sorted((member for member in members if member.date), key=lambda member: str(member.date), reverse=True)
    return (*dated, *(member for member in members if not member.date))


class Mosaic:
    """Rasters of which a picture is made, tile by tile. For many threads.

    Args:
        pictures: knows their headers, places and stretches, and keeps what was made.
        members: in the stated order.
        method: which of them shows.
    """

    def __init__(self, pictures: Pictures, members: Sequence[Member], method: Method) -> None:
        self._pictures = pictures
        self._members = in_order(members, method)
        self._method = method

    def tile(self, tile: Tile, fmt: render.Format | values.Format, *, scale: int = 1) -> Picture:
        """A tile.

        Raises:
            InvalidParameter: values, or means, of rasters of different kinds.
            OutsideRaster: values of no raster at all.
        """
        there = [(member, placement) for member, placement in self._placed(tile.tms) if placement.shifts(tile)]
        shown = there[:MAX_DEPTH]
        if values.is_format(fmt) or self._method == "mean":
            self._check_alike([member for member, _ in shown])
        if values.is_format(fmt) and not self._members:
            raise OutsideRaster("There is no scene here whose values a tile could hold.")
        # The stretch is that of all, also of those that do not show here.
        stretched = tuple(member for member in self._members if self._needs_stretch(member))
        key = (
            "mosaic",
            render.VERSION,
            self._method,
            tile,
            fmt,
            scale,
            tuple(member for member, _ in shown),
            stretched,
        )
        return self._pictures.picture(key, lambda: self._draw(shown, tile, fmt, scale))

    def placements(self, tms: str) -> list[Placement]:
        """Where those lie that have a place in a tile matrix set."""
        return [placement for _, placement in self._placed(tms)]

    def _placed(self, tms: str) -> Iterator[tuple[Member, Placement]]:
        for member in self._members:
            try:
                yield member, self._pictures.placement(member.source, tms)
            except NotOnMap:
                continue  # not on this map; the mosaic is of those that are

    def _needs_stretch(self, member: Member) -> bool:
        return needs_stretch(self._pictures.info(member.source), member.style)

    def _kind(self, member: Member) -> tuple[Any, ...]:
        """What those have in common whose values mean the same."""
        style, info = member.style, self._pictures.info(member.source)
        kinds = tuple(info.bands[band - 1].dtype for band in style.bands)
        return style.channels, style.palette, style.expression is None, style.light, style.unscale is None, kinds

    def _check_alike(self, members: Sequence[Member]) -> None:
        kinds = {self._kind(member): member.scene for member in members}
        if len(kinds) > 1:
            one, other = list(kinds.values())[:2]
            raise InvalidParameter(
                f"The values of scenes {one!r} and {other!r} cannot be put together: their bands or types differ. Expected method=first or "
                "method=latest and png, jpg or webp, or bands that all scenes have, with bidx or expression."
            )
        if self._method == "mean" and any(member.style.palette for member in members):
            raise InvalidParameter(
                "method=mean cannot be used with a palette: the mean of two classes is none. Expected first or latest."
            )

    def _draw(self, shown: Sequence[Placed], tile: Tile, fmt: render.Format | values.Format, scale: int) -> bytes:
        matrices = matrix.find(tile.tms)
        size = matrices.level(tile.z).size * scale
        read = (
            (member, pixels)
            for member, placement in shown
            if (pixels := self._pictures.read(member.source, placement, tile, member.style, size)) is not None
        )
        if values.is_format(fmt):
            pixels = _mean(read) if self._method == "mean" else _first(read)
            example = shown[0][0] if shown else self._members[0]
            info = self._pictures.info(example.source)
            if pixels is None:
                pixels = Pixels(*values.empty(info, example.style, size))
            return values.write(fmt, pixels, info, example.style, values.place(matrices, info, tile, size))
        if self._method == "mean":
            pixels = _mean(read)
            painted = None if pixels is None else self._paint(shown[0][0], pixels)
        else:
            painted = _laid((self._paint(member, pixels) for member, pixels in read))
        return render.empty(fmt, size) if painted is None else render.encode(painted, fmt)

    def _paint(self, member: Member, pixels: Pixels) -> NDArray[np.uint8]:
        palette = self._pictures.info(member.source).palette if member.style.palette else None
        return render.paint(pixels, stretch=self._stretch(member), palette=palette, look=member.style.look)

    def _stretch(self, member: Member) -> tuple[Range, ...] | None:
        """The same for all scenes of a kind, so that neither seams nor dates differ by it."""
        if not self._needs_stretch(member):
            return member.style.stretch
        kind = self._kind(member)
        alike = [other for other in self._members if self._needs_stretch(other) and self._kind(other) == kind]
        looked_at = [alike[round(i)] for i in np.linspace(0, len(alike) - 1, min(len(alike), MAX_LOOKED_AT))]
        return self._pictures.shared_stretch([(other.source, other.style) for other in looked_at])


def _first(read: Iterator[tuple[Member, Pixels]]) -> Pixels | None:
    """The values of the uppermost that has data."""
    seen: Pixels | None = None
    for _, pixels in read:
        if seen is None:
            seen = pixels
        else:
            below = seen.mask == 0
            seen = Pixels(np.where(below, pixels.data, seen.data), np.where(below, pixels.mask, seen.mask))
        if seen.mask.all():
            break
    return seen


def _mean(read: Iterator[tuple[Member, Pixels]]) -> Pixels | None:
    """The mean of the values of all that have data."""
    _, first = next(read, (None, None))
    if first is None:
        return None
    mask = first.mask
    count = (mask > 0).astype(np.int32)
    total = np.where(mask > 0, first.data, 0).astype(np.float64)
    for _, pixels in read:
        seen = pixels.mask > 0
        total[:, seen] += pixels.data[:, seen]
        count += seen
        mask = np.maximum(mask, pixels.mask)
    means, kind = total / np.maximum(count, 1), first.data.dtype
    return Pixels((np.rint(means) if kind.kind in "iu" else means).astype(kind), mask)


def _laid(painted: Iterator[NDArray[np.uint8]]) -> NDArray[np.uint8] | None:
    """Pictures over each other, the uppermost first; those that nothing shows of are not made."""
    seen: NDArray[np.uint8] | None = None
    for picture in painted:
        colors = _rgba(picture)
        if seen is not None:
            above, below = (part[..., 3:].astype(np.float32) / 255 for part in (seen, colors))
            opaque = above + below * (1 - above)
            mixed = (seen[..., :3] * above + colors[..., :3] * below * (1 - above)) / np.maximum(opaque, 1e-6)
            colors = np.rint(np.concatenate([mixed, opaque * 255], axis=-1)).astype(np.uint8)
        seen = colors
        if (seen[..., 3] == 255).all():
            break
    return seen


def _rgba(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 4) of (height, width, 1 to 4)."""
    channels = picture.shape[2]
    colors = picture[..., :3] if channels > 2 else np.repeat(picture[..., :1], 3, axis=2)
    alpha = picture[..., -1:] if channels in {2, 4} else np.full_like(picture[..., :1], 255)
    return np.concatenate([colors, alpha], axis=2)
