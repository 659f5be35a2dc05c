"""A request that is sent twice has one effect: what it did is kept with its key, in the transaction that did it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from geolabel.errors import InvalidInput
from geolabel.store.tables import idempotency
from geolabel.store.text import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from geolabel.store.layers import Layer

KEPT = timedelta(hours=48)
"""How long a key is remembered, at least."""


@dataclass(slots=True)
class Once:
    """A write that may come again and shall have its effect once.

    Attributes:
        key: chosen by who asks, unique in the project.
        fingerprint: of what is asked for; the same key with another one is a mistake.
        replayed: set by the store: it had been done before, and what it gave then is given again.
    """

    key: str
    fingerprint: str
    replayed: bool = False


def find(connection: Connection, layer: Layer, once: Once) -> Any | None:
    """What the write gave when it was done; None when it was not.

    Raises:
        InvalidInput: the key belongs to another request.
    """
    check_text("idempotency key", once.key)
    c = idempotency.c
    wanted = sa.select(c.fingerprint, c.result, c.at).where(c.project == layer.key, c.key == once.key)
    row = connection.execute(wanted).first()
    if row is None:
        return None
    if row.fingerprint != once.fingerprint:
        raise InvalidInput(
            f"The key {once.key!r} was used at {row.at} for another request to project {layer.project.id!r}: "
            "a new request takes a new key, and a repeated one is sent exactly as it was.",
        )
    once.replayed = True
    return row.result


def keep(connection: Connection, layer: Layer, once: Once, result: Mapping[str, Any], *, at: str) -> None:
    """Remember what the write of this transaction gives, and forget what was given long ago."""
    c = idempotency.c
    before = datetime.fromisoformat(at).astimezone(UTC) - KEPT
    connection.execute(sa.delete(idempotency).where(c.at < before.strftime("%Y-%m-%dT%H:%M:%S.000Z")))
    values = {"project": layer.key, "key": once.key, "fingerprint": once.fingerprint, "result": dict(result), "at": at}
    connection.execute(sa.insert(idempotency).values(values))
