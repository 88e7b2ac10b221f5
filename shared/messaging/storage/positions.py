"""The tracked position in each source's log, and the position up to which the relay has published the own log."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shared.eventstore import Store, Transaction, sql
from shared.eventstore.tables import relay, tracking

_MOVE_TRACKED = (
    tracking.update()
    .where(tracking.c.source == sa.bindparam("of"), tracking.c.position == sa.bindparam("old"))
    .values(position=sa.bindparam("new"))
)
_MOVE_RELAYED = relay.update().where(relay.c.position == sa.bindparam("old")).values(position=sa.bindparam("new"))


def begin_tracking(connection: sa.Connection, source: str) -> None:
    """A source that was never followed is followed from the start of its log."""
    sql.insert_ignore(connection, tracking, [{"source": source, "position": 0, "epoch": ""}])


def tracked(connection: sa.Connection, source: str) -> sa.Row[Any]:
    """``(source, position, epoch)``; the epoch is empty until the source has answered once."""
    return connection.execute(sa.select(tracking).where(tracking.c.source == source)).one()


def tracked_positions(connection: sa.Connection) -> dict[str, int]:
    """Up to which position each source is followed."""
    return {row.source: row.position for row in connection.execute(sa.select(tracking))}


def lock_tracked(connection: sa.Connection, source: str) -> sa.Row[Any] | None:
    """``tracked``, or None; the consumer of the source handles nothing until this transaction ends."""
    return connection.execute(sa.select(tracking).where(tracking.c.source == source).with_for_update()).first()


def move_tracked(within: Store | Transaction, source: str, old: int, new: int) -> bool:
    """Moves the tracked position; False when it is no longer the old one. A store does it in a new transaction."""
    return within.change(_MOVE_TRACKED, {"of": source, "old": old, "new": new}) == 1


def follow_epoch(connection: sa.Connection, source: str, epoch: str, position: int | None = None) -> None:
    """Stores the epoch that is followed, and the position from which if one is given."""
    changed = {"epoch": epoch} if position is None else {"epoch": epoch, "position": position}
    connection.execute(tracking.update().where(tracking.c.source == source).values(changed))


def relayed(connection: sa.Connection) -> int:
    """The position up to which the log is published."""
    position: int = connection.execute(sa.select(relay.c.position)).scalar_one()
    return position


def move_relayed(store: Store, old: int, new: int) -> bool:
    """Moves the relay's position; False when it is no longer the old one."""
    return store.change(_MOVE_RELAYED, {"old": old, "new": new}) == 1
