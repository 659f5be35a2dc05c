"""The folder of one consumer: chips under the names that it looks for, class names in words that it can read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from geolabel.chips.read import chosen_bands
from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.classes import LabelClass
    from geolabel.formats.base import Context


def link_image(context: Context, chip: Chip, path: str) -> None:
    """Give the chip's image a second name, `path` relative to the dataset; a copy where there are no hard links."""
    context.files.link(context.image_path(chip), path)


def pictures(context: Context, name: str) -> tuple[str, ...]:
    """A sentence when the chips are not what readers of photographs take for granted: 8 bits, 1 or 3 bands."""
    odd = []
    for scene in context.scenes:
        bands = chosen_bands(scene, context.spec.bands)
        types = sorted({band.dtype for band in scene.bands if band.index in bands})
        if types != ["uint8"] or len(bands) not in {1, 3}:
            odd.append(f"{scene.id} gives {len(bands)} of {', '.join(types)}")
    if not odd:
        return ()
    more = f" (and {len(odd) - 1} more scenes)" if len(odd) > 1 else ""
    return (
        (
            f"Readers of {name} expect pictures of 1 or 3 bands of 8 bits; {odd[0]}{more}. Choose bands, "
            "or load the chips with a reader of many bands."
        ),
    )


def difficulties(context: Context, chip: Chip) -> list[int]:
    """How difficult each annotation of a chip is, by its attribute `difficulty` or `difficult`; 0 when it says nothing."""
    values = context.attribute(chip, "difficulty", "difficult")
    return [int(value) if isinstance(value, int | float) and value > 0 else 0 for value in values]


def words(context: Context, name: str) -> dict[int, str]:
    """Class names by id for a format that ends a name at the first space: white space becomes `-`.

    Raises:
        InvalidSpec: two classes would get one name.
    """
    return _told_apart(
        context.project.classes, {c.id: re.sub(r"\s+", "-", c.name) for c in context.project.classes}, name
    )


def folders(context: Context, name: str) -> dict[int, str]:
    """Class names by id that can be names of folders on every system: what cannot be in one becomes `_`.

    Raises:
        InvalidSpec: two classes would get one folder, also where upper and lower case are the same.
    """
    safe = {c.id: re.sub(r'[\\/:*?"<>|]|^\.+|[. ]+$', "_", c.name) for c in context.project.classes}
    return _told_apart(context.project.classes, safe, name)


def renamed(context: Context, names: dict[int, str], name: str) -> tuple[str, ...]:
    """A sentence on the classes that are not called what the project calls them."""
    changed = [f"{c.name!r} is {names[c.id]!r}" for c in context.project.classes if names[c.id] != c.name]
    return (f"Not every class name can be written in {name}: {', '.join(changed)} there.",) if changed else ()


def _told_apart(classes: tuple[LabelClass, ...], names: dict[int, str], name: str) -> dict[int, str]:
    first: dict[str, LabelClass] = {}
    for c in classes:
        other = first.setdefault(names[c.id].casefold(), c)
        if other is not c:
            raise InvalidSpec(
                f"The classes {other.name!r} and {c.name!r} would both be {names[c.id]!r} in {name}; rename one of them."
            )
    return names
