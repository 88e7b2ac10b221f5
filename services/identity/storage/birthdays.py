"""The next birthday of each person with an under-age credit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import birthdays
from shared.eventstore.sql import Instant


def next_due(connection: sa.Connection) -> datetime | None:
    return connection.execute(sa.select(sa.func.min(birthdays.c.due_at, type_=Instant))).scalar()


def due(connection: sa.Connection, now: datetime, limit: int) -> list[sa.Row[Any]]:
    """The birthdays that have come, earliest first, their rows locked: two replicas may run the timer."""
    query = sa.select(birthdays).where(birthdays.c.due_at <= now).order_by(birthdays.c.due_at, birthdays.c.account_id)
    return list(connection.execute(query.limit(limit).with_for_update()))
