"""ChipSpec: every knob of the chip builder in one frozen value, validated at birth."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from geolabel.chips import knobs
from geolabel.chips.region import Region
from geolabel.errors import GeolabelError, InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.model import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SPLITS = ("train", "val", "test")
"""Names of the splits, in the order of the fractions in `ChipSpec.split`."""

MATCHES = ("date", "scene", "all")
EDGES = ("pad", "shift", "drop")
LAYOUTS = ("grid", "random", "features", "boxes")
SPLITTERS = ("blocks", "scene", "date", "attribute", "areas")
DTYPES = ("uint8", "uint16", "int16", "int32", "uint32", "float32", "float64")
RESAMPLINGS = ("nearest", "bilinear", "cubic", "average", "mode")
IMAGE_FORMATS = ("tif", "png", "jpg", "npy")

_STATUSES = tuple(status.value for status in Status)

Length = int | float | tuple[float, float]
"""One length for width and height, or a pair of them."""


@dataclass(frozen=True, slots=True)
class ChipSpec:
    """How chips are cut, chosen, split and written.

    Attributes:
        size: width and height of a chip, or a pair (width, height), in `units`.
        stride: from one chip's left (upper) edge to the next one's, one or a pair, in `units`; None means `size`.
        units: of `size`, `stride`, `margin` and `size_range`: `px`, or `m` for metres on the ground, rounded to whole pixels.
        edges: what happens where the scene ends inside a chip: `pad` keeps the chip and fills it up, `shift` moves the
            last chip back inside, `drop` leaves it out.
        padding: what chips are filled up with; None is nodata, or 0. Padding is never learnt from.
        pad_side: where the padding goes: `end` (right and below), `start` (left and above) or `both`.
        resolution: edge of a pixel in units of the chips' CRS; None is the scene's own.
        crs: of the chips; `native` is the scene's own. With `resolution` or `crs` all chips lie on one grid that
            begins at the origin of the CRS, so that those of neighbours and of other dates coincide.
        resampling: how pixels come onto a grid that is not the scene's own; palettes always take the nearest.
        layout: `grid`; `random` windows; windows of `size` centred on `features`; or the features' own `boxes`.
        count: how many random windows each scene gives.
        size_range: smallest and largest edge of random windows, in `units`; None makes all of them `size`.
        margin: around a feature's box, in `units`.
        rotate: angles in degrees, clockwise; each chip is cut once for each.
        bands: 1-based bands of the scene in the order wanted; None takes all of them in file order.
        dtype: of the pixels, numpy's name; None keeps the scene's own (`uint8` with a stretch).
        stretch: None for raw values; `auto` brings the 2nd to the 98th percentile of each band of the scene onto the whole
            range of `dtype`, a pair (low, high) those values.
        stack: groups of scenes that are cut together: the bands of all, one after the other, on the grid of the first.
            Scenes in no group give no chips then. Labels are those that hold at the date of any of them.
        within: chips lie in these polygons; `coverage` means in ground that was seen. Ground beyond them is not learnt from.
        within_share: how much of a chip must lie in there, above 0 to 1.
        min_overlap: an annotation stays on a chip only when at least this share of its area (of its length, for a
            line) lies on it, 0..1.
        min_area_px: a polygon stays on a chip only when at least this many square pixels of it lie on it.
        truncated: what happens to an annotation that the chip's edge cuts: `keep` (and say so), or `drop`.
        buffer: points and lines become areas that reach so far around them, in metres; 0 leaves them.
        negatives: chips without annotations: `all`, `none`, `seen` (on ground that the coverage calls seen), or how many
            per chip with annotations.
        max_nodata: a chip of which more than this share has no data (padding too) is left out, 0..1.
        cloud_mask: where clouds are: pairs of a scene and the registered scene whose first band is not 0 there, or the
            name of a plugin such as `ukis-csmask`. Clouds are not learnt from.
        max_cloud: a chip of which more than this share of the data is cloud is left out, 0..1.
        around: what becomes of pixels outside of all annotations: `keep`, `black` in the image, or `ignore` in the masks.
        all_touched: a pixel of a mask belongs to an annotation that touches it anywhere, and not only at its centre.
        classes: what a class is called in the dataset; several may become one, None leaves a class out.
        filter: CQL2 text: only annotations that it chooses.
        status: only annotations that stand there.
        match: which annotations a scene's chips take: those valid at its `date` and those without a time, those drawn
            on the `scene`, or `all`.
        split: fractions for train, val and test that sum to 1; None puts everything in train.
        split_by: what goes to one split as a whole: `blocks` of ground, a `scene`, a `date`, all chips whose annotations
            have one value of an `attribute`, or the `areas` of `split_areas`.
        split_attribute: which attribute; with `areas`, which property of the polygons (`split` when None).
        split_areas: polygons. Where all values are names of splits they say the split, else they are dealt out.
        split_block: edge of a block, in `split_units`.
        split_units: of block and buffer: `chips`, or `m` for metres.
        split_buffer: ground left out on both sides of the border between splits, in `split_units`.
        folds: cut the ground into so many folds instead of train, val and test.
        stratify: deal the blocks so that each split has the same shares of classes.
        seed: of everything drawn by lot.
        coco_holes: how COCO says a polygon with holes: `rle`, or `keyhole` (one ring with bridges to the holes).
        image_format: `tif` (any dtype, any number of bands, CRS and transform inside), `png` (8 bit; 1, 3 or 4 bands),
            `jpg` (8 bit; 1 or 3 bands; not exact) or `npy` (numpy's own).
    """

    size: Length = 512
    stride: Length | None = None
    units: Literal["px", "m"] = "px"
    edges: Literal["pad", "shift", "drop"] = "pad"
    padding: float | None = None
    pad_side: Literal["end", "start", "both"] = "end"
    resolution: float | None = None
    crs: str = "native"
    resampling: Literal["nearest", "bilinear", "cubic", "average", "mode"] = "bilinear"
    layout: Literal["grid", "random", "features", "boxes"] = "grid"
    count: int = 100
    size_range: tuple[float, float] | None = None
    margin: float = 0
    rotate: tuple[float, ...] = (0.0,)
    bands: tuple[int, ...] | None = None
    dtype: str | None = None
    stretch: Literal["auto"] | tuple[float, float] | None = None
    stack: tuple[tuple[str, ...], ...] = ()
    within: Region | Literal["coverage"] | None = None
    within_share: float = 1.0
    min_overlap: float = 0.0
    min_area_px: float = 1.0
    truncated: Literal["keep", "drop"] = "keep"
    buffer: float = 0.0
    negatives: Literal["all", "none", "seen"] | float = "all"
    max_nodata: float = 1.0
    cloud_mask: str | tuple[tuple[str, str], ...] | None = None
    max_cloud: float = 1.0
    around: Literal["keep", "black", "ignore"] = "keep"
    all_touched: bool = False
    classes: tuple[tuple[str, str | None], ...] = ()
    filter: str | None = None
    status: tuple[str, ...] = (Status.LABELLED.value, Status.ACCEPTED.value)
    match: Literal["date", "scene", "all"] = "date"
    split: tuple[float, float, float] | None = None
    split_by: Literal["blocks", "scene", "date", "attribute", "areas"] = "blocks"
    split_attribute: str | None = None
    split_areas: Region | None = None
    split_block: float = 4
    split_units: Literal["chips", "m"] = "chips"
    split_buffer: float = 0.0
    folds: int | None = None
    stratify: bool = True
    seed: int = 0
    coco_holes: Literal["rle", "keyhole"] = "rle"
    image_format: Literal["tif", "png", "jpg", "npy"] = "tif"

    def __post_init__(self) -> None:
        self._check_layout()
        self._check_pixels()
        self._check_labels()
        self._check_split()
        knobs.whole("seed", self.seed, 0, 2**63 - 1)
        knobs.one_of("coco_holes", self.coco_holes, ("rle", "keyhole"))
        knobs.one_of("image_format", self.image_format, IMAGE_FORMATS)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_layout(self) -> None:
        knobs.one_of("units", self.units, ("px", "m"))
        knobs.edge("size", self.size, self.units)
        if self.stride is not None:
            knobs.edge("stride", self.stride, self.units)
        knobs.one_of("edges", self.edges, EDGES)
        if self.padding is not None:
            knobs.number("padding", self.padding, -knobs.MOST, knobs.MOST)
        knobs.one_of("pad_side", self.pad_side, ("end", "start", "both"))
        if self.resolution is not None:
            knobs.number("resolution", self.resolution, 0, 1e7, above=True)
        if self.crs != "native":
            self._set("crs", _crs(self.crs))
        knobs.one_of("resampling", self.resampling, RESAMPLINGS)
        if self.aligned and self.edges == "shift":
            raise InvalidSpec(
                "edges='shift' moves chips off the common grid of resolution and crs; take 'pad' or 'drop'."
            )
        if self.aligned and self.pad_side != "end":
            raise InvalidSpec(
                f"With resolution or crs the common grid says where chips begin; leave out pad_side={self.pad_side!r}."
            )
        self._check_windows()

    def _check_windows(self) -> None:
        knobs.one_of("layout", self.layout, LAYOUTS)
        knobs.whole("count", self.count, 1, 1_000_000, "windows")
        if self.size_range is not None:
            low, high = _pair("size_range", self.size_range)
            knobs.edge("size_range", (low, high), self.units)
            if low > high:
                raise InvalidSpec(
                    f"size_range must be the smallest and then the largest edge, got {self.size_range!r}."
                )
            self._set("size_range", (low, high))
        knobs.number("margin", self.margin, 0, 1e7)
        self._set(
            "rotate",
            tuple(
                dict.fromkeys(
                    float(a) % 360 % 360 for a in knobs.numbers("rotate", self.rotate, "one or more angles in degrees")
                )
            ),
        )
        if self.stack:
            self._set("stack", knobs.groups("stack", self.stack))
        given: object = self.within
        if given == "tasks":
            raise InvalidSpec(
                "within='tasks' has to wait until projects have tasks; draw what is finished as seen ground, and take within='coverage'."
            )
        if self.within is not None and self.within != "coverage":
            self._set("within", Region.from_json("within", self.within))
        knobs.number("within_share", self.within_share, 0, 1, above=True)

    def _check_pixels(self) -> None:
        if self.bands is not None:
            self._set("bands", knobs.bands(self.bands))
        if self.dtype is not None:
            knobs.one_of("dtype", self.dtype, DTYPES)
        if self.stretch is not None and self.stretch != "auto":
            if isinstance(self.stretch, str):
                raise InvalidSpec(f"stretch must be 'auto' or a pair (low, high), got {self.stretch!r:.80}.")
            low, high = _pair("stretch", self.stretch)
            if not low < high:
                raise InvalidSpec(f"stretch must be a lower and then a higher value, got {self.stretch!r}.")
            self._set("stretch", (float(low), float(high)))
        knobs.number("max_nodata", self.max_nodata, 0, 1)
        knobs.number("max_cloud", self.max_cloud, 0, 1)
        if self.cloud_mask is not None and (not isinstance(self.cloud_mask, str) or not self.cloud_mask):
            what = "the name of a plugin, or an object {scene: scene of its mask}"
            self._set("cloud_mask", knobs.text_to_text("cloud_mask", self.cloud_mask, what, nothing=False))
        if self.max_cloud < 1 and not self.cloud_mask:
            raise InvalidSpec(f"max_cloud={self.max_cloud:g} needs a cloud_mask that says where clouds are.")
        knobs.one_of("around", self.around, ("keep", "black", "ignore"))

    def _check_labels(self) -> None:
        knobs.number("min_overlap", self.min_overlap, 0, 1)
        knobs.number("min_area_px", self.min_area_px, 0, knobs.MOST)
        knobs.one_of("truncated", self.truncated, ("keep", "drop"))
        knobs.number("buffer", self.buffer, 0, 1e6, unit="metres")
        if isinstance(self.negatives, str):
            knobs.one_of(
                "negatives", self.negatives, ("all", "none", "seen"), "a number of chips per chip with annotations"
            )
        else:
            knobs.number("negatives", self.negatives, 0, knobs.MOST)
        knobs.flag("all_touched", self.all_touched)
        if self.classes:
            what = "an object {class: its name in the dataset, or null}"
            self._set("classes", knobs.text_to_text("classes", self.classes, what, nothing=True))
        if self.filter is not None and (not isinstance(self.filter, str) or not self.filter.strip()):
            raise InvalidSpec(f"filter must be CQL2 text such as \"class = 'water'\", got {self.filter!r:.80}.")
        self._set("status", knobs.names("status", self.status, "one or more of " + ", ".join(_STATUSES)))
        for status in self.status:
            knobs.one_of("status", status, _STATUSES)
        knobs.one_of("match", self.match, MATCHES)

    def _check_split(self) -> None:
        if self.split is not None:
            self._set("split", knobs.split(self.split, SPLITS))
        knobs.one_of("split_by", self.split_by, SPLITTERS)
        if self.split_attribute is not None and (not isinstance(self.split_attribute, str) or not self.split_attribute):
            raise InvalidSpec(f"split_attribute must be the name of an attribute, got {self.split_attribute!r:.80}.")
        if self.split_by == "attribute" and self.split_attribute is None:
            raise InvalidSpec(
                "split_by='attribute' needs split_attribute, the name of an attribute of the annotations."
            )
        if self.split_areas is not None:
            self._set("split_areas", Region.from_json("split_areas", self.split_areas))
        if (self.split_by == "areas") != (self.split_areas is not None):
            raise InvalidSpec(
                "split_by='areas' and split_areas, polygons as GeoJSON, belong together; give both or none."
            )
        knobs.one_of("split_units", self.split_units, ("chips", "m"))
        knobs.number("split_block", self.split_block, 0, 1e7, above=True, unit=self.split_units)
        knobs.number("split_buffer", self.split_buffer, 0, 1e6)
        if self.folds is not None:
            knobs.whole("folds", self.folds, 2, 100, "folds")
            if self.split is not None:
                raise InvalidSpec("folds and split exclude each other: folds are of one size; leave one of them out.")
        if self.split_by in {"scene", "date"} and self.split is None and self.folds is None:
            raise InvalidSpec(
                f"split_by={self.split_by!r} needs split, the fractions of train, val and test, or folds."
            )
        knobs.flag("stratify", self.stratify)

    @property
    def aligned(self) -> bool:
        """Whether chips lie on one grid of their own, and not on the scenes' pixels."""
        return self.crs != "native" or self.resolution is not None

    @property
    def splits(self) -> dict[str, float]:
        """The share of each split by name, in order; those with none are not there."""
        if self.folds is not None:
            return {f"fold{k}": 1 / self.folds for k in range(1, self.folds + 1)}
        if self.split is not None:
            return {name: share for name, share in zip(SPLITS, self.split, strict=True) if share > 0}
        # The polygons or values may name the splits themselves.
        return dict.fromkeys(SPLITS, 1 / 3) if self.split_by in {"areas", "attribute"} else {"train": 1.0}

    def to_json(self) -> dict[str, Any]:
        """Every knob, the stride resolved."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["stride"] = self.size if self.stride is None else self.stride
        values["classes"] = dict(self.classes)
        if isinstance(self.cloud_mask, tuple):
            values["cloud_mask"] = dict(self.cloud_mask)
        return {key: _plain(value) for key, value in values.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ChipSpec:
        """Read what `to_json` wrote, or any part of it; what is not named takes its default.

        Raises:
            InvalidSpec: a knob that does not exist, or one out of range.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise InvalidSpec(f"Chips have no option {', '.join(map(repr, unknown))}; they have: {', '.join(known)}.")
        values: dict[str, Any] = {k: _tuples(v) for k, v in value.items()}
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Region):
        return value.to_json()
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value


def _pair(name: str, value: Sequence[float]) -> tuple[float, float]:
    parts = knobs.numbers(name, value, "a pair of numbers (low, high)")
    if len(parts) != 2:
        raise InvalidSpec(f"{name} must be a pair of numbers (low, high), got {value!r:.80}.")
    return (parts[0], parts[1])


def _crs(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidSpec(f"crs must be 'native' or a CRS such as EPSG:32633, got {value!r:.80}.")
    try:
        return crs_.normalise(value)
    except GeolabelError as error:
        raise InvalidSpec(f"crs must be 'native' or a CRS such as EPSG:32633: {error}") from error
