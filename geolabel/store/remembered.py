"""What was read and still holds: every request asks for its project, its scenes and where its labels lie.

Within a moment of the Store it holds for the moment. Where the database can tell that nothing was written since, which
takes a few microseconds, it holds for as long as that is so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from geolabel.store.dialect import spatial

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sqlalchemy import Connection

    Memory = dict[Hashable, Any]

Value = TypeVar("Value")

_MOMENT = "memory"
_MOST = 10_000


def of_one_moment(connection: Connection) -> Connection:
    """The connection, with a memory for all that is read by it from now on, in one transaction."""
    memory = _lasting(connection)
    return connection.execution_options(**{_MOMENT: {} if memory is None else memory})


def remembered(connection: Connection, key: Hashable, read: Callable[[], Value]) -> Value:
    """What `read` gives of the database, from memory when it was read before and still holds; nothing that may be changed."""
    memory = connection.get_execution_options().get(_MOMENT)
    if memory is None:
        memory = _lasting(connection)
    if memory is None:
        return read()
    if key not in memory:
        memory[key] = read()
    value: Value = memory[key]
    return value


def _lasting(connection: Connection) -> Memory | None:
    """What was read by the same connection to the database as it is now; None when it cannot tell, or is written to."""
    if connection.get_execution_options().get("write", False):
        return None
    mark = spatial(connection).mark(connection)
    if mark is None:
        return None
    known, memory = connection.info.get(_MOMENT, (None, {}))
    if known != mark or len(memory) > _MOST:
        memory = {}
        connection.info[_MOMENT] = mark, memory
    found: Memory = memory
    return found
