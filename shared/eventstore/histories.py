"""The names of a store's histories: one for each time that it was restored from a backup.

What was published after the backup is known to the others and to this store no more; positions that they have seen are
given again. So a restored store begins a new history, under a new name (its *epoch*), and who followed the old one
stops until an operator lets it follow the new one from where the two part.
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
    """A new history from here on; what it is called, and the last position that it has in common with the one before:
    ``{epoch, head}``."""
    log = tx.store.log
    log.lock(tx.connection)
    head, epoch = log.head(tx.connection), str(uuid.uuid4())
    ended = [*told(tx.connection)["ended"], {"epoch": log.epoch(tx.connection), "head": head}]
    facts = {"epoch": epoch, _ENDED: orjson.dumps(ended).decode()}
    sql.upsert(tx.connection, store_facts, [{"name": name, "value": value} for name, value in sorted(facts.items())])
    return {"epoch": epoch, "head": head}


def told(connection: sa.Connection) -> dict[str, Any]:
    """``{epoch, ended: [{epoch, head}]}``: the history that is, and those that were, each with its last position that
    was kept, the oldest first."""
    facts = {row.name: row.value for row in connection.execute(sa.select(store_facts))}
    return {"epoch": facts["epoch"], "ended": orjson.loads(facts.get(_ENDED, "[]"))}


def kept_until(ended: Sequence[dict[str, Any]], epoch: str) -> int | None:
    """Up to where all that was told under a name still holds; None for a name that is not known."""
    names = [history["epoch"] for history in ended]
    if epoch not in names:
        return None
    return min(int(history["head"]) for history in ended[names.index(epoch) :])
