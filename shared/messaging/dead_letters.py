"""Messages that could not be handled: listed, replayed after the fix, or discarded as a stored fact."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shared.eventstore import Message, Transaction
from shared.eventstore.tables import dead_letters, tracking
from shared.kernel.errors import Conflict, NotFound
from shared.kernel.time import instant_text
from shared.messaging.reactions import Reactions

WAITING = ("failed", "parked")


class NothingToReplay(Conflict):
    code = "not-waiting"


def listed(connection: sa.Connection, *, after: int = 0, limit: int = 200) -> list[dict[str, Any]]:
    """A page of the waiting dead letters after a given one, oldest first, without the data of their messages."""
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
    """The number of dead letters that wait, of one source or of all."""
    query = sa.select(sa.func.count()).select_from(dead_letters).where(dead_letters.c.state.in_(WAITING))
    if source is not None:
        query = query.where(dead_letters.c.source == source)
    return connection.execute(query).scalar_one()


def replay(tx: Transaction, identifier: int, reactions: Reactions) -> int:
    """Handles a dead letter and every message parked behind it on its stream, in order, in this one transaction.

    Returns how many there were. If one fails again, its error is raised and all of them keep waiting.
    """
    first = _locked(tx, identifier)
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
        reactions.handle(tx, Message.from_wire(row.message))
    _mark(tx, [row.id for row in rows], "replayed")
    return len(rows)


def discard(tx: Transaction, identifier: int) -> int:
    """Discards one dead letter; the messages parked behind it wait for a replay. A rebuild leaves it out, too."""
    _mark(tx, [_locked(tx, identifier).id], "discarded")
    return 1


def _locked(tx: Transaction, identifier: int) -> Any:
    """The dead letter, after locking its source: the consumer parks nothing behind it until this transaction ends."""
    query = sa.select(dead_letters).where(dead_letters.c.id == identifier)
    row = tx.connection.execute(query).first()
    if row is None:
        raise NotFound(f"no dead letter {identifier}")
    tx.connection.execute(sa.select(tracking).where(tracking.c.source == row.source).with_for_update())
    row = tx.connection.execute(query).one()
    if row.state not in WAITING:
        raise NothingToReplay(f"dead letter {identifier} is {row.state}")
    return row


def _mark(tx: Transaction, identifiers: list[int], state: str) -> None:
    tx.connection.execute(dead_letters.update().where(dead_letters.c.id.in_(identifiers)).values(state=state))
