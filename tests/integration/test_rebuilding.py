"""Read models folded anew while the service goes on: nobody is refused for it, and nothing is sold twice."""

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
"""PostgreSQL looks for one after a second."""


@pytest.fixture
def world(empty: Empty, tmp_path: Path) -> World:
    return World(tmp_path, engine=empty("booking"))


def again_and_again(store: Store, spoil: Callable[[], None], stopping: list[bool]) -> int:
    """Every read model, each time with rows that are not right; gives how often."""
    rounds = 0
    while not stopping:
        spoil()
        for projection in store.projections:
            rebuilding.rebuild(store, projection)
        rounds += 1
    return rounds


def spoilt(store: Store, column: sa.Column[Any]) -> Callable[[], None]:
    """All rows of a table are wrong in a column that no decision asks for."""

    def spoil() -> None:
        with store.transaction() as tx:
            tx.connection.execute(column.table.update().values({column.name: column + 1}))

    return spoil


def differences(store: Store) -> list[rebuilding.Difference]:
    return [found for projection in store.projections for found in rebuilding.compare(store, projection)]


def booked_meanwhile(world: World) -> tuple[list[Any], int]:
    """Everybody books every stock and cancels half of it, again and again, while all is rebuilt; the outcomes."""
    on_sale = [world.stock(quantity=PLACES) for _ in range(STOCKS)]
    for person in PEOPLE:
        world.welcome(person)
    stopping: list[bool] = []
    rebuilds = green.spawn(again_and_again, world.store, spoilt(world.store, stocks.c.offerer_id), stopping)

    def ask(person: int) -> list[Any]:
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

    outcomes = [outcome for found in green.Pool(8).imap(ask, PEOPLE) for outcome in found]
    stopping.append(True)
    return outcomes, rebuilds.wait()


def test_bookings_go_on_while_the_read_models_are_rebuilt(world: World) -> None:
    outcomes, rounds = booked_meanwhile(world)
    assert rounds
    refusals = {outcome.code for outcome in outcomes if isinstance(outcome, DomainError)}
    assert refusals <= {"stock-not-bookable", "already-booked"}
    for projection in world.store.projections:
        rebuilding.rebuild(world.store, projection)
    assert differences(world.store) == []
    with world.store.reading() as connection:
        assert all(row.booked == row.taken <= PLACES for row in connection.execute(sa.select(stocks)))


def test_reservations_go_on_while_the_balances_are_rebuilt(wallet: Process) -> None:
    store = wallet.store
    stopping: list[bool] = []
    rebuilds = green.spawn(again_and_again, store, spoilt(store, credits.c.last_recredit), stopping)

    def reserve(person: int) -> list[Any]:
        def one(number: int) -> Any:
            held = {"bookingId": person * 1000 + number, "attempt": 1, "personId": person}
            held |= {"amountCents": 10_00, "digital": False, "physical": False}
            return wallet.decide([Call("reserve", held)])[0][0]

        return [one(number) for number in range(40)]

    outcomes = [outcome for found in green.Pool(8).imap(reserve, range(1, RESERVING + 1)) for outcome in found]
    stopping.append(True)
    assert rebuilds.wait()
    said = Counter(outcome.code if isinstance(outcome, DomainError) else "reserved" for outcome in outcomes)
    assert said == {"reserved": RESERVING * 30, "insufficient-credit": RESERVING * 10}, "300 € each"
    for projection in store.projections:
        rebuilding.rebuild(store, projection)
    assert differences(store) == []


def met_by_a_rebuild(world: World) -> None:
    """A writer has changed a row that a rebuild replaces, and only then comes to the log. Raises what it met."""
    stock = world.stock(quantity=PLACES)
    spoilt(world.store, stocks.c.offerer_id)()
    stocks_model = next(model for model in world.store.projections if stocks in model.tables)
    rebuilds = []
    try:
        with world.store.transaction() as tx:
            locked = LockedStocks.of(tx, [stock])
            locked.set_aside(stock, PLACES)
            locked.book(stock, PLACES)
            locked.write(tx.now)  # the last place goes: an event
            tx.flush()
            rebuilds.append(green.spawn(rebuilding.rebuild, world.store, stocks_model))
            wait_until(lambda: lock_waiters(world.store.engine))
            green.sleep(LONGER_THAN_A_DEADLOCK_SECONDS)
    finally:
        assert [rebuild.wait() for rebuild in rebuilds] == [1]
    assert world.counts(stock) == (0, 0), "the log knows of no booking"


def test_a_writer_who_comes_to_the_log_last_is_waited_for(world: World) -> None:
    met_by_a_rebuild(world)


def test_with_the_log_s_lock_alone_it_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the writer waits for the log, which the rebuild has, who waits for the writer's row."""
    monkeypatch.setattr(rebuilding, "keep_writers_away", lambda _connection, _tables: None)
    with pytest.raises(Conflict, match="deadlock"):
        met_by_a_rebuild(world)


def test_writers_wait_for_no_fold_and_it_takes_in_what_they_write(make_toy_store: MakeStore) -> None:
    half_way, go_on = green.Event(), green.Event()

    class Paused(Totals):
        @on(Jar.Filled)
        def filled(self, connection: sa.Connection, event: Jar.Filled) -> None:
            if event.amount == 240:
                half_way.send()
                go_on.wait()
            super().filled(connection, event)

    store = make_toy_store("toy")
    for number in range(250):  # more than a batch of the fold
        fill(store, number % 5, number)
    spoilt(store, totals.c.total)()
    progress = rebuilding.Progress()
    rebuild = green.spawn(rebuilding.rebuild, store, Paused(), progress)
    half_way.wait()
    for number in range(10):
        fill(store, number % 7, 1000)
    assert 0 < progress.position < progress.head
    assert (progress.seconds_left() or 0) > 0
    go_on.send()
    assert rebuild.wait() == 7
    assert rebuilding.compare(store, Totals()) == []
