"""What could not be handled: listed, tried again after the fix, or given up as a stored fact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from shared.eventstore import Message, Transaction, sql
from shared.eventstore.context import caused_by
from shared.eventstore.tables import dead_letters, tracking
from shared.kernel.errors import Conflict, NotFound
from shared.kernel.time import instant_text
from shared.messaging.reactions import Reaction

WAITING = ("failed", "parked")


class NothingToReplay(Conflict):
    code = "not-waiting"


def listed(connection: sa.Connection, *, after: int = 0, limit: int = 200) -> list[dict[str, Any]]:
    """The letters that wait, oldest first, from just after one on, without the data of their messages."""
    waiting = sa.select(dead_letters).where(dead_letters.c.state.in_(WAITING), dead_letters.c.id > after)
    query = waiting.order_by(dead_letters.c.id).limit(limit)
    return [
        {
            "id": row.id,
            "source": row.source,
            "stream": row.stream,
            "position": row.position,
            "message": row.message["name"],
            "error": row.error,
            "state": row.state,
            "recordedAt": instant_text(row.recorded_at),
        }
        for row in connection.execute(query)
    ]


def count_waiting(connection: sa.Connection, source: str | None = None) -> int:
    """How many letters wait; of one source, or of all."""
    query = sa.select(sa.func.count()).select_from(dead_letters).where(dead_letters.c.state.in_(WAITING))
    if source is not None:
        query = query.where(dead_letters.c.source == source)
    return connection.execute(query).scalar_one()


def replay(tx: Transaction, letter: int, reactions: Mapping[tuple[str, str], Reaction]) -> int:
    """Handles the letter and everything parked behind it on its stream, in order, in this one transaction.

    Gives how many there were. What fails again raises, and all of them stay where they were.
    """
    first = _held(tx, letter)
    rows = tx.connection.execute(
        sa.select(dead_letters)
        .where(
            dead_letters.c.source == first.source,
            dead_letters.c.stream == first.stream,
            dead_letters.c.state.in_(WAITING),
        )
        .order_by(dead_letters.c.position)
    ).all()
    for row in rows:
        message = Message.from_wire(row.message)
        with caused_by(message.correlation_id, message.id):
            reactions[message.source, message.name](tx, message)
    _settle(tx, [row.id for row in rows], "replayed")
    return len(rows)


def discard(tx: Transaction, letter: int) -> int:
    """Gives one letter up; what is parked behind it waits for a replay. A rebuild meets the discard too."""
    _settle(tx, [_held(tx, letter).id], "discarded")
    return 1


def _held(tx: Transaction, letter: int) -> Any:
    """The letter, and its source held: the consumer parks nothing behind it until this transaction has ended."""
    query = sa.select(dead_letters).where(dead_letters.c.id == letter)
    row = tx.connection.execute(query).first()
    if row is None:
        raise NotFound(f"no dead letter {letter}")
    tx.connection.execute(sql.lock_rows(sa.select(tracking).where(tracking.c.source == row.source)))
    row = tx.connection.execute(query).one()
    if row.state not in WAITING:
        raise NothingToReplay(f"dead letter {letter} is {row.state}")
    return row


def _settle(tx: Transaction, letters: list[int], state: str) -> None:
    tx.connection.execute(dead_letters.update().where(dead_letters.c.id.in_(letters)).values(state=state))
