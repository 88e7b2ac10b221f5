"""What the saga leaves behind when it is cut off: wherever that is, it ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from services.booking.application.saga.driver import Saga
from services.booking.application.saga.recovery import Recovery
from services.booking.neighbours import Wallet
from shared.contracts.calls.booking import Book
from shared.eventstore.outcomes import Call, Repeated
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, OutcomePending
from shared.kernel.time import parse_instant
from tests.unit.booking.world import OFFERER, YOUNG, World


class Crash(Exception):
    """The process is gone."""


def book(world: World, stock: int, key: str = "k") -> Any:
    """The outcome, or what the caller of a crashed process meets."""
    call = Call("book", {"stockId": stock, "quantity": 1}, key, Caller(YOUNG))
    with structlog.testing.capture_logs():  # what a crash logs is long, and drawn slowly
        return world.process.decide([call])[0][0]


@contextmanager
def commits(world: World, allowed: int) -> Iterator[None]:
    """The process dies at the commit after so many."""
    left = allowed

    def commit(_connection: sa.Connection) -> None:
        nonlocal left
        if left == 0:
            raise Crash
        left -= 1

    sa.event.listen(world.engine, "commit", commit)
    try:
        yield
    finally:
        sa.event.remove(world.engine, "commit", commit)


def crash(_data: Any, _caller: Any) -> Any:
    raise Crash


def after_reserving(world: World) -> Any:
    def reserve(data: Any, caller: Any) -> Any:
        world.wallet.reserve(data, caller)
        raise Crash

    return reserve


def state(world: World, stock: int) -> dict[str, Any]:
    return {
        "counts": world.counts(stock),
        "available": world.wallet.available(YOUNG),
        "live": world.rows("live_bookings"),
        "open": world.rows("open_requests"),
        "marks": world.rows("countermarks"),
        "created": world.messages("BookingCreated"),
        "differences": world.differences(),
    }


def interrupted(world: World, stock: int, where: str) -> None:
    if where == "before transaction 1 commits":
        with commits(world, 0):
            book(world, stock)
    elif where == "after transaction 1":
        world.bus.handlers["wallet", "reserve"] = crash
        book(world, stock)
    elif where == "after wallet":
        world.bus.handlers["wallet", "reserve"] = after_reserving(world)
        book(world, stock)
    elif where == "before transaction 3 commits":
        with commits(world, 1):
            book(world, stock)
    else:
        book(world, stock)
    world.bus.handlers["wallet", "reserve"] = world.wallet.reserve
    world.restart()


PLACES = (
    "before transaction 1 commits",
    "after transaction 1",
    "after wallet",
    "before transaction 3 commits",
    "after transaction 3",
)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("price", [1_000, 30_001])
def test_a_crash_at_any_point_ends_in_the_same_state(
    tmp_path_factory: pytest.TempPathFactory, where: str, price: int
) -> None:
    whole, cut = (World(tmp_path_factory.mktemp("world")) for _ in range(2))
    stock = whole.stock(price=price, quantity=1)
    outcome = book(whole, stock)
    assert cut.stock(price=price, quantity=1) == stock
    interrupted(cut, stock, where)
    cut.recover()
    again = book(cut, stock)
    if isinstance(outcome, DomainError):
        assert again.code == outcome.code == "insufficient-credit"
    else:
        assert again == outcome
    assert state(cut, stock) == state(whole, stock)


@pytest.mark.parametrize("where", PLACES[1:4])
def test_the_same_key_finishes_an_interrupted_request_before_recovery(world: World, where: str) -> None:
    stock = world.stock()
    interrupted(world, stock, where)
    assert world.rows("open_requests") == 1
    assert book(world, stock)["status"] == "confirmed"
    assert world.rows("open_requests") == 0
    assert world.counts(stock) == (1, 1)


def test_without_wallets_answer_the_outcome_is_pending_and_the_key_gives_it_later(world: World) -> None:
    stock = world.stock()
    world.bus.away.add("wallet")
    assert isinstance(book(world, stock), OutcomePending)
    assert isinstance(book(world, stock), OutcomePending)
    assert world.counts(stock) == (1, 0)
    world.recover()
    assert world.rows("open_requests") == 1
    world.bus.away.clear()
    world.recover()
    booked = book(world, stock)
    assert booked["status"] == "confirmed"
    assert world.seen(booked["bookingId"]) == booked
    assert len(world.messages("BookingCreated")) == 1


def test_an_open_key_with_another_body_is_refused(world: World) -> None:
    stock, other = world.stock(), world.stock()
    world.bus.away.add("wallet")
    book(world, stock)
    assert book(world, other).code == "idempotency-key-reused"


def test_a_refused_key_stays_refused_when_places_are_released(world: World) -> None:
    stock = world.stock(quantity=1)
    taken = world.book(stock, world.welcome(2_000))
    assert book(world, stock).code == "stock-not-bookable"
    world.cancel(taken["bookingId"], 2_000)
    book_many = world.service.commands["book"].resuming
    assert book_many is not None
    data = {"stockId": stock, "quantity": 1}
    (repeated,) = book_many([Call("book", data, "k", Caller(YOUNG), body=Book.read(data))])
    assert isinstance(repeated, Repeated) and isinstance(repeated.outcome, DomainError)
    assert repeated.outcome.to_outcome()["code"] == "stock-not-bookable"
    assert (world.counts(stock), world.rows("open_requests")) == ((0, 0), 0)
    assert world.wallet.available(YOUNG) == 30_000


def test_an_open_request_counts_as_a_booking_for_another_key(world: World) -> None:
    stock = world.stock()
    world.bus.away.add("wallet")
    book(world, stock)
    assert book(world, stock, key="other").code == "already-booked"


def test_a_lost_answer_of_wallet_reserves_once(world: World) -> None:
    stock = world.stock()
    world.wallet.silent_after = 0
    assert isinstance(book(world, stock), OutcomePending)
    assert world.wallet.available(YOUNG) == 29_000
    world.wallet.silent_after = None
    assert book(world, stock)["status"] == "confirmed"
    assert world.wallet.available(YOUNG) == 29_000


def test_recovery_leaves_recent_requests_to_their_saga(world: World) -> None:
    stock = world.stock()
    world.bus.away.add("wallet")
    book(world, stock)
    world.bus.away.clear()
    for task in world.service.tasks:
        if task.name == "recover-requests":
            task.run()
    assert world.rows("open_requests") == 1


def test_two_sagas_on_one_request_confirm_it_once(world: World) -> None:
    stock = world.stock()
    world.bus.away.add("wallet")
    book(world, stock)
    world.bus.away.clear()

    def reserve_beside_recovery(data: Any, caller: Any) -> Any:
        world.bus.handlers["wallet", "reserve"] = world.wallet.reserve
        world.wallet.reserve(data, caller)
        world.recover()
        return {}

    world.bus.handlers["wallet", "reserve"] = reserve_beside_recovery
    booked = book(world, stock)
    assert booked["status"] == "confirmed"
    assert len(world.messages("BookingCreated")) == 1
    assert world.differences() == []


@pytest.mark.parametrize("answers", [0, 1])
def test_an_interrupted_request_without_a_code_is_refused(world: World, answers: int) -> None:
    stock = world.stock(world.offer("VOD", url="https://example.org"), codes=("AAA",))
    world.book(stock, world.welcome(2002))
    world.command("set-quantity", {"stockId": stock, "quantity": 5})
    world.wallet.silent_after = answers
    assert isinstance(book(world, stock), OutcomePending)
    world.wallet.silent_after = None
    world.recover()
    assert book(world, stock).code == "no-activation-code"
    assert world.wallet.available(YOUNG) == 30_000
    assert world.counts(stock) == (1, 1)


def test_withdrawing_a_stock_during_the_reservation_cancels_the_booking(world: World) -> None:
    stock = world.stock(quantity=3)
    world.bus.away.add("wallet")
    book(world, stock)
    world.bus.away.clear()
    world.receive("catalog", "StockWithdrawn", {"stockId": stock, "offerId": 1, "withdrawnAt": world.now_text()})
    booked = book(world, stock)
    assert (booked["status"], booked["cancellationReason"]) == ("cancelled", "OFFERER")
    assert world.counts(stock) == (0, 0)
    assert [data["attempt"] for data in world.messages("BookingCancelled")] == [1]
    assert world.differences() == []


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        ("identity", "BeneficiarySuspended", "BACKOFFICE"),
        ("identity", "PersonErased", "BACKOFFICE"),
        ("catalog", "OfferWithdrawn", "OFFERER"),
        ("identity", "OffererClosed", "OFFERER"),
    ],
)
def test_suspending_a_person_during_the_reservation_cancels_the_booking(
    world: World, source: str, name: str, reason: str
) -> None:
    offer = world.offer()
    stock = world.stock(offer, quantity=3)
    data = {
        "BeneficiarySuspended": {"personId": YOUNG, "reason": "FRAUD", "at": world.now_text()},
        "PersonErased": {"personId": YOUNG, "at": world.now_text()},
        "OfferWithdrawn": {"offerId": offer, "reason": "rejected"},
        "OffererClosed": {"offererId": OFFERER, "at": world.now_text(), "reason": "ended"},
    }
    world.bus.away.add("wallet")
    book(world, stock)
    world.bus.away.clear()
    world.receive(source, name, data[name])
    booked = book(world, stock)
    assert (booked["status"], booked["cancellationReason"]) == ("cancelled", reason)
    assert world.counts(stock) == (0, 0)
    assert [message["attempt"] for message in world.messages("BookingCancelled")] == [1]
    assert world.differences() == []


def test_moving_an_event_during_the_reservation_moves_the_booking(world: World) -> None:
    begins = world.clock.now() + timedelta(days=8)
    offer = world.offer("CONCERT")
    stock = world.stock(offer, begins=begins)
    world.bus.away.add("wallet")
    book(world, stock)
    world.bus.away.clear()
    world.move_event(stock, parse_instant("2021-12-01T19:00:00Z"), offer=offer)
    assert book(world, stock)["stock"]["beginningAt"] == "2021-12-01T19:00:00Z"
    assert world.differences() == []


def poisonous(world: World, poison: int) -> None:
    """Wallet's answer for one person is something that nobody foresaw."""

    def reserve(data: Any, caller: Any) -> Any:
        if data["personId"] == poison:
            raise ZeroDivisionError
        return world.wallet.reserve(data, caller)

    world.bus.handlers["wallet", "reserve"] = reserve


