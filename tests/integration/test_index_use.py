"""On PostgreSQL, too, no statement in the life of a booking scans a whole table.

With ``enable_seqscan`` off PostgreSQL scans a table only without a suitable index. Its statistics then show sequential
scans and the index entries read at each look-up.
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
"""The maximum average number of index entries read at a look-up."""
_SCANNED = sa.text(
    "SELECT relname FROM pg_stat_user_tables WHERE seq_scan > 0 AND n_live_tup >= :people"
    " UNION SELECT indexrelname FROM pg_stat_user_indexes WHERE idx_tup_read > :few * idx_scan ORDER BY 1"
)


@pytest.fixture
def database() -> Iterator[str]:
    """A separate one, because other tests would change its statistics."""
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


def scanned(world: World, database: str) -> list[str]:
    """The tables and indexes that were scanned since the last call."""
    world.store.engine.dispose()  # a connection reports its statistics when it closes
    admin = sa.create_engine(database, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")  # removes deleted rows
        found = connection.execute(_SCANNED, {"people": PEOPLE, "few": FEW}).scalars().all()
        connection.exec_driver_sql("SELECT pg_stat_reset()")
    return list(found)


def test_one_booking_needs_no_sequential_scan(world: World, database: str) -> None:
    scanned(world, database)
    a_life(world)
    assert scanned(world, database) == []


def test_control_missing_index_and_partial_key_are_detected(world: World, database: str) -> None:
    with world.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX live_bookings_booking")
    scanned(world, database)
    a_life(world)
    with world.store.engine.begin() as connection:
        for _ in range(20):
            connection.exec_driver_sql("SELECT outcome FROM outcomes WHERE key = 'everybody''s'")
    assert scanned(world, database) == ["live_bookings", "outcomes_pkey"]
