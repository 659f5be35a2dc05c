"""Text that both databases can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable


def check_text(what: str, *values: str | None) -> None:
    """Refuse text that a database cannot keep.

    Args:
        what: names the field in the message.
        values: None is fine.

    Raises:
        InvalidInput: a NUL character or a lone surrogate.
    """
    for value in values:
        if value is None:
            continue
        if "\0" in value:
            raise InvalidInput(f"The {what} {value[:40]!r} holds a NUL character, which no database keeps: remove it.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"The {what} {value[:40]!r} holds half of a character (a lone surrogate) at position {error.start}: remove it.",
            ) from error


def check_texts(what: str, values: Iterable[str | None]) -> None:
    """The same for many; most are equal, so each is looked at once."""
    check_text(what, *set(values))