def test_a_failing_call_leaves_the_others_of_its_batch_alone(world: World) -> None:
    stock = world.stock(quantity=10)
    people = [world.welcome(number) for number in range(2_000, 2_007)]
    poisonous(world, people[3])
    calls = [Call("book", {"stockId": stock, "quantity": 1}, f"k{one}", Caller(one)) for one in people]
    with structlog.testing.capture_logs():
        outcomes = [outcome for outcome, _, _ in world.process.decide(calls)]
    assert outcomes[3].status == 500
    good = [outcome for index, outcome in enumerate(outcomes) if index != 3]
    assert {one["status"] for one in good} == {"confirmed"}
    assert len({one["bookingId"] for one in good}) == len(good) == len(world.messages("BookingCreated"))
    assert (world.counts(stock), world.rows("open_requests")) == ((7, 6), 1)
    assert [world.wallet.available(one) for one in people] == [29_000] * 3 + [30_000] + [29_000] * 3
    assert world.differences() == []
    world.bus.handlers["wallet", "reserve"] = world.wallet.reserve
    assert world.process.decide([calls[3]])[0][0]["status"] == "confirmed", "its key goes on from where it failed"
    assert world.counts(stock) == (7, 7)


def test_a_call_without_a_key_runs_once_when_its_batch_fails(world: World) -> None:
    stock = world.stock(quantity=10)
    people = [world.welcome(number) for number in range(2_000, 2_003)]
    poisonous(world, people[1])
    with structlog.testing.capture_logs():
        answers = world.process.decide(
            [Call("book", {"stockId": stock, "quantity": 1}, None, Caller(one)) for one in people]
        )
    assert [answer[0].status if isinstance(answer[0], DomainError) else answer[0]["status"] for answer in answers] == [
        "confirmed",
        500,
        "confirmed",
    ]
    assert world.counts(stock) == (3, 2)


