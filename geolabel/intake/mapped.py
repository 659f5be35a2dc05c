"""Labels whose classes have other names in the project, or are left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geolabel.intake.columns import as_text

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from geolabel.formats.base import Features, LabelStream


def with_classes(labels: LabelStream, field: str, classes: Mapping[str, str | None]) -> LabelStream:
    """The same labels with the values of a column exchanged.

    Args:
        labels: on their way in.
        field: the column that names the class; a feature without a value has the value ''.
        classes: by value: the class of the project, or None to leave such features out. Other values stay.
    """

    def batches() -> Generator[Features]:
        for features in labels.batches:
            yield _exchanged(features, field, classes)

    return replace(labels, batches=batches())


def _exchanged(features: Features, field: str, classes: Mapping[str, str | None]) -> Features:
    values = [as_text(value) or "" for value in features.columns.get(field, [None] * len(features))]
    wanted = [classes.get(value, value) for value in values]
    rows = [row for row, name in enumerate(wanted) if name is not None]
    place = {row: i for i, row in enumerate(rows)}
    columns = {name: [column[row] for row in rows] for name, column in features.columns.items()}
    columns[field] = [wanted[row] for row in rows]
    return replace(
        features,
        shapes=features.shapes.take(np.array(rows, dtype=np.int64)),
        odd={place[row]: shape for row, shape in features.odd.items() if row in place},
        unreadable={place[row]: problem for row, problem in features.unreadable.items() if row in place},
        columns=columns,
        numbers=[features.numbers[row] for row in rows],
        ids=None if features.ids is None else [features.ids[row] for row in rows],
    )
