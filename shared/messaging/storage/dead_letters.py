"""Dead letters: each waits (failed, or parked behind a failed one of its stream) until it is replayed or discarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.eventstore import Message, sql
from shared.eventstore.tables import dead_letters

WAITING = ("failed", "parked")
_WAITS = dead_letters.c.state.in_(WAITING)


def add(connection: sa.Connection, source: str, message: Message, state: str, error: str, at: datetime) -> None:
    """Stores a message, unless it is stored already."""
    row = {
        "source": source,
        "stream": message.stream,
        "position": message.position,
        "message": message.to_wire(),
        "error": error[:2000],
        "state": state,
        "recorded_at": at,
    }
    sql.insert_ignore(connection, dead_letters, [row])


def by_number(connection: sa.Connection, identifier: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(dead_letters).where(dead_letters.c.id == identifier)).first()


def waiting(connection: sa.Connection, after: int, limit: int) -> Sequence[sa.Row[Any]]:
    """Those that wait, the oldest first, after a given one."""
    query = sa.select(dead_letters).where(_WAITS, dead_letters.c.id > after)
    return connection.execute(query.order_by(dead_letters.c.id).limit(limit)).all()


def waiting_on_stream(connection: sa.Connection, source: str, stream: str) -> Sequence[sa.Row[Any]]:
    """Those of a stream that wait, in the order of the stream."""
    query = sa.select(dead_letters).where(dead_letters.c.source == source, dead_letters.c.stream == stream, _WAITS)
    return connection.execute(query.order_by(dead_letters.c.position)).all()


def blocked_streams(connection: sa.Connection, source: str) -> set[str]:
    """The streams of a source with a message that waits: their later messages are parked behind it."""
    query = sa.select(dead_letters.c.stream).where(dead_letters.c.source == source, _WAITS).distinct()
    return set(connection.execute(query).scalars())


def count_waiting(connection: sa.Connection, source: str | None = None) -> int:
    """How many wait, of one source or of all."""
    query = sa.select(sa.func.count()).select_from(dead_letters).where(_WAITS)
    if source is not None:
        query = query.where(dead_letters.c.source == source)
    return connection.execute(query).scalar_one()


def not_replayed(connection: sa.Connection) -> set[tuple[str, int]]:
    """``(source, position)`` of the messages without effect: failed, parked and discarded."""
    query = sa.select(dead_letters.c.source, dead_letters.c.position).where(dead_letters.c.state != "replayed")
    return {(row.source, row.position) for row in connection.execute(query)}


def mark(connection: sa.Connection, identifiers: Sequence[int], state: str) -> None:
    connection.execute(dead_letters.update().where(dead_letters.c.id.in_(identifiers)).values(state=state))


def discard_lost(connection: sa.Connection, source: str, epoch: str, after: int) -> None:
    """Discards those of an ended history after a position, and frees their positions for other messages."""
    lost = (dead_letters.c.source == source) & (dead_letters.c.position > after)
    connection.execute(dead_letters.update().where(lost, _WAITS).values(state="discarded"))
    connection.execute(dead_letters.update().where(lost).values(source=f"{source} until {epoch[:8]}"))
