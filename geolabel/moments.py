"""Moments: a date, or an instant of RFC 3339, in the one form in which texts sort as times do.

`2024-05-01` is a whole day, `2024-05-01T12:00:00.000Z` an instant. As the start of an interval a date means its first
moment and as the end its last: `END + PAST_END >= moment` holds for both forms of an end.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from geolabel.errors import InvalidInput

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})\Z",
    re.ASCII,
)

PAST_END = "~"
"""Sorts behind every character of a moment: put behind an end, it makes a date reach to the end of its day."""


def read_moment(text: object) -> str:
    """A moment in the form in which it is kept: a date as it is, an instant in UTC with milliseconds.

    Raises:
        InvalidInput: neither a date nor an RFC 3339 instant with a time zone.
    """
    try:
        if isinstance(text, str) and _DATE.match(text):
            return date.fromisoformat(text).isoformat()
        if isinstance(text, str) and _INSTANT.match(text):
            instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
            return instant.strftime("%Y-%m-%dT%H:%M:%S.").rjust(20, "0") + f"{instant.microsecond // 1000:03d}Z"
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"A moment is a date such as 2024-05-01, or an instant with its time zone such as 2024-05-01T12:00:00Z; got {text!r:.60}."
    )


def in_order(start: str | None, end: str | None) -> bool:
    """Whether an interval of two read moments ends no earlier than it starts; None is open."""
    return start is None or end is None or start <= end + PAST_END


def read_instant(text: object) -> str:
    """An instant in the form in which it is kept; a date is its last millisecond.

    Raises:
        InvalidInput: as `read_moment`.
    """
    moment = read_moment(text)
    return moment if "T" in moment else f"{moment}T23:59:59.999Z"
