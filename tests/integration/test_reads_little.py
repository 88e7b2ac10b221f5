"""On PostgreSQL, too, no statement of a booking's life reads a table from end to end.

It is told to do so only where it has no other way; it says afterwards where it had none, and how many entries of an
index it went through at each look-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.servers import Schema, own_database
from tests.unit.booking.test_reads_little import a_life
from tests.unit.booking.world import World

PEOPLE = 120
FEW = 30
"""Entries of an index that a look-up may go through on the average, of the rows of so many people."""
_READ_WHOLE = sa.text(
    "SELECT relname FROM pg_stat_user_tables WHERE seq_scan > 0 AND n_live_tup >= :people"
    " UNION SELECT indexrelname FROM pg_stat_user_indexes WHERE idx_tup_read > :few * idx_scan ORDER BY 1"
)


@pytest.fixture
def database() -> Iterator[str]:
    """Of its own: what it says of its tables would be mixed with other tests'."""
    with own_database() as url:
        yield url


@pytest.fixture
def world(database: str, tmp_path: Path) -> Iterator[World]:
    admin = sa.create_engine(database, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {sa.make_url(database).database} SET enable_seqscan = off")
    world = World(tmp_path, engine=Schema(database, "booking").engine)
    stock = world.stock(world.offer("VOD", url="https://example.org"), codes=tuple(map(str, range(PEOPLE))))
    for number in range(2_000, 2_000 + PEOPLE):
        world.book(stock, world.welcome(number), key="everybody's")
    yield world
    world.store.engine.dispose()


def read_whole(world: World, database: str) -> list[str]:
    """Tables and indexes that were gone through since the last time."""
    world.store.engine.dispose()  # a connection's statistics are complete when it ends
    admin = sa.create_engine(database, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")  # what was deleted is gone
        found = connection.execute(_READ_WHOLE, {"people": PEOPLE, "few": FEW}).scalars().all()
        connection.exec_driver_sql("SELECT pg_stat_reset()")
    return list(found)


def test_one_booking_needs_no_sequential_scan(world: World, database: str) -> None:
    read_whole(world, database)
    a_life(world)
    assert read_whole(world, database) == []


def test_a_missing_index_is_found_and_half_a_key(world: World, database: str) -> None:
    """The control."""
    with world.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX live_bookings_booking")
    read_whole(world, database)
    a_life(world)
    with world.store.engine.begin() as connection:
        for _ in range(20):
            connection.exec_driver_sql("SELECT outcome FROM outcomes WHERE key = 'everybody''s'")
    assert read_whole(world, database) == ["live_bookings", "outcomes_pkey"]
