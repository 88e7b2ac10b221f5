"""The clock of a state: the real one, or a simulated one that goes on from where it stood.

A state that has run by a simulated clock says so (``store_facts``), so that nobody mixes the two unawares.
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
    if start is None:
        return RealClock()
    with engine.connect() as connection:
        return SettableClock(max(start, stored_clock(connection) or start))


def stored_clock(connection: sa.Connection) -> datetime | None:
    """Where the simulated clock of this store stands; None without one."""
    stored = connection.execute(_STORED).scalar()
    return parse_instant(stored) if stored else None


def keep_clock(connection: sa.Connection, now: datetime) -> None:
    sql.upsert(connection, store_facts, [{"name": "clock", "value": instant_text(now)}])


def check_clock(connection: sa.Connection, name: str, start: datetime | None) -> None:
    """Time does not go back behind what a store has recorded. Raises BadSettings."""
    stands, recorded = stored_clock(connection), connection.execute(_LAST).scalar()
    now = RealClock().now() if start is None else max(start, stands or start)
    if recorded is None or recorded <= now or (start is None and stands is None):
        return  # a machine's clock may be set right by a few seconds
    raise BadSettings(
        f"CLOCK: {instant_text(now)} is before what {name} recorded at {instant_text(recorded)}: "
        + ("its clock is a simulated one" if start is None else "a simulated clock needs a state of its own")
    )


def check_writer(connection: sa.Connection, start: datetime | None) -> None:
    """Who writes into a state beside its platform goes by its clock. Raises BadSettings."""
    stands, recorded = stored_clock(connection), connection.execute(_LAST).scalar()
    if start is None and stands is not None and (recorded is None or recorded <= stands):
        raise BadSettings(f"CLOCK: the clock of this state is simulated, and stands at {instant_text(stands)}: set it")
