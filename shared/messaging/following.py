"""A source that was restored from a backup: its new history is followed from where it parts from the old one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shared.eventstore import Transaction
from shared.eventstore.histories import kept_until
from shared.eventstore.tables import dead_letters, tracking
from shared.kernel.errors import Invalid
from shared.messaging.dead_letters import WAITING


def follow(tx: Transaction, source: str, told: dict[str, Any], position: int | None = None) -> dict[str, Any]:
    """From here on the history that the source tells of, as ``histories.told`` gives it, is followed.

    ``{position, lost}``: from where on, and how many of the positions that were handled before are of what is lost;
    what was done for those stays, their letters are given up. ``position``: from there, whatever is known of the two.
    Raises Invalid when it is not known where they part, or when a position is given for what is followed already.
    """
    where = tracking.c.source == source
    row = tx.connection.execute(sa.select(tracking).where(where).with_for_update()).first()
    if row is None:
        return {"position": 0, "lost": 0}  # it was never followed
    if row.epoch == told["epoch"]:
        if position not in (None, row.position):
            raise Invalid(f"this history of {source} is followed already, up to {row.position}")
        return {"position": row.position, "lost": 0}
    kept = kept_until(told["ended"], row.epoch) if row.epoch else row.position
    if position is None and kept is None:
        raise Invalid(f"{source} does not know the history that was followed: say from which position to go on")
    begin = min(row.position, kept or 0) if position is None else position
    tx.connection.execute(tracking.update().where(where).values(epoch=told["epoch"], position=begin))
    _give_up(tx.connection, source, row.epoch, begin)
    return {"position": begin, "lost": max(0, row.position - begin)}


def _give_up(connection: sa.Connection, source: str, epoch: str, after: int) -> None:
    """The letters of messages that are lost: their positions will be other messages'."""
    letters = (dead_letters.c.source == source) & (dead_letters.c.position > after)
    waiting = dead_letters.c.state.in_(WAITING)
    connection.execute(dead_letters.update().where(letters, waiting).values(state="discarded"))
    connection.execute(dead_letters.update().where(letters).values(source=f"{source} until {epoch[:8]}"))
