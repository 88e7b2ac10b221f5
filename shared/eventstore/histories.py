"""The epochs of a store: each restore from a backup begins a new one.

A restored store has lost what it published after the backup, and gives the same positions to other events. Its
consumers have handled the lost messages. So it begins a new history under a new name, its *epoch*; consumers of the old
one stop until an operator lets them follow the new one from the last position that both have.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.store import Transaction
from shared.eventstore.tables import store_facts

_ENDED = "ended-histories"


def begin(tx: Transaction) -> dict[str, Any]:
    """Begins a new history. Returns ``{epoch, head}``: its name, and the last position that it has in common with the
    history before it."""
    log = tx.store.log
    log.lock(tx.connection)
    head, epoch = log.head(tx.connection), str(uuid.uuid4())
    ended = [*stored(tx.connection)["ended"], {"epoch": log.epoch(tx.connection), "head": head}]
    facts = {"epoch": epoch, _ENDED: orjson.dumps(ended).decode()}
    sql.upsert(tx.connection, store_facts, [{"name": name, "value": value} for name, value in sorted(facts.items())])
    return {"epoch": epoch, "head": head}


def stored(connection: sa.Connection) -> dict[str, Any]:
    """``{epoch, ended: [{epoch, head}]}``: the present history, and the ended ones, the oldest first.

    The ``head`` of an ended history is its last position that the next one has as well.
    """
    facts = {row.name: row.value for row in connection.execute(sa.select(store_facts))}
    return {"epoch": facts["epoch"], "ended": orjson.loads(facts.get(_ENDED, "[]"))}


def kept_until(ended: Sequence[dict[str, Any]], epoch: str) -> int | None:
    """The last position of an ended history that the present one has as well; None for an unknown history."""
    names = [history["epoch"] for history in ended]
    if epoch not in names:
        return None
    return min(int(history["head"]) for history in ended[names.index(epoch) :])
