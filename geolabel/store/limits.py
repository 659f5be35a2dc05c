"""What a search may ask for, and how long it may take."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import sqlalchemy as sa

from geolabel.errors import InvalidInput, TooSlow
from geolabel.store.dialect import spatial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from geolabel.model import Bounds

_TOO_SLOW = "The search took longer than it may and was stopped: ask for a smaller area, or with a simpler filter."


@contextmanager
def limited(connection: Connection, seconds: float | None) -> Iterator[float | None]:
    """A block in which nothing takes longer; gives the moment at which it is over.

    Raises:
        InvalidInput: a filter reckons with numbers beyond the largest double.
    """
    try:
        with nullcontext() if seconds is None else spatial(connection).time_limit(connection, seconds) as deadline:
            yield deadline
    except sa.exc.DataError as error:
        raise InvalidInput("The filter reckons with numbers that grow too large.") from error


def check_time(deadline: float | None) -> None:
    """Stop a search that goes on in Python after its moment (`time.monotonic`) is over.

    Raises:
        TooSlow: it is.
    """
    if deadline is not None and time.monotonic() > deadline:
        raise TooSlow(_TOO_SLOW, _TOO_SLOW)


def check_box(bbox: Bounds) -> None:
    """Refuse what is no box.

    Raises:
        InvalidInput: not four finite numbers, or the largest before the smallest.
    """
    if len(bbox) != 4 or not all(map(math.isfinite, bbox)) or bbox[0] > bbox[2] or bbox[1] > bbox[3]:
        raise InvalidInput(
            f"A box is (min x, min y, max x, max y) in finite numbers of the project's CRS, got {tuple(bbox)}.",
        )
