"""Messages that could not be handled: listed, replayed after the fix, or discarded as a stored fact."""

from __future__ import annotations

from typing import Any

from shared.eventstore import Connection, Message, Row, Transaction
from shared.kernel.errors import Conflict, NotFound
from shared.kernel.time import instant_text
from shared.messaging.reactions import Reactions
from shared.messaging.storage import dead_letters, positions

_RESOLVED = {"replayed": "rejoué", "discarded": "écarté"}


class NothingToReplay(Conflict):
    code = "not-waiting"


def listed(connection: Connection, *, after: int = 0, limit: int = 200) -> list[dict[str, Any]]:
    """A page of the waiting dead letters after a given one, oldest first, without the data of their messages."""
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
        for row in dead_letters.waiting(connection, after, limit)
    ]


def replay(tx: Transaction, identifier: int, reactions: Reactions) -> int:
    """Handles a dead letter and every message parked behind it on its stream, in order, in this one transaction.

    Returns how many there were. If one fails again, its error is raised and all of them keep waiting.
    """
    first = _locked(tx, identifier)
    rows = dead_letters.waiting_on_stream(tx.connection, first.source, first.stream)
    for row in rows:
        reactions.handle(tx, Message.from_wire(row.message))
    dead_letters.mark(tx.connection, [row.id for row in rows], "replayed")
    return len(rows)


def discard(tx: Transaction, identifier: int) -> int:
    """Discards one dead letter; the messages parked behind it wait for a replay. A rebuild leaves it out, too."""
    dead_letters.mark(tx.connection, [_locked(tx, identifier).id], "discarded")
    return 1


def _locked(tx: Transaction, identifier: int) -> Row[Any]:
    """The dead letter, after locking its source: the consumer parks nothing behind it until this transaction ends."""
    row = dead_letters.by_number(tx.connection, identifier)
    if row is not None:
        positions.lock_tracked(tx.connection, row.source)
        row = dead_letters.by_number(tx.connection, identifier)
    if row is None:
        raise NotFound(f"Aucun message en échec ne porte le numéro {identifier}.")
    if row.state not in dead_letters.WAITING:
        raise NothingToReplay(f"Le message en échec {identifier} a déjà été {_RESOLVED[row.state]}.")
    return row