def test_recovery_finishes_the_others_when_one_request_always_fails(world: World) -> None:
    stock = world.stock(quantity=10)
    people = [world.welcome(number) for number in range(2_000, 2_006)]
    world.bus.away.add("wallet")
    calls = [Call("book", {"stockId": stock, "quantity": 1}, f"k{one}", Caller(one)) for one in people]
    assert all(isinstance(outcome, OutcomePending) for outcome, _, _ in world.process.decide(calls))
    world.bus.away.clear()
    poisonous(world, people[2])
    with structlog.testing.capture_logs() as logged:
        world.recover()
    assert (world.counts(stock), world.rows("open_requests")) == ((6, 5), 1)
    assert "open request not finished" in [one["event"] for one in logged]
    assert world.differences() == []


def test_a_failing_request_delays_no_other(world: World) -> None:
    world.bus.away.add("wallet")
    people = [world.welcome(number) for number in range(2_000, 2_003)]
    for person in people:
        with pytest.raises(OutcomePending):
            world.book(world.stock(), person)
    world.bus.away.clear()

    def reserve(data: Any, caller: Any) -> Any:
        if data["personId"] == people[0]:
            raise OutcomePending
        return world.wallet.reserve(data, caller)

    world.bus.handlers["wallet", "reserve"] = reserve
    seconds = iter(range(0, 100, 10))
    saga = Saga(world.store, Wallet(world.bus), world.settings.randomness())
    recovery = Recovery(world.store, saga, machine_seconds=lambda: next(seconds), batch=1)
    for _ in range(4):
        recovery.run()
    assert world.rows("open_requests") == 1


def test_a_check_constraint_refuses_to_oversell(world: World) -> None:
    stock = world.stock(quantity=1)
    world.book(stock)
    for change in ("taken = taken + 1", "taken = taken - 2", "booked = booked - 2", "quantity = 0"):
        with pytest.raises(sa.exc.IntegrityError), world.store.transaction() as tx:
            tx.connection.exec_driver_sql(f"UPDATE stocks SET {change}")
    assert world.counts(stock) == (1, 1)
