"""Bookings concurrent with the withdrawal of an offer, the closing of a structure or the suspension of a person.

Either the decision about the booking sees the message, or the message is handled after the booking is committed.
"""

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

Tell = Callable[[World, int], None]


@pytest.fixture
def world(empty: Empty, tmp_path: Path) -> World:
    return World(tmp_path, engine=empty("booking"))


# --- reads after waiting for the lock on a stock -------------------------------------------------------------------


def with_the_guard(tx: Transaction, stock: int) -> bool:
    return bool(LockedStocks.of(tx, [stock])[stock].row.is_released)


def without_the_guard(tx: Transaction, stock: int) -> bool:
    """Locks the stock and reads the joined tables in one statement."""
    shown = sa.and_(offers.c.is_published, shut_offerers.c.offerer_id.is_(None))
    joined = stocks.join(offers, offers.c.offer_id == stocks.c.offer_id).outerjoin(
        shut_offerers, shut_offerers.c.offerer_id == stocks.c.offerer_id
    )
    query = sa.select(shown).select_from(joined).where(stocks.c.stock_id == stock).with_for_update(of=stocks)
    return bool(tx.connection.execute(query).scalar_one())


def seen_after_a_wait(
    world: World, look: Callable[[Transaction, int], bool], write: Callable[[Transaction], None]
) -> bool:
    """What ``look`` returns after waiting for the lock on a stock, while ``write`` was committed."""
    stock = world.stock()

    def look_at_stock() -> bool:
        with world.store.transaction() as tx:
            return look(tx, stock)

    with world.store.transaction() as holder:
        LockedStocks.of(holder, [stock])
        looker = green.spawn(look_at_stock)
        wait_until(lambda: lock_waiters(world.store.engine))
        with world.store.transaction() as tx:
            write(tx)
    return bool(looker.wait())


def shut(tx: Transaction) -> None:
    references.shut_offerer(tx.connection, OFFERER)


def unpublish(tx: Transaction) -> None:
    tx.connection.execute(offers.update().values(is_published=False))


@pytest.mark.parametrize("write", [shut, unpublish])
def test_decision_sees_changes_committed_while_it_waited_for_the_stock(
    world: World, write: Callable[[Transaction], None]
) -> None:
    assert seen_after_a_wait(world, with_the_guard, write) is False


@pytest.mark.parametrize("write", [shut, unpublish])
def test_control_lock_and_read_in_one_statement_misses_the_change(
    world: World, write: Callable[[Transaction], None]
) -> None:
    """After the wait PostgreSQL re-reads the locked row, but not the joined ones (READ COMMITTED)."""
    assert seen_after_a_wait(world, without_the_guard, write) is True


# --- messages handled while a booking is being confirmed ------------------------------------------------------------


class PausingRandomness:
    """Randomness that pauses between the decision about a booking and its commit."""

    def __init__(self, chance: Randomness) -> None:
        self._chance = chance
        self.reached, self.resume = green.Event(), green.Event()

    def draw(self, *key: object) -> random.Random:
        if not self.reached.ready():
            self.reached.send()
            self.resume.wait()
        return self._chance.draw(*key)


def reject_offer(world: World, offer: int) -> None:
    world.receive("catalog", "OfferWithdrawn", {"offerId": offer, "reason": "rejected"})


def reject_offer_without_the_guard(world: World, offer: int) -> None:
    """The same writes, without waiting for the locks on the stocks."""

    def write(tx: Transaction) -> None:
        references.unpublish_offer(tx.connection, offer)
        cancel_all(tx, load(tx, stored.unused_of_offer(tx.connection, offer)), Reason.FRAUD)

    world.store.run(write)


def book_while(world: World, tell: Tell) -> tuple[Any, str]:
    """Decides about a booking, starts ``tell``, commits the booking; returns its outcome and its final status."""
    offer = world.offer()
    stock = world.stock(offer)
    paused = PausingRandomness(world.settings.randomness())
    saga = Saga(world.store, Wallet(world.bus), paused)
    data = {"stockId": stock, "quantity": 1}
    call = Call("book", data, "k", Caller(YOUNG), body=Book.read(data))
    booker = green.spawn(saga.book, [call])
    paused.reached.wait()
    teller = green.spawn(tell, world, offer)
    wait_until(lambda: teller.dead or lock_waiters(world.store.engine))
    paused.resume.send()
    (outcome,) = booker.wait()
    teller.wait()
    return outcome, world.seen(outcome["bookingId"])["status"]


def test_rejected_offer_cancels_a_concurrently_confirmed_booking(world: World) -> None:
    outcome, status = book_while(world, reject_offer)
    assert (outcome["status"], status) == ("confirmed", "cancelled")
    assert world.differences() == []


def test_control_without_the_stock_lock_the_booking_of_a_rejected_offer_remains(world: World) -> None:
    outcome, status = book_while(world, reject_offer_without_the_guard)
    assert (outcome["status"], status) == ("confirmed", "confirmed")


def test_closing_a_structure_waits_for_confirmations_and_prevents_new_bookings(world: World) -> None:
    def close_structure(world: World, _offer: int) -> None:
        data = {"offererId": OFFERER, "at": world.now_text(), "reason": "ended"}
        world.receive("identity", "OffererClosed", data)

    outcome, status = book_while(world, close_structure)
    assert (outcome["status"], status) == ("confirmed", "confirmed"), "the booking was before the closing"
    again = Call("book", {"stockId": world.stock(), "quantity": 1}, "again", Caller(YOUNG))
    assert world.process.decide([again])[0][0].code == "stock-not-bookable"


def suspend(world: World, _offer: int) -> None:
    world.receive("identity", "BeneficiarySuspended", {"personId": YOUNG, "reason": "FRAUD", "at": world.now_text()})


def test_suspension_cancels_a_concurrently_confirmed_booking(world: World) -> None:
    outcome, status = book_while(world, suspend)
    assert (outcome["status"], status) == ("confirmed", "cancelled")
    assert world.differences() == []


def test_control_without_the_person_lock_the_booking_of_a_suspended_person_remains(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "lock_people", lambda *_: None)
    outcome, status = book_while(world, suspend)
    assert (outcome["status"], status) == ("confirmed", "confirmed")
