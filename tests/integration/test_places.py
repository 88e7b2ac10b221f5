"""Many ask for the last places of one stock at once: the lock on its row is what keeps them from being sold twice."""

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

PLACES, ASKING = 5, 12
A_MOMENT = 0.01
"""Between looking and taking: what a busy machine does."""

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
    """The same decision on a row that nobody has locked."""
    this = stocks.c.stock_id == stock
    row = tx.connection.execute(sa.select(stocks).where(this)).one()
    green.sleep(A_MOMENT)
    if row.quantity - row.taken < 1:
        return False
    tx.connection.execute(stocks.update().where(this).values(taken=row.taken + 1))
    return True


def ask_at_once(world: World, stock: int, take: Take) -> int:
    """How many were told that they have a place."""

    def ask(_: int) -> bool:
        with world.store.transaction() as tx:
            return take(tx, stock)

    return sum(green.Pool(ASKING).imap(ask, range(ASKING)))


def test_with_the_lock_as_many_places_go_as_there_are(world: World) -> None:
    stock = world.stock(quantity=PLACES)
    assert ask_at_once(world, stock, with_the_guard) == PLACES
    with world.store.reading() as connection:
        assert connection.execute(sa.select(stocks.c.taken)).scalar_one() == PLACES


def test_without_it_more_people_are_told_so_than_there_are_places(world: World) -> None:
    """The control: the table's own constraint does not see a lost update, the lock is needed."""
    stock = world.stock(quantity=PLACES)
    assert ask_at_once(world, stock, without_the_guard) > PLACES


def replaced_while_waited_for(world: World, ask: Take) -> bool:
    """A stock's row is put anew, by a transaction for whose end somebody waits who wants to lock it."""
    stock = world.stock(quantity=PLACES)

    def wait_for_it() -> bool:
        with world.store.transaction() as tx:
            return ask(tx, stock)

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


def test_a_row_that_was_waited_for_and_replaced_is_locked_all_the_same(world: World) -> None:
    def lock_and_read(tx: Transaction, stock: int) -> bool:
        LockedStocks.of(tx, [stock])
        return is_locked(world, stock)

    assert replaced_while_waited_for(world, lock_and_read)


def test_with_the_first_lock_alone_it_would_be_read_without_one(world: World) -> None:
    """The control: the row that was waited for is gone, and nobody has locked the one that replaced it."""

    def lock_and_read(tx: Transaction, stock: int) -> bool:
        lock(tx.connection, "stock_id", [stock])
        tx.connection.execute(sa.select(stocks)).one()
        return is_locked(world, stock)

    assert not replaced_while_waited_for(world, lock_and_read)


def test_a_row_that_somebody_else_has_locked_when_it_is_read_is_a_conflict(world: World) -> None:
    stock = world.stock(quantity=PLACES)
    with world.store.transaction() as tx:
        LockedStocks.of(tx, [stock])
        with pytest.raises(Conflict), world.store.transaction() as other:
            other.connection.execute(LOCKED_STOCKS, {"stock_ids": [stock]})
