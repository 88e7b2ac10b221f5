"""The instant of a store's simulated clock, and the instant of its last event."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.tables import store_facts, stored_events
from shared.kernel.time import instant_text, parse_instant

_STORED = sa.select(store_facts.c.value).where(store_facts.c.name == "clock")
_LAST = sa.select(stored_events.c.recorded_at).order_by(stored_events.c.id.desc()).limit(1)


def stored_clock(connection: sa.Connection) -> datetime | None:
    """The instant of this store's simulated clock; None where the clock is real."""
    stored = connection.execute(_STORED).scalar()
    return parse_instant(stored) if stored else None


def keep_clock(connection: sa.Connection, now: datetime) -> None:
    """Stores the instant of the simulated clock."""
    sql.upsert(connection, store_facts, [{"name": "clock", "value": instant_text(now)}])


def last_recorded(connection: sa.Connection) -> datetime | None:
    """When the last event of the log was recorded; None while the log is empty."""
    return connection.execute(_LAST).scalar()
