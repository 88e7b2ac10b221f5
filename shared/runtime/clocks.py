"""The clock of a state: the real one, or a simulated one that continues from its stored instant.

A store that has run with a simulated clock records its instant (``store_facts``), so that the two kinds of clock are
never mixed by mistake.
"""

from __future__ import annotations

from datetime import datetime

from shared.eventstore import Connection, Engine
from shared.eventstore.clock import last_recorded, stored_clock
from shared.kernel.time import Clock, RealClock, SettableClock, instant_text
from shared.runtime.settings import BadSettings


def restored_clock(start: datetime | None, engine: Engine) -> Clock:
    """The real clock without ``start``; else a simulated one at the later of ``start`` and its stored instant."""
    if start is None:
        return RealClock()
    with engine.connect() as connection:
        return SettableClock(max(start, stored_clock(connection) or start))


def check_clock(connection: Connection, name: str, start: datetime | None) -> None:
    """Raises BadSettings when the clock would start before the last event that the store has recorded."""
    stored, recorded = stored_clock(connection), last_recorded(connection)
    now = RealClock().now() if start is None else max(start, stored or start)
    if recorded is None or recorded <= now or (start is None and stored is None):
        return  # a machine's clock may be corrected by a few seconds
    raise BadSettings(
        f"CLOCK: {instant_text(now)} is before the last event of {name}, recorded at {instant_text(recorded)}: "
        + ("its clock is simulated" if start is None else "a simulated clock needs a separate STATE_DIR")
    )


def check_writer(connection: Connection, start: datetime | None) -> None:
    """Raises BadSettings when a command would write by the real clock into a state whose clock is simulated."""
    stored, recorded = stored_clock(connection), last_recorded(connection)
    if start is None and stored is not None and (recorded is None or recorded <= stored):
        raise BadSettings(f"CLOCK: the clock of this state is simulated and is at {instant_text(stored)}: set CLOCK")
