"""Scenes, annotations and a ChipSpec -> a plan: lay out the chips, put the annotations on them, split, choose, prove."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.assign import Lost
from geolabel.chips.deal import draw
from geolabel.chips.frame import frames
from geolabel.chips.lay import Asked, laid_on
from geolabel.chips.plan import Plan, Tally
from geolabel.chips.proof import Proof, class_gap, continuous, prove
from geolabel.chips.read import chosen_bands
from geolabel.chips.schema import dataset_schema
from geolabel.chips.split import Chips, split_chips
from geolabel.chips.worth import worthless
from geolabel.errors import GeolabelError, InvalidInput, InvalidSpec
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.chips.frame import Frame
    from geolabel.chips.labels import Labels
    from geolabel.chips.lay import Laid
    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Project, Scene


@dataclass(slots=True)
class _Sieve:
    """The chips of each frame while they are chosen.

    Attributes:
        asked: what for.
        frames: the grids.
        laid: the chips of each.
        reasons: (chips,) for each frame, why a chip is left out; empty while it is not.
        splits: (chips,) for each frame, names.
    """

    asked: Asked
    frames: Sequence[Frame]
    laid: Sequence[Laid]
    reasons: Sequence[NDArray[np.object_]]
    splits: Sequence[NDArray[np.object_]]

    def left(self) -> list[NDArray[np.bool_]]:
        """(chips,) for each frame, which are not left out so far."""
        return [why == "" for why in self.reasons]

    def counts(self) -> NDArray[np.int64]:
        """(n, classes) annotations on the chips that are not left out so far."""
        asked = self.asked
        counted = (one.counts(asked.labels, asked.project) for one in self.laid)
        return np.concatenate([counts[here] for counts, here in zip(counted, self.left(), strict=True)])

    def footprints(self) -> NDArray[np.object_]:
        """(n,) of the chips that are not left out so far."""
        every = continuous(np.concatenate([one.footprints for one in self.laid]), self.asked.project.crs)
        return np.asarray(every[np.concatenate(self.left())])


def make_plan(
    project: Project,
    scenes: Sequence[Scene],
    labels: Labels,
    spec: ChipSpec,
    masks: Mapping[str, Scene] | None = None,
) -> Plan:
    """Lay out the chips, put the annotations on them, choose, split.

    Args:
        project: as it is in the store; the plan's has the classes of the dataset.
        scenes: of the project, in its order.
        labels: gathered with the same spec.
        spec: how.
        masks: scenes that say where clouds are, by the scene that they are for (see `clouds.check_clouds`).

    Raises:
        InvalidInput: the project has no scenes.
        InvalidSpec: no chip is left, or the spec asks for what the scenes do not have.
    """
    if not scenes:
        raise InvalidInput(f"Project {project.id!r} has no scenes to cut chips from; add one, or export a map format.")
    for scene in scenes:
        chosen_bands(scene, spec.bands)
    project, _ = dataset_schema(project, spec)
    grids = frames(scenes, spec, masks)
    asked = Asked(project, labels, spec)
    laid = [laid_on(asked, frame) for frame in grids]
    reasons = [np.where(one.telling, "", "unseen").astype(object) for one in laid]
    sieve = _Sieve(asked, grids, laid, reasons, [np.full(len(one), None, dtype=object) for one in laid])
    for frame, one, why in zip(grids, laid, reasons, strict=True):
        worthless(frame, one.windows, why, spec)
    _check_any(sieve)
    _split(sieve)
    _choose(sieve)
    kept = np.concatenate(sieve.left())
    if not kept.any():
        raise InvalidSpec(f"No chip has annotations on it, and negatives={spec.negatives!r} leaves none without them.")
    proof = prove(sieve.footprints(), np.concatenate(sieve.splits)[kept])
    if proof.shared > 0:
        raise GeolabelError(
            f"The splits share the ground of {proof.shared:.3g} chips, which must not be; nothing was written."
        )
    return Plan(
        project,
        tuple(scenes),
        spec,
        tuple(grids),
        tuple(laid),
        tuple(reasons),
        tuple(sieve.splits),
        labels,
        _tally(sieve),
        proof,
        labels.digest,
    )


def plan_without_chips(project: Project, scenes: Sequence[Scene], labels: Labels, spec: ChipSpec) -> Plan:
    """The plan of an export in map formats only."""
    project, _ = dataset_schema(project, spec)
    tally = Tally(len(labels))
    return Plan(project, tuple(scenes), spec, (), (), (), (), labels, tally, Proof(0.0, 0, None), labels.digest)


def _check_any(sieve: _Sieve) -> None:
    """Refuse a plan without chips, and say what left none."""
    project, spec = sieve.asked.project, sieve.asked.spec
    why = Counter(np.concatenate(sieve.reasons).tolist())
    if why[""]:
        return
    size = f"{spec.size} {spec.units}"
    if why["unseen"]:
        raise InvalidSpec(
            f"No chip of project {project.id!r} holds anything to learn from: there are no labels, and all ground is unseen or to "
            "be ignored. Draw seen ground in its coverage, or let unlabelled ground be background.",
        )
    if why["nodata"] or why["cloud"]:
        raise InvalidSpec(
            f"Every chip of project {project.id!r} has too much without data ({why['nodata']:,}) or under cloud ({why['cloud']:,}); "
            "raise max_nodata or max_cloud.",
        )
    if any(one.area for one in sieve.laid) or (spec.layout == "random" and spec.within is not None):
        raise InvalidSpec(
            f"No chip of {size} lies in `within`; take smaller chips, a smaller within_share or another area."
        )
    if spec.layout in {"features", "boxes"}:
        raise InvalidSpec(
            f"No annotation of project {project.id!r} lies on a scene: there is nothing to lay chips about."
        )
    raise InvalidSpec(
        f"No chip of {size} fits into any of the {len(sieve.frames)} scenes; take a smaller size, or edges='pad'.",
    )


def _split(sieve: _Sieve) -> None:
    """Give each chip its split; those between two have a reason now."""
    asked, spec, left = sieve.asked, sieve.asked.spec, sieve.left()
    if len(spec.splits) == 1:
        for names, here in zip(sieve.splits, left, strict=True):
            names[here] = next(iter(spec.splits))
        return
    numbers = [int(here.sum()) for here in left]
    first = np.cumsum([0, *numbers[:-1]])[np.array(numbers) > 0]
    of = np.repeat(np.arange(len(left)), numbers)
    scenes = np.array([*(frame.scene.id for frame in sieve.frames), None], dtype=object)[of]
    dates = np.array([*((frame.scene.datetime or "")[:10] or None for frame in sieve.frames), None], dtype=object)[of]
    values = np.concatenate([_values(one, asked)[here] for one, here in zip(sieve.laid, left, strict=True)])
    chips = Chips(sieve.footprints(), sieve.counts(), scenes, dates, values, first, asked.project.crs)
    found = split_chips(chips, spec)
    if not any(name is not None for name in found):
        raise InvalidSpec(
            f"With split_block={spec.split_block:g} and split_buffer={spec.split_buffer:g} every chip of {asked.project.id!r} lies "
            "between two splits; take larger blocks or a smaller buffer.",
        )
    for names, why, here, part in zip(
        sieve.splits, sieve.reasons, left, np.split(found, np.cumsum(numbers)[:-1]), strict=True
    ):
        names[here] = part
        why[here & (names == None)] = "straddling"  # noqa: E711 - elementwise


def _values(one: Laid, asked: Asked) -> NDArray[np.object_]:
    """(chips,) what each chip is split by: the value of its annotations, or of the areas that it touches."""
    project, labels, spec = asked.project, asked.labels, asked.spec
    result = np.full(len(one), None, dtype=object)
    if spec.split_by == "attribute":
        assert spec.split_attribute is not None
        if spec.split_attribute not in labels.columns:
            known = ", ".join(a.name for a in project.attributes) or "none"
            raise InvalidSpec(
                f"split_attribute={spec.split_attribute!r} is no attribute of {project.id!r}; it has: {known}."
            )
        column = labels.columns[spec.split_attribute][one.rows[one.kept]]
        chip = one.chip_of_pairs()[one.kept]
        pairs = [(c, v) for c, v in zip(chip.tolist(), column.tolist(), strict=True) if v is not None]
    elif spec.split_areas is not None:
        areas = spec.split_areas
        shapes = areas.geometries
        if project.crs is not None:
            shapes = crs_.transform_geometries(shapes, areas.crs, project.crs)
        name = spec.split_attribute or "split"
        values = areas.values(name)
        if any(value is None for value in values):
            raise InvalidSpec(
                f"A polygon of split_areas has no property {name!r}; give one to each, or name another by split_attribute."
            )
        touched, area = shapely.STRtree(shapes).query(one.footprints, predicate="intersects")
        meet = shapely.area(shapely.intersection(one.footprints[touched], shapes[area])) > 0
        pairs = [(c, values[a]) for c, a in zip(touched[meet].tolist(), area[meet].tolist(), strict=True)]
    else:
        return result
    found: dict[int, set[str]] = {}
    for chip_number, value in pairs:
        found.setdefault(chip_number, set()).add(str(value))
    for chip_number, texts in found.items():
        result[chip_number] = next(iter(texts)) if len(texts) == 1 else tuple(sorted(texts))
    return result


def _choose(sieve: _Sieve) -> None:
    """Keep as many chips without annotations as were asked for, in each split; the others have a reason now."""
    spec, laid, reasons = sieve.asked.spec, sieve.laid, sieve.reasons
    if spec.negatives == "all":
        return
    positive = [np.bincount(one.chip_of_pairs()[one.kept], minlength=len(one)) > 0 for one in laid]
    left = sieve.left()
    if spec.negatives == "seen":
        for one, has, why, here in zip(laid, positive, reasons, left, strict=True):
            why[here & ~has & ~one.looked_at] = "negatives"
        return
    ratio = 0.0 if isinstance(spec.negatives, str) else spec.negatives
    names = np.concatenate([one.windows.names for one in laid])
    split = np.concatenate(sieve.splits)
    has, here = np.concatenate(positive), np.concatenate(left)
    drawn: set[str] = set()
    for name in spec.splits:
        own = here & (split == name)
        wanted = min(int(int((own & has).sum()) * ratio + 0.5), len(names))
        drawn |= draw(names[own & ~has].tolist(), wanted, spec.seed)
    for one, has_own, why, here_own in zip(laid, positive, reasons, left, strict=True):
        chosen = np.array([name in drawn for name in one.windows.names], dtype=bool)
        why[here_own & ~has_own & ~chosen] = "negatives"


def _tally(sieve: _Sieve) -> Tally:
    laid, labels = sieve.laid, sieve.asked.labels
    why = Counter(np.concatenate(sieve.reasons).tolist())
    inside = np.logical_or.reduce([one.inside for one in laid])
    matched = np.logical_or.reduce([one.inside & one.matched for one in laid])
    used = np.zeros(len(labels), dtype=bool)
    for one, here in zip(laid, sieve.left(), strict=True):
        used[one.rows[one.kept & here[one.chip_of_pairs()]]] = True
    pairs = list(zip(sieve.frames, laid, strict=True))
    return Tally(
        annotations=len(labels),
        outside=int((~inside).sum()),
        unused=int((matched & ~used).sum()),
        lost=sum((one.lost for one in laid), Lost()),
        unmatched=int((inside & ~matched).sum()),
        area=sum(one.area for one in laid),
        nodata=why["nodata"],
        cloud=why["cloud"],
        negatives=why["negatives"],
        unseen=why["unseen"],
        straddling=why["straddling"],
        scenes_without_labels=tuple(frame.scene.id for frame, one in pairs if not one.inside.any()),
        scenes_without_chips=tuple(frame.scene.id for frame, one in pairs if not len(one)),
        class_gap=class_gap(sieve.counts(), np.concatenate(sieve.splits)[np.concatenate(sieve.left())]),
    )
