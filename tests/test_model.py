"""The values themselves: what a class and a title may be."""

from __future__ import annotations

from typing import Any

import pytest

from geolabel.classes import make_classes
from geolabel.errors import InvalidInput
from geolabel.model import check_title


def test_what_is_left_out_is_given_out_around_what_is_there() -> None:
    classes = make_classes([{"name": "a", "id": 2, "hotkey": "1"}, "b", {"name": "c", "hotkey": None}, "d"])
    assert [c.id for c in classes] == [2, 1, 3, 4]
    assert [c.hotkey for c in classes] == ["1", "2", None, "3"]
    many = make_classes([f"class {number}" for number in range(1, 13)])
    assert [c.id for c in many] == list(range(1, 13))
    assert [c.hotkey for c in many] == [*"123456789", None, None, None]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"name": 2018}, "name is text, got 2018"),
        (2018, "name is text, got 2018"),
        ({"name": "a", "hotkey": 1}, "hotkey is text, got 1.*in YAML, quote it"),
        ({"name": "a", "color": 123456}, "color is text, got 123456"),
        ({"name": "a", "id": 1.5}, "id is a whole number, 1 to 65534, got 1.5"),
        ({"name": "a", "id": True}, "id is a whole number"),
        ({"name": "a", "priority": 10**30}, "priority is a whole number, -1000000 to 1000000"),
        ({"name": "a", "priority": "high"}, "priority is a whole number"),
        ({"name": "a", "geometries": "polygons"}, r"among point, line, polygon, got \['polygons'\]"),
        ({"name": "a", "geometries": [["polygon"]]}, "among point, line, polygon"),
        ({"name": "a", "kind": ["thing"]}, "kind is 'thing' or 'stuff'"),
        ({"title": "a"}, r"expected 'name' and any of .*, got \['title'\]"),
    ],
)
def test_a_class_that_cannot_be_is_said(item: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_classes([item])


def test_a_title_can_be_read() -> None:
    assert check_title(" Land use ") == "Land use"
    for title in ("", "  ", "two\nlines"):
        with pytest.raises(InvalidInput, match="printable text"):
            check_title(title)
