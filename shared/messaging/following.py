"""Lets a consumer follow the new history of a source that was restored from a backup."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shared.eventstore import Transaction
from shared.eventstore.histories import kept_until
from shared.eventstore.tables import dead_letters, tracking
from shared.kernel.errors import Invalid
from shared.messaging.dead_letters import WAITING


def tracked_positions(connection: sa.Connection) -> dict[str, int]:
    """Up to which position each source is followed."""
    return {row.source: row.position for row in connection.execute(sa.select(tracking))}


def follow(tx: Transaction, source: str, histories: dict[str, Any], position: int | None = None) -> dict[str, Any]:
    """Makes the source's present history the tracked one. ``histories``: what ``histories.stored`` returns there.

    Returns ``{position, lost}``: the new tracked position, which is the last one that both histories have, and how many
    handled positions come after it. Their effects stay; their dead letters are discarded. ``position`` sets the tracked
    position instead. Raises Invalid if the last common position is unknown, or if the history is tracked already and
    ``position`` is another one.
    """
    where = tracking.c.source == source
    row = tx.connection.execute(sa.select(tracking).where(where).with_for_update()).first()
    if row is None:
        return {"position": 0, "lost": 0}  # the source was never followed
    if row.epoch == histories["epoch"]:
        if position not in (None, row.position):
            raise Invalid(f"this history of {source} is followed already, up to {row.position}")
        return {"position": row.position, "lost": 0}
    shared_until = kept_until(histories["ended"], row.epoch) if row.epoch else row.position
    if position is None and shared_until is None:
        raise Invalid(f"{source} does not know the history that was followed: give the position from which to continue")
    begin = min(row.position, shared_until or 0) if position is None else position
    tx.connection.execute(tracking.update().where(where).values(epoch=histories["epoch"], position=begin))
    _discard_lost(tx.connection, source, row.epoch, begin)
    return {"position": begin, "lost": max(0, row.position - begin)}


def _discard_lost(connection: sa.Connection, source: str, epoch: str, after: int) -> None:
    """Discards the dead letters of lost messages, and frees their positions for other messages."""
    lost = (dead_letters.c.source == source) & (dead_letters.c.position > after)
    waiting = dead_letters.c.state.in_(WAITING)
    connection.execute(dead_letters.update().where(lost, waiting).values(state="discarded"))
    connection.execute(dead_letters.update().where(lost).values(source=f"{source} until {epoch[:8]}"))
