"""Online rebuilds of read models: the service keeps working, refuses nothing and oversells nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.booking.storage.stocks import LockedStocks
from services.booking.storage.tables import stocks
from services.wallet.storage.tables import credits
from shared import green
from shared.eventstore import Conflict, Store
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.projections import on, rebuilding
from shared.runtime.process import Process
from tests.integration.conftest import Empty, MakeStore
from tests.integration.test_wallet import wallet as wallet
from tests.servers import lock_waiters
from tests.unit.booking.world import World
from tests.unit.shared.toy import Jar, Totals, fill, totals
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

PEOPLE, STOCKS, PLACES = range(2_000, 2_020), 4, 6
ROUNDS = 8
RESERVING = 10
LONGER_THAN_A_DEADLOCK_SECONDS = 1.5
"""PostgreSQL checks for deadlocks after a second."""


@pytest.fixture
def world(empty: Empty, tmp_path: Path) -> World:
    return World(tmp_path, engine=empty("booking"))


def rebuild_repeatedly(store: Store, corrupt: Callable[[], None], stopping: list[bool]) -> int:
    """Corrupts and rebuilds every read model until ``stopping`` is not empty; returns the number of rounds."""
    rounds = 0
    while not stopping:
        corrupt()
        for projection in store.projections:
            rebuilding.rebuild(store, projection)
        rounds += 1
    return rounds


def corrupt_column(store: Store, column: sa.Column[Any]) -> Callable[[], None]:
    """Corrupts all rows of a table in a column that no decision reads."""

    def corrupt() -> None:
        with store.transaction() as tx:
            tx.connection.execute(column.table.update().values({column.name: column + 1}))

    return corrupt


def differences(store: Store) -> list[rebuilding.Difference]:
    return [found for projection in store.projections for found in rebuilding.compare(store, projection)]


def book_during_rebuilds(world: World) -> tuple[list[Any], int]:
    """All people book every stock and cancel half of the bookings during rebuilds; returns outcomes and rounds."""
    on_sale = [world.stock(quantity=PLACES) for _ in range(STOCKS)]
    for person in PEOPLE:
        world.welcome(person)
    stopping: list[bool] = []
    rebuilds = green.spawn(rebuild_repeatedly, world.store, corrupt_column(world.store, stocks.c.offerer_id), stopping)

    def book_and_cancel(person: int) -> list[Any]:
        outcomes = []
        for number in range(ROUNDS):
            stock = on_sale[(person + number) % STOCKS]
            key = f"{person}-{number}"
            booking = Call("book", {"stockId": stock, "quantity": 1}, key, Caller(person))
            outcomes.append(world.process.decide([booking])[0][0])
            if isinstance(outcomes[-1], dict) and (person + number) % 2:
                cancel = Call("cancel", {"bookingId": outcomes[-1]["bookingId"]}, f"c{key}", Caller(person))
                outcomes.append(world.process.decide([cancel])[0][0])
        return outcomes

    outcomes = [outcome for found in green.Pool(8).imap(book_and_cancel, PEOPLE) for outcome in found]
    stopping.append(True)
    return outcomes, rebuilds.wait()


def test_bookings_continue_during_rebuilds(world: World) -> None:
    outcomes, rounds = book_during_rebuilds(world)
    assert rounds
    refusals = {outcome.code for outcome in outcomes if isinstance(outcome, DomainError)}
    assert refusals <= {"stock-not-bookable", "already-booked"}
    for projection in world.store.projections:
        rebuilding.rebuild(world.store, projection)
    assert differences(world.store) == []
    with world.store.reading() as connection:
        assert all(row.booked == row.taken <= PLACES for row in connection.execute(sa.select(stocks)))


def test_reservations_continue_during_rebuilds(wallet: Process) -> None:
    store = wallet.store
    stopping: list[bool] = []
    rebuilds = green.spawn(rebuild_repeatedly, store, corrupt_column(store, credits.c.last_recredit), stopping)

    def reserve(person: int) -> list[Any]:
        def one(number: int) -> Any:
            data = {"bookingId": person * 1000 + number, "attempt": 1, "personId": person}
            data |= {"amountCents": 10_00, "digital": False, "physical": False}
            return wallet.decide([Call("reserve", data)])[0][0]

        return [one(number) for number in range(40)]

    outcomes = [outcome for found in green.Pool(8).imap(reserve, range(1, RESERVING + 1)) for outcome in found]
    stopping.append(True)
    assert rebuilds.wait()
    codes = Counter(outcome.code if isinstance(outcome, DomainError) else "reserved" for outcome in outcomes)
    assert codes == {"reserved": RESERVING * 30, "insufficient-credit": RESERVING * 10}, "300 € each"
    for projection in store.projections:
        rebuilding.rebuild(store, projection)
    assert differences(store) == []


def write_before_locking_the_log(world: World) -> None:
    """A transaction changes a row of a read model, a rebuild of it starts, then the transaction appends to the log.

    Raises the error of the transaction.
    """
    stock = world.stock(quantity=PLACES)
    corrupt_column(world.store, stocks.c.offerer_id)()
    stocks_model = next(model for model in world.store.projections if stocks in model.tables)
    rebuilds = []
    try:
        with world.store.transaction() as tx:
            locked = LockedStocks.of(tx, [stock])
            locked.set_aside(stock, PLACES)
            locked.book(stock, PLACES)
            locked.write(tx.now)  # the last place: an event
            tx.flush()
            rebuilds.append(green.spawn(rebuilding.rebuild, world.store, stocks_model))
            wait_until(lambda: lock_waiters(world.store.engine))
            green.sleep(LONGER_THAN_A_DEADLOCK_SECONDS)
    finally:
        assert [rebuild.wait() for rebuild in rebuilds] == [1]
    assert world.counts(stock) == (0, 0), "the log has no booking"


def test_rebuild_waits_for_a_transaction_that_has_changed_its_rows(world: World) -> None:
    write_before_locking_the_log(world)


def test_control_without_the_table_locks_a_rebuild_deadlocks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction waits for the log, which the rebuild has locked, and the rebuild for the transaction's row."""
    monkeypatch.setattr(rebuilding, "keep_writers_away", lambda _connection, _tables: None)
    with pytest.raises(Conflict, match="deadlock"):
        write_before_locking_the_log(world)


def test_fold_does_not_block_writers_and_includes_their_events(make_toy_store: MakeStore) -> None:
    paused, resume = green.Event(), green.Event()

    class Paused(Totals):
        @on(Jar.Filled)
        def filled(self, connection: sa.Connection, event: Jar.Filled) -> None:
            if event.amount == 240:
                paused.send()
                resume.wait()
            super().filled(connection, event)

    store = make_toy_store("toy")
    for number in range(250):  # more than one batch of the fold
        fill(store, number % 5, number)
    corrupt_column(store, totals.c.total)()
    progress = rebuilding.Progress()
    rebuild = green.spawn(rebuilding.rebuild, store, Paused(), progress)
    paused.wait()
    for number in range(10):
        fill(store, number % 7, 1000)
    assert 0 < progress.position < progress.head
    assert (progress.seconds_left() or 0) > 0
    resume.send()
    assert rebuild.wait() == 7
    assert rebuilding.compare(store, Totals()) == []
