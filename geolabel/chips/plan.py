"""A plan: every chip of a dataset, its annotations and its split, before a pixel is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np
import shapely

from geolabel.chips.assign import Lost
from geolabel.chips.burn import mask_type
from geolabel.chips.lay import in_crs_of
from geolabel.chips.planned import Near, PlannedChip
from geolabel.chips.resting import Resting
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.frame import Frame
    from geolabel.chips.labels import Labels
    from geolabel.chips.lay import Laid
    from geolabel.chips.proof import Proof
    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Project, Scene

_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Tally:
    """What the plan left out, and why.

    Attributes:
        annotations: all in the project that go into the dataset.
        outside: touch no scene of the project.
        unused: touch a scene, and are on no chip.
        lost: pieces that are no objects of a chip.
        unmatched: touch a scene, and belong to none that they touch (`match`).
        area: chips left out because they do not lie in `within`.
        nodata: chips left out because too much of them has no data.
        cloud: chips left out because too much of them is cloud.
        negatives: chips without annotations, left out because of `negatives`.
        unseen: chips without annotations, left out because nobody has looked at their ground, or it is to be ignored.
        straddling: chips left out because they lie on, or too near to, ground of two splits, or have no value to split by.
        scenes_without_labels: ids.
        scenes_without_chips: ids of scenes on which no chip could be laid.
        class_gap: by how much the share of a class differs between splits, at most, 0..1; None with one split.
    """

    annotations: int
    outside: int = 0
    unused: int = 0
    lost: Lost = field(default_factory=Lost)
    unmatched: int = 0
    area: int = 0
    nodata: int = 0
    cloud: int = 0
    negatives: int = 0
    unseen: int = 0
    straddling: int = 0
    scenes_without_labels: tuple[str, ...] = ()
    scenes_without_chips: tuple[str, ...] = ()
    class_gap: float | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that is known before a pixel is read: a pure function of project, scenes, labels and spec.

    Attributes:
        project: with the classes of the dataset.
        scenes: those of the project, in its order.
        spec: how chips are cut, chosen and split.
        frames: the grids that chips are counted on.
        laid: for each frame all chips that were laid on it, also those that are left out.
        reasons: for each frame (chips,), why a chip is left out: `nodata`, `cloud`, `unseen`, `straddling`, `negatives`; empty for
            chips of the dataset.
        splits: for each frame (chips,), names; None for a chip that was left out before the split.
        labels: what lies on the chips.
        tally: what was left out.
        proof: that no ground is in two splits.
        digest: of the labels.
    """

    project: Project
    scenes: tuple[Scene, ...]
    spec: ChipSpec
    frames: tuple[Frame, ...]
    laid: tuple[Laid, ...]
    reasons: tuple[NDArray[np.object_], ...]
    splits: tuple[NDArray[np.object_], ...]
    labels: Labels
    tally: Tally
    proof: Proof
    digest: str

    @cached_property
    def chips(self) -> PlannedChips:
        """The chips of the dataset, by scene in the project's order, then as they were laid; each is made when it is asked for."""
        return PlannedChips(self)

    @cached_property
    def kept(self) -> tuple[NDArray[np.int64], ...]:
        """For each frame, the numbers of the chips of the dataset among those that were laid."""
        return tuple(np.flatnonzero(reasons == "") for reasons in self.reasons)

    @cached_property
    def most_pixels(self) -> int:
        """Of a chip of the dataset; 0 without chips."""
        boxes = [laid.windows.boxes[kept, 2:] for laid, kept in zip(self.laid, self.kept, strict=True) if len(kept)]
        return max((int(edges.prod(axis=1).max()) for edges in boxes), default=0)

    @property
    def split_names(self) -> tuple[str, ...]:
        """Splits that chips were asked for in; where areas or values name them, those that are named."""
        wanted = tuple(self.spec.splits)
        named = self.spec.split_by in {"areas", "attribute"} and self.spec.split is None and self.spec.folds is None
        found = set(self.chip_splits.tolist())
        return tuple(name for name in wanted if name in found) if named and found else wanted

    @cached_property
    def chip_names(self) -> NDArray[np.object_]:
        """(chips,) the name of each chip of the dataset."""
        found = [laid.windows.names[kept] for laid, kept in zip(self.laid, self.kept, strict=True)]
        return np.concatenate(found) if found else np.array([], dtype=object)

    @cached_property
    def chip_splits(self) -> NDArray[np.object_]:
        """(chips,) the split of each chip of the dataset."""
        found = [splits[kept] for splits, kept in zip(self.splits, self.kept, strict=True)]
        return np.concatenate(found) if found else np.array([], dtype=object)

    @cached_property
    def chip_counts(self) -> NDArray[np.int64]:
        """(chips, classes) annotations on each chip of the dataset by class, in the order of the project's classes."""
        found = [laid.counts(self.labels, self.project)[kept] for laid, kept in zip(self.laid, self.kept, strict=True)]
        return np.concatenate(found) if found else np.zeros((0, len(self.project.classes)), dtype=np.int64)


class PlannedChips(Sequence[PlannedChip]):
    """The chips of a plan, made one by one from flat arrays; going through them in order costs the least."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._starts = np.cumsum([0, *(len(kept) for kept in plan.kept)])
        self._wkb: tuple[int, Resting] | None = None
        self._priorities = {c.id: c.priority for c in plan.project.classes}
        self._ignore = mask_type(plan.project.classes)[1]

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> PlannedChip: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[PlannedChip, ...]: ...

    def __getitem__(self, index: int | slice) -> PlannedChip | tuple[PlannedChip, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        of = int(np.searchsorted(self._starts, number, side="right")) - 1
        chip = int(self._plan.kept[of][number - int(self._starts[of])])
        plan, laid = self._plan, self._plan.laid[of]
        rows, kept = laid.near(chip)
        class_ids = plan.labels.class_ids[rows]
        priorities = np.array([self._priorities[c] for c in class_ids.tolist()], dtype=np.int64)
        near = Near(plan.labels.ids[rows], class_ids, priorities, kept, self._on_frame(of)[rows])
        window, turn = laid.windows.window(chip), float(laid.windows.turns[chip])
        name, split = str(laid.windows.names[chip]), str(plan.splits[of][chip])
        seen, ignored = laid.cover.on(chip)
        return PlannedChip(number, name, split, plan.frames[of], window, turn, near, seen, ignored, self._ignore)

    def _on_frame(self, of: int) -> Resting:
        """WKB in the CRS of a frame: that of the project, or made anew for one frame at a time."""
        plan, frame = self._plan, self._plan.frames[of]
        own, crs = plan.project.crs, frame.grid.crs
        if own is None or crs is None or crs_.same(own, crs):
            return plan.labels.wkb
        if self._wkb is None or self._wkb[0] != of:
            self._wkb = (of, _transformed(plan, frame, plan.laid[of].used_rows()))
        return self._wkb[1]


def _transformed(plan: Plan, frame: Frame, rows: NDArray[np.int64]) -> Resting:
    wkb = Resting(len(plan.labels), plan.labels.wkb.folder)
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        shapes = in_crs_of(plan.labels.shapes(part), plan.project.crs, frame.grid)
        wkb.put(part, shapely.to_wkb(shapes).tolist())
    return wkb
