"""Booking on PostgreSQL: the tests that run on SQLite, and its guards under concurrency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.booking.storage import stocks
from services.booking.storage.stocks import LockedStocks
from shared import green
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.projections.rebuilding import compare
from tests.integration.conftest import Empty
from tests.servers import lock_waiters
from tests.unit.booking import test_saga
from tests.unit.booking.test_booking import *  # noqa: F403 - the same tests, another database
from tests.unit.booking.test_cancelling import *  # noqa: F403
from tests.unit.booking.test_cancelling import STAFF
from tests.unit.booking.test_reading import *  # noqa: F403
from tests.unit.booking.world import DESK, World
from tests.waiting import wait_until


@pytest.fixture
def world(empty: Empty, tmp_path: Path) -> World:
    return World(tmp_path, engine=empty("booking"))


def at_once(world: World, calls: list[Call]) -> list[Any]:
    """Runs the calls concurrently, each in a separate batch."""
    return list(green.Pool(10).imap(lambda call: world.process.decide([call])[0][0], calls))


def booking(stock: int, person: int, key: str) -> Call:
    return Call("book", {"stockId": stock, "quantity": 1}, key, Caller(person))


def counted(outcomes: list[Any], name: Callable[[dict[str, Any]], str] = lambda one: one["status"]) -> Counter[str]:
    return Counter(one.code if isinstance(one, DomainError) else name(one) for one in outcomes)


def check_rows(world: World) -> None:
    assert world.differences() == []
    for projection in world.store.projections:
        assert compare(world.store, projection) == []


def test_concurrent_requests_do_not_oversell_the_last_places(world: World) -> None:
    stock = world.stock(quantity=5)
    people = [world.welcome(number) for number in range(2_000, 2_020)]
    outcomes = at_once(world, [booking(stock, person, f"k{person}") for person in people])
    assert counted(outcomes) == {"confirmed": 5, "stock-not-bookable": 15}
    assert world.counts(stock) == (5, 5)
    assert len(world.messages("StockSoldOut")) == 1
    assert world.messages("BookingCreated")[-1]["stockRemaining"] == 0
    check_rows(world)


def test_concurrent_requests_of_a_person_book_an_offer_once(world: World) -> None:
    offer = world.offer()
    stocks = [world.stock(offer), world.stock(offer)]
    calls = [booking(stocks[number % 2], 1001, f"k{number}") for number in range(10)]
    assert counted(at_once(world, calls)) == {"confirmed": 1, "already-booked": 9}
    check_rows(world)


def test_concurrent_requests_with_one_idempotency_key_get_one_booking(world: World) -> None:
    stock = world.stock()
    outcomes = at_once(world, [booking(stock, 1001, "same")] * 8)
    assert {one["bookingId"] for one in outcomes} == {1}
    assert len(world.messages("BookingCreated")) == 1
    check_rows(world)


def test_concurrent_batches_over_the_same_stocks_do_not_deadlock(world: World) -> None:
    stocks = [world.stock(price=0) for _ in range(6)]
    people = [world.welcome(number) for number in range(2_000, 2_008)]
    batches = [
        [booking(stock, person, f"k{person}-{stock}") for stock in (stocks if person % 2 else stocks[::-1])]
        for person in people
    ]
    answers = list(green.Pool(8).imap(world.process.decide, batches))
    assert counted([outcome for batch in answers for outcome, _, _ in batch]) == {"confirmed": 48}
    check_rows(world)


def test_concurrent_cancellation_and_use_have_one_winner(world: World) -> None:
    booked = world.book(world.stock())
    calls = [
        Call("cancel", {"bookingId": booked["bookingId"]}, "c", Caller(1001)),
        Call("desk-use", {"countermark": booked["countermark"]}, None, DESK),
    ] * 4
    found = counted(at_once(world, calls), lambda one: one.get("status", "used"))
    assert (found["cancelled"] > 0) != (found["used"] > 0)
    assert len(world.messages("BookingCancelled", "CountermarkValidated")) == 1
    check_rows(world)


def cancel_twice_while_the_stock_is_locked(world: World) -> list[Any]:
    """The person and staff cancel a booking; a third transaction locks the stock until both of them wait."""
    stock = world.stock()
    booked = world.book(stock)
    calls = [
        Call("cancel", {"bookingId": booked["bookingId"]}, "c", Caller(1001)),
        Call("staff-cancel", {"bookingId": booked["bookingId"], "reason": "BACKOFFICE"}, "s", STAFF),
    ]
    pool = green.Pool(2)
    with world.store.transaction() as tx:
        LockedStocks.of(tx, [stock])
        cancellations = [pool.spawn(world.process.decide, [call]) for call in calls]
        wait_until(lambda: lock_waiters(world.store.engine) == len(calls))
    return [one.wait()[0][0] for one in cancellations]


def test_second_of_two_concurrent_cancellations_is_refused(world: World) -> None:
    outcomes = cancel_twice_while_the_stock_is_locked(world)
    assert counted(outcomes) == {"cancelled": 1, "already-cancelled": 1}
    assert len(world.messages("BookingCancelled")) == 1
    check_rows(world)


def test_control_without_the_lock_a_cancellation_releases_the_place_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the check constraint of the table notices it, with an error."""
    monkeypatch.setattr(stocks, "lock_of_bookings", lambda *_: None)
    outcomes = cancel_twice_while_the_stock_is_locked(world)
    assert counted(outcomes) == {"cancelled": 1, "internal-error": 1}


def test_concurrent_recoveries_and_a_retry_confirm_an_open_request_once(world: World) -> None:
    stock = world.stock()
    world.bus.away.add("wallet")
    at_once(world, [booking(stock, 1001, "k")])
    world.bus.away.clear()
    pool = green.Pool(3)
    recoveries = [pool.spawn(world.recover) for _ in range(2)]
    outcome = world.process.decide([booking(stock, 1001, "k")])[0][0]
    for recovery in recoveries:
        recovery.wait()
    assert outcome["status"] == "confirmed"
    assert len(world.messages("BookingCreated")) == 1
    check_rows(world)


def test_failing_call_does_not_affect_the_rest_of_its_batch(world: World) -> None:
    test_saga.test_a_failing_call_leaves_the_others_of_its_batch_alone(world)
    check_rows(world)


def test_recovery_finishes_the_others_when_one_request_always_fails(world: World) -> None:
    test_saga.test_recovery_finishes_the_others_when_one_request_always_fails(world)
    check_rows(world)


def test_array_parameters_preserve_any_text(world: World) -> None:
    key = "a\"b\\c{d},e'f NULL é %s\n"
    booked = world.book(world.stock(), key=key)
    assert world.book(booked["stock"]["stockId"], key=key) == booked
    world.bus.away.add("wallet")
    at_once(world, [booking(world.stock(), 1001, key + "2")])
    with world.store.reading() as connection:
        assert connection.execute(sa.text("SELECT key FROM open_requests")).scalar_one() == key + "2"
    world.bus.away.clear()
    world.recover()
    check_rows(world)
