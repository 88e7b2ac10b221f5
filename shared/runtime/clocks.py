"""The clock of a state: the real one, or a simulated one that continues from its stored instant.

A store that has run with a simulated clock records its instant (``store_facts``), so that the two kinds of clock are
never mixed by mistake.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.tables import store_facts, stored_events
from shared.kernel.time import Clock, RealClock, SettableClock, instant_text, parse_instant
from shared.runtime.settings import BadSettings

_STORED = sa.select(store_facts.c.value).where(store_facts.c.name == "clock")
_LAST = sa.select(stored_events.c.recorded_at).order_by(stored_events.c.id.desc()).limit(1)


def restored_clock(start: datetime | None, engine: sa.Engine) -> Clock:
    """The real clock without ``start``; else a simulated one at the later of ``start`` and its stored instant."""
    if start is None:
        return RealClock()
    with engine.connect() as connection:
        return SettableClock(max(start, stored_clock(connection) or start))


def stored_clock(connection: sa.Connection) -> datetime | None:
    """The instant of this store's simulated clock; None where the clock is real."""
    stored = connection.execute(_STORED).scalar()
    return parse_instant(stored) if stored else None


def keep_clock(connection: sa.Connection, now: datetime) -> None:
    """Stores the instant of the simulated clock."""
    sql.upsert(connection, store_facts, [{"name": "clock", "value": instant_text(now)}])


def check_clock(connection: sa.Connection, name: str, start: datetime | None) -> None:
    """Raises BadSettings when the clock would start before the last event that the store has recorded."""
    stored, recorded = stored_clock(connection), connection.execute(_LAST).scalar()
    now = RealClock().now() if start is None else max(start, stored or start)
    if recorded is None or recorded <= now or (start is None and stored is None):
        return  # a machine's clock may be corrected by a few seconds
    raise BadSettings(
        f"CLOCK: {instant_text(now)} is before the last event of {name}, recorded at {instant_text(recorded)}: "
        + ("its clock is simulated" if start is None else "a simulated clock needs a separate STATE_DIR")
    )


def check_writer(connection: sa.Connection, start: datetime | None) -> None:
    """Raises BadSettings when a command would write by the real clock into a state whose clock is simulated."""
    stored, recorded = stored_clock(connection), connection.execute(_LAST).scalar()
    if start is None and stored is not None and (recorded is None or recorded <= stored):
        raise BadSettings(f"CLOCK: the clock of this state is simulated and is at {instant_text(stored)}: set CLOCK")
