"""Concurrent requests for the last places of a stock: the row lock prevents overselling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.booking.storage.stocks import LOCKED_STOCKS, LockedStocks, lock
from services.booking.storage.tables import stocks
from shared import green
from shared.eventstore import Conflict, Transaction
from tests.integration.conftest import Empty
from tests.servers import lock_waiters
from tests.unit.booking.world import World
from tests.waiting import wait_until

PLACES, REQUESTS = 5, 12
A_MOMENT = 0.01
"""Between the read and the write, as on a busy machine."""

Take = Callable[[Transaction, int], bool]


@pytest.fixture
def world(empty: Empty, tmp_path: Path) -> World:
    return World(tmp_path, engine=empty("booking"))


def with_the_guard(tx: Transaction, stock: int) -> bool:
    locked = LockedStocks.of(tx, [stock])
    green.sleep(A_MOMENT)
    taken = locked.set_aside(stock, 1)
    locked.write(tx.now)
    return taken


def without_the_guard(tx: Transaction, stock: int) -> bool:
    """The same decision on an unlocked row."""
    same_row = stocks.c.stock_id == stock
    row = tx.connection.execute(sa.select(stocks).where(same_row)).one()
    green.sleep(A_MOMENT)
    if row.quantity - row.taken < 1:
        return False
    tx.connection.execute(stocks.update().where(same_row).values(taken=row.taken + 1))
    return True


def request_concurrently(world: World, stock: int, take: Take) -> int:
    """The number of requests that got a place."""

    def request(_: int) -> bool:
        with world.store.transaction() as tx:
            return take(tx, stock)

    return sum(green.Pool(REQUESTS).imap(request, range(REQUESTS)))


def test_lock_prevents_overselling(world: World) -> None:
    stock = world.stock(quantity=PLACES)
    assert request_concurrently(world, stock, with_the_guard) == PLACES
    with world.store.reading() as connection:
        assert connection.execute(sa.select(stocks.c.taken)).scalar_one() == PLACES


def test_control_without_the_lock_places_are_oversold(world: World) -> None:
    """The table's constraint does not detect a lost update."""
    stock = world.stock(quantity=PLACES)
    assert request_concurrently(world, stock, without_the_guard) > PLACES


def replace_row_during_lock_wait(world: World, lock_and_read: Take) -> bool:
    """Replaces the row of a stock while another transaction waits to lock it; returns the result of the latter."""
    stock = world.stock(quantity=PLACES)

    def wait_for_it() -> bool:
        with world.store.transaction() as tx:
            return lock_and_read(tx, stock)

    with world.store.transaction() as tx:
        row = tx.connection.execute(sa.select(stocks)).mappings().one()
        tx.connection.execute(stocks.delete())
        tx.connection.execute(stocks.insert(), [dict(row)])
        waiting = green.spawn(wait_for_it)
        wait_until(lambda: lock_waiters(world.store.engine))
    return bool(waiting.wait())


def is_locked(world: World, stock: int) -> bool:
    row = sa.select(stocks.c.stock_id).where(stocks.c.stock_id == stock)
    try:
        with world.store.transaction() as other:
            other.connection.execute(row.with_for_update(nowait=True)).one()
    except Conflict:
        return True
    return False


def test_replaced_row_is_locked_after_the_wait(world: World) -> None:
    def lock_and_read(tx: Transaction, stock: int) -> bool:
        LockedStocks.of(tx, [stock])
        return is_locked(world, stock)

    assert replace_row_during_lock_wait(world, lock_and_read)


def test_control_first_lock_alone_leaves_the_replaced_row_unlocked(world: World) -> None:
    """The lock was on the deleted row."""

    def lock_and_read(tx: Transaction, stock: int) -> bool:
        lock(tx.connection, "stock_id", [stock])
        tx.connection.execute(sa.select(stocks)).one()
        return is_locked(world, stock)

    assert not replace_row_during_lock_wait(world, lock_and_read)


def test_reading_a_row_locked_by_another_transaction_is_a_conflict(world: World) -> None:
    stock = world.stock(quantity=PLACES)
    with world.store.transaction() as tx:
        LockedStocks.of(tx, [stock])
        with pytest.raises(Conflict), world.store.transaction() as other:
            other.connection.execute(LOCKED_STOCKS, {"stock_ids": [stock]})
