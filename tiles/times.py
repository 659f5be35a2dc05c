"""`datetime` of the OGC: a day, a moment, or an interval of them, and what lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from tiles.errors import InvalidParameter

_OPEN = {"", ".."}


@dataclass(frozen=True, slots=True)
class Interval:
    """From a moment to a moment, both of them in it.

    Attributes:
        start: as ISO 8601 in UTC without a zone; None when it has no beginning.
        end: likewise; None when it has no end.
    """

    start: str | None
    end: str | None

    def holds(self, moment: str | None) -> bool:
        """Whether a picture that was taken then is in it; one without a date is in none."""
        if moment is None:
            return False
        at = _moment(moment, first=True)
        return (self.start is None or self.start <= at) and (self.end is None or at <= self.end)


def read_interval(text: str) -> Interval:
    """Read `2024-05-01`, `2024-05-01T12:00:00Z`, `2024-01-01/2024-06-30`, `2024-01-01/..`.

    Raises:
        InvalidParameter: it cannot be read, or ends before it begins.
    """
    begin, slash, end = text.partition("/")
    try:
        if not slash:
            found = Interval(_moment(begin, first=True), _moment(begin, first=False))
        else:
            found = Interval(
                None if begin in _OPEN else _moment(begin, first=True),
                None if end in _OPEN else _moment(end, first=False),
            )
    except (ValueError, OverflowError):
        found = Interval("1", "0")
    if found.start is not None and found.end is not None and found.start > found.end:
        raise InvalidParameter(
            "datetime cannot be used: expected a day, a moment or an interval such as 2024-05-01, 2024-05-01T12:00:00Z, "
            f"2024-01-01/2024-06-30 or 2024-01-01/..; got {text[:64]!r}."
        )
    return found


def _moment(text: str, *, first: bool) -> str:
    """In a form in which texts sort as times do; a day is its first or its last moment."""
    if len(text) == len("2024-05-01"):
        return f"{date.fromisoformat(text).isoformat()}T{'00:00:00.000000' if first else '23:59:59.999999'}"
    moment = datetime.fromisoformat(text.upper())
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.replace(tzinfo=None).isoformat(timespec="microseconds")
