"""An offer is withdrawn, a structure closed, a person suspended, while somebody books: seen by the decision, or written
after it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.booking.application.cancelling import cancel_all
from services.booking.application.loading import load
from services.booking.application.saga.driver import Saga
from services.booking.domain.states import Reason
from services.booking.neighbours import Wallet
from services.booking.storage import bookings as stored
from services.booking.storage import references
from services.booking.storage.stocks import LockedStocks
from services.booking.storage.tables import offers, shut_offerers, stocks
from shared import green
from shared.contracts.calls.booking import Book
from shared.eventstore.outcomes import Call
from shared.eventstore.store import Transaction
from shared.kernel.callers import Caller
from shared.kernel.randomness import Randomness
from tests.integration.conftest import Empty
from tests.servers import lock_waiters
from tests.unit.booking.world import OFFERER, YOUNG, World
from tests.waiting import wait_until

Told = Callable[[World, int], None]


@pytest.fixture
def world(empty: Empty, tmp_path: Path) -> World:
    return World(tmp_path, engine=empty("booking"))


# --- what a decision sees that had to wait for its stock ------------------------------------------------------------


def with_the_guard(tx: Transaction, stock: int) -> bool:
    return bool(LockedStocks.of(tx, [stock])[stock].row.is_released)


def without_the_guard(tx: Transaction, stock: int) -> bool:
    """The lock and what stands beside the stock in one statement."""
    shown = sa.and_(offers.c.is_published, shut_offerers.c.offerer_id.is_(None))
    joined = stocks.join(offers, offers.c.offer_id == stocks.c.offer_id).outerjoin(
        shut_offerers, shut_offerers.c.offerer_id == stocks.c.offerer_id
    )
    query = sa.select(shown).select_from(joined).where(stocks.c.stock_id == stock).with_for_update(of=stocks)
    return bool(tx.connection.execute(query).scalar_one())


def seen_after_a_wait(
    world: World, look: Callable[[Transaction, int], bool], write: Callable[[Transaction], None]
) -> bool:
    """What is seen of a stock by who waited for its lock, while ``write`` was committed beside it."""
    stock = world.stock()

    def looking() -> bool:
        with world.store.transaction() as tx:
            return look(tx, stock)

    with world.store.transaction() as holder:
        LockedStocks.of(holder, [stock])
        looker = green.spawn(looking)
        wait_until(lambda: lock_waiters(world.store.engine))
        with world.store.transaction() as tx:
            write(tx)
    return bool(looker.wait())


def shut(tx: Transaction) -> None:
    references.shut_offerer(tx.connection, OFFERER)


def unpublish(tx: Transaction) -> None:
    tx.connection.execute(offers.update().values(is_published=False))


@pytest.mark.parametrize("write", [shut, unpublish])
def test_who_waited_for_a_stock_sees_what_became_of_its_offer(
    world: World, write: Callable[[Transaction], None]
) -> None:
    assert seen_after_a_wait(world, with_the_guard, write) is False


@pytest.mark.parametrize("write", [shut, unpublish])
def test_in_one_statement_it_would_not_be_seen(world: World, write: Callable[[Transaction], None]) -> None:
    """The control: the lock was waited for, the rest is as it was before the wait."""
    assert seen_after_a_wait(world, without_the_guard, write) is True


# --- what is written while a booking is being confirmed -------------------------------------------------------------


class Paused:
    """Chance that lets a test in between the decision and its commit."""

    def __init__(self, chance: Randomness) -> None:
        self._chance = chance
        self.reached, self.go_on = green.Event(), green.Event()

    def draw(self, *key: object) -> random.Random:
        if not self.reached.ready():
            self.reached.send()
            self.go_on.wait()
        return self._chance.draw(*key)


def rejected(world: World, offer: int) -> None:
    world.receive("catalog", "OfferWithdrawn", {"offerId": offer, "reason": "rejected"})


def rejected_without_the_guard(world: World, offer: int) -> None:
    """The same facts, without awaiting who has the stocks."""

    def write(tx: Transaction) -> None:
        references.unpublish_offer(tx.connection, offer)
        cancel_all(tx, load(tx, stored.unused_of_offer(tx.connection, offer)), Reason.FRAUD)

    world.store.run(write)


def booked_while(world: World, told: Told) -> tuple[Any, str]:
    """Somebody's booking is decided, ``told`` begins, the booking is committed: its outcome, and what is left of it."""
    offer = world.offer()
    stock = world.stock(offer)
    paused = Paused(world.settings.randomness())
    saga = Saga(world.store, Wallet(world.bus), paused)
    data = {"stockId": stock, "quantity": 1}
    call = Call("book", data, "k", Caller(YOUNG), body=Book.read(data))
    booker = green.spawn(saga.book, [call])
    paused.reached.wait()
    teller = green.spawn(told, world, offer)
    wait_until(lambda: teller.dead or lock_waiters(world.store.engine))
    paused.go_on.send()
    (outcome,) = booker.wait()
    teller.wait()
    return outcome, world.seen(outcome["bookingId"])["status"]


def test_a_rejected_offer_cancels_what_was_being_confirmed(world: World) -> None:
    outcome, status = booked_while(world, rejected)
    assert (outcome["status"], status) == ("confirmed", "cancelled")
    assert world.differences() == []


def test_without_awaiting_it_the_booking_would_stay(world: World) -> None:
    """The control: a booking of a rejected offer, which nobody cancels any more."""
    outcome, status = booked_while(world, rejected_without_the_guard)
    assert (outcome["status"], status) == ("confirmed", "confirmed")


def test_a_closed_structure_awaits_who_confirms_and_then_nothing_is_booked(world: World) -> None:
    def closed(world: World, _offer: int) -> None:
        data = {"offererId": OFFERER, "at": world.now_text(), "reason": "ended"}
        world.receive("identity", "OffererClosed", data)

    outcome, status = booked_while(world, closed)
    assert (outcome["status"], status) == ("confirmed", "confirmed"), "it was booked before the structure was closed"
    again = Call("book", {"stockId": world.stock(), "quantity": 1}, "again", Caller(YOUNG))
    assert world.process.decide([again])[0][0].code == "stock-not-bookable"


def suspended(world: World, _offer: int) -> None:
    world.receive("identity", "BeneficiarySuspended", {"personId": YOUNG, "reason": "FRAUD", "at": world.now_text()})


def test_who_is_suspended_while_booking_has_it_cancelled(world: World) -> None:
    outcome, status = booked_while(world, suspended)
    assert (outcome["status"], status) == ("confirmed", "cancelled")
    assert world.differences() == []


def test_without_holding_the_person_the_booking_would_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(references, "lock_people", lambda *_: None)
    outcome, status = booked_while(world, suspended)
    assert (outcome["status"], status) == ("confirmed", "confirmed")
