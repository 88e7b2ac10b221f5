"""Up to which position of booking's own log the mails are written."""

from __future__ import annotations

import sqlalchemy as sa

from services.booking.storage.tables import mail_progress


def position(connection: sa.Connection) -> int:
    found: int = connection.execute(sa.select(mail_progress.c.position)).scalar_one()
    return found


def advance(connection: sa.Connection, before: int, to: int) -> bool:
    """Moves the position with an optimistic lock; False when another process has moved it."""
    moved = mail_progress.update().where(mail_progress.c.position == before).values(position=to)
    return connection.execute(moved).rowcount == 1
