from __future__ import annotations

import numpy as np

from geolabel.formats.edges import boundary_of, distance_of


def test_what_is_not_known_has_no_edge() -> None:
    instances = np.array([[-1, 1, 1, 0], [-1, 1, 1, 0]], dtype=np.int32)
    assert boundary_of(instances).tolist() == [[255, 0, 1, 0], [255, 0, 1, 0]]
    assert distance_of(instances).tolist() == [[-1, 2, 1, 0], [-1, 2, 1, 0]]
