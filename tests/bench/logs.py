"""What the log does in a second: live, down to the last read model; read into a fold; and made long."""

from __future__ import annotations

import gc
import time
from uuid import UUID

import sqlalchemy as sa
from eventsourcing.domain import Aggregate

from services.booking.domain.booking import Booking
from services.booking.domain.stock import Stock
from services.booking.publishing import publication
from shared.eventstore import Store
from shared.hosting.platform import GC_THRESHOLDS
from shared.kernel.time import RealClock
from shared.runtime.settings import SERVICES
from tests.bench import crowd
from tests.platform import Platform

LONG = 1_000_000
_FILL_EVENTS = """
INSERT INTO stored_events
  (originator_id, originator_version, topic, state, recorded_at, published, correlation_id, causation_id)
SELECT gen_random_uuid(), 1, topic, state, recorded_at, number % 2 = 0, correlation_id, causation_id
FROM (SELECT * FROM stored_events WHERE topic = :topic ORDER BY id LIMIT 1) AS one,
  generate_series(1, :count) AS number
"""
_FILL_OUTCOMES = """
INSERT INTO outcomes (caller, key, fingerprint, outcome, recorded_at)
SELECT caller, 'filled-' || number, fingerprint, outcome, recorded_at
FROM (SELECT * FROM outcomes LIMIT 1) AS one, generate_series(1, :count) AS number
"""


def live(platform: Platform, people: int) -> float:
    """Events per second from identity's log to the read models of everybody who follows it.

    What is published only counts; identity's own events beside it are stored all the same. What becomes of the people
    is decided before: to seal their names takes the harness as long as all the rest.
    """
    before, accounts = _published(platform), crowd.decided(platform, people)
    begin = time.perf_counter()
    crowd.enter(platform, accounts)
    return (_published(platform) - before) / (time.perf_counter() - begin)


def _published(platform: Platform) -> int:
    """By every service: activation makes wallet grant, and tell."""
    total = 0
    for service in ("identity", "wallet"):
        with platform.database(service).connect() as connection:
            count = sa.text("SELECT count(*) FROM stored_events WHERE published")
            total += connection.execute(count).scalar_one()
    return total


def fold(platform: Platform) -> float:
    """Booking's events per second, read, decoded and applied to the bookings and stocks that they are of."""
    gc.set_threshold(*GC_THRESHOLDS)  # as in the platform's processes
    engine = platform.engine("booking")
    store = Store(engine, clock=RealClock(), aggregates=[Booking, Stock], publication=publication)
    folded: dict[UUID, Aggregate | None] = {}
    try:
        with store.reading() as connection:
            begin, events = time.perf_counter(), 0
            for _, _, event in store.log.events(connection):
                folded[event.originator_id] = event.mutate(folded.get(event.originator_id))
                events += 1
            return events / (time.perf_counter() - begin)
    finally:
        engine.dispose()


def lengthen(platform: Platform) -> None:
    """Makes the logs of booking and wallet a million events long, each of a stream of its own and half of them
    published, sent and heard of; and booking's table of outcomes as long."""
    platform.stop()
    heads = {}
    for service, topic in (("booking", "Booking.Confirmed"), ("wallet", "Wallet.Granted")):
        with platform.database(service).begin() as connection:
            have = connection.execute(sa.text("SELECT count(*) FROM stored_events")).scalar_one()
            connection.execute(sa.text(_FILL_EVENTS), {"topic": topic, "count": max(0, LONG - have)})
            published = sa.text("SELECT max(id) FROM stored_events WHERE published")
            heads[service] = connection.execute(published).scalar_one()
            connection.execute(sa.text("UPDATE relay SET position = :head"), {"head": heads[service]})
    with platform.database("booking").begin() as connection:
        connection.execute(sa.text(_FILL_OUTCOMES), {"count": LONG})
    for service in SERVICES:
        with platform.database(service).begin() as connection:
            for source, head in heads.items():
                moved = sa.text("UPDATE tracking SET position = :head WHERE source = :source")
                connection.execute(moved, {"head": head, "source": source})
    for service in ("booking", "wallet"):
        with platform.database(service).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")
    platform.start()


def length(platform: Platform) -> int:
    """Events in booking's log."""
    with platform.database("booking").connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM stored_events")).scalar_one())
