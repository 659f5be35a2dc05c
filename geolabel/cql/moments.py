"""The times of a filter: points in time and days, as texts that sort as time does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from geolabel import moments
from geolabel.errors import InvalidInput

_DAY = 10
_LEAP_SECOND = re.compile(r":60(?:\.\d+)?(?=[Zz]|[+-]\d\d:\d\d\Z)", re.ASCII)
_SINCE_EVER = re.compile(r"0000-(\d\d-\d\d)", re.ASCII)
DAY_STARTS, DAY_ENDS = "T00:00:00.000Z", "T23:59:59.999Z"


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, or a day.

    Attributes:
        start: its first millisecond, `2024-05-01T00:00:00.000Z`.
        end: its last; the same unless it is a day.
    """

    start: str
    end: str


def read_moment(text: str) -> Moment:
    """Read `2024-05-01T12:00:00Z` (RFC 3339, also with a leap second), or the day `2024-05-01`.

    Raises:
        InvalidInput: neither of them, or no such day.
    """
    text = _LEAP_SECOND.sub(":59.999", text)
    text = _SINCE_EVER.sub(r"0001-\1", text) if text.startswith("0000") else text  # what QGIS sends for an open start
    read = moments.read_moment(text)
    return Moment(read + DAY_STARTS, read + DAY_ENDS) if len(read) == _DAY else Moment(read, read)


def read_interval(text: str) -> tuple[Moment | None, Moment | None]:
    """Read a `datetime` parameter: a time, or two with `/` between them; `..` or nothing is open.

    Returns:
        Beginning and end, the same for one time; None for open.

    Raises:
        InvalidInput: it is neither, or it ends before it starts.
    """
    parts = text.split("/")
    found = [None if part in {"", ".."} else read_moment(part) for part in parts]
    if len(parts) > 2 or found == [None]:
        raise InvalidInput(f"An interval is two times with '/' between them, '..' for an open end; got {text!r:.80}.")
    start, end = found[0], found[-1]
    if start is not None and end is not None and start.start > end.end:
        raise InvalidInput(f"The interval ends before it starts: {text!r:.80}.")
    return start, end
