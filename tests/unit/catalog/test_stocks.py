"""Stocks: prices and dates, the saga of a new quantity with booking, and the timer of elapsed dates."""

from __future__ import annotations

from typing import Any

import pytest

from shared.kernel.errors import Conflict, DomainError, Unavailable
from tests.unit.catalog.world import BOOK, GAME, PRO, World, refused


class QuantityBelowBooked(Conflict):
    code = "quantity-below-booked"


def book_offer(world: World) -> int:
    return int(world.offer(world.venue()["venueId"], BOOK)["offerId"])


def test_the_booking_limit_of_an_event_defaults_to_its_start(world: World) -> None:
    offer = world.offer(world.venue()["venueId"])
    stock = world.stock(offer["offerId"], beginningAt="2021-11-10T20:00:00+01:00", quantity=2)
    assert stock == {
        "stockId": stock["stockId"],
        "offerId": offer["offerId"],
        "venueId": offer["venueId"],
        "priceCents": 1000,
        "quantity": 2,
        "beginningAt": "2021-11-10T19:00:00Z",
        "bookingLimitAt": "2021-11-10T19:00:00Z",
        "activationCodes": 0,
        "status": "active",
        "version": 1,
    }
    early = world.stock(offer["offerId"], beginningAt="2021-11-10T19:00:00Z", bookingLimitAt="2021-11-08T19:00:00Z")
    assert early["bookingLimitAt"] == "2021-11-08T19:00:00Z"


def test_a_thing_has_no_date_and_may_have_no_quantity(world: World) -> None:
    stock = world.stock(book_offer(world), quantity=None)
    assert (stock["beginningAt"], stock["bookingLimitAt"], stock["quantity"]) == (None, None, None)


@pytest.mark.parametrize(
    ("stock", "code", "field"),
    [
        ({}, "invalid", "beginningAt"),
        ({"beginningAt": "2021-11-02T09:00:00Z"}, "date-in-the-past", "beginningAt"),
        ({"beginningAt": "2021-10-02T09:00:00Z"}, "date-in-the-past", "beginningAt"),
        ({"beginningAt": "2199-10-02T09:00:00Z"}, "invalid", "beginningAt"),
        ({"beginningAt": "2021-11-10T19:00:00"}, "invalid", "beginningAt"),
        ({"beginningAt": "9999-12-31T23:59:59-23:00"}, "invalid", "beginningAt"),
        (
            {"beginningAt": "2021-11-10T19:00:00Z", "bookingLimitAt": "2021-11-10T19:00:01Z"},
            "invalid",
            "bookingLimitAt",
        ),
        (
            {"beginningAt": "2021-11-10T19:00:00Z", "bookingLimitAt": "2021-11-01T19:00:00Z"},
            "date-in-the-past",
            "bookingLimitAt",
        ),
        ({"beginningAt": "2021-11-10T19:00:00Z", "priceCents": -1}, "invalid", "priceCents"),
        ({"beginningAt": "2021-11-10T19:00:00Z", "priceCents": 2**62}, "invalid", "priceCents"),
        ({"beginningAt": "2021-11-10T19:00:00Z", "priceCents": 10.5}, "invalid", "priceCents"),
        ({"beginningAt": "2021-11-10T19:00:00Z", "quantity": -1}, "invalid", "quantity"),
        ({"beginningAt": "2021-11-10T19:00:00Z", "activationCodes": ["A"]}, "invalid", "activationCodes"),
        ({"beginningAt": "2021-11-10T19:00:00Z", "evil": 1}, "invalid", "evil"),
    ],
)
def test_an_invalid_stock_of_an_event_is_refused(world: World, stock: dict[str, Any], code: str, field: str) -> None:
    offer = world.offer(world.venue()["venueId"])
    before = world.published_names()
    with pytest.raises(DomainError) as refusal:
        world.stock(offer["offerId"], **stock)
    assert refused(refusal.value) == (code, 422, [field])
    assert world.published_names() == before
    assert world.query("offer", offerId=offer["offerId"])["status"] == "draft"


def test_a_date_for_a_thing_is_refused(world: World) -> None:
    with pytest.raises(DomainError) as refusal:
        world.stock(book_offer(world), beginningAt="2021-11-10T19:00:00Z")
    assert refused(refusal.value) == ("invalid", 422, ["beginningAt"])


def test_a_thing_costs_at_most_300_euros_and_an_event_may_cost_more(world: World) -> None:
    offer_id = book_offer(world)
    assert world.stock(offer_id, priceCents=30_000)["priceCents"] == 30_000
    with pytest.raises(DomainError) as refusal:
        world.stock(offer_id, priceCents=30_001)
    assert refused(refusal.value) == ("invalid", 422, ["priceCents"])
    festival = world.offer(world.query("offer", offerId=offer_id)["venueId"])
    assert world.stock(festival["offerId"], priceCents=30_001, beginningAt="2021-12-10T19:00:00Z")["status"] == "active"


def test_the_number_of_activation_codes_is_the_quantity(world: World) -> None:
    offer = world.offer(world.digital_venue()["venueId"], GAME)
    stock = world.stock(offer["offerId"], activationCodes=["A-1", "B-2"])
    assert (stock["quantity"], stock["activationCodes"]) == (2, 2)
    assert world.published()[-1][1]["activationCodes"] == ["A-1", "B-2"]
    for body, field in (
        ({"activationCodes": ["A", "A"]}, "activationCodes"),
        ({"activationCodes": ["A"], "quantity": 3}, "quantity"),
    ):
        with pytest.raises(DomainError) as refusal:
            world.stock(offer["offerId"], **body)
        assert refused(refusal.value) == ("invalid", 422, [field])
    with pytest.raises(DomainError) as refusal:
        world.command("change-stock", stockId=stock["stockId"], quantity=5)
    assert refused(refusal.value) == ("invalid", 422, ["quantity"])


def test_a_price_with_a_custom_rule_cannot_be_changed(world: World) -> None:
    offer, stock_id = world.concert()
    world.agreed.add(offer)
    with pytest.raises(DomainError) as refusal:
        world.command("change-stock", stockId=stock_id, priceCents=1)
    assert (refusal.value.code, refusal.value.status) == ("price-agreed", 409)
    assert world.command("change-stock", stockId=stock_id, priceCents=1000)["priceCents"] == 1000
    world.bus.away.add("payout")
    with pytest.raises(Unavailable):
        world.command("change-stock", stockId=stock_id, priceCents=1)


def test_a_new_price_is_published_without_a_call_to_booking(world: World) -> None:
    _, stock_id = world.concert()
    changed = world.command("change-stock", stockId=stock_id, priceCents=1500)
    assert (changed["priceCents"], changed["version"]) == (1500, 2)
    assert world.published()[-1][0] == "StockChanged"
    assert world.command("change-stock", stockId=stock_id, priceCents=1500) == changed
    assert world.quantities == [], "only a new quantity calls booking"


def test_a_new_date_moves_the_booking_limit_too(world: World) -> None:
    offer_id, stock_id = world.concert()
    moved = world.command("change-stock", stockId=stock_id, beginningAt="2021-11-12T19:00:00Z")
    assert (moved["beginningAt"], moved["bookingLimitAt"]) == ("2021-11-12T19:00:00Z", "2021-11-12T19:00:00Z")
    assert world.published()[-1] == (
        "EventRescheduled",
        {
            "stockId": stock_id,
            "offerId": offer_id,
            "beginningAt": "2021-11-12T19:00:00Z",
            "previousBeginningAt": "2021-11-10T19:00:00Z",
            "bookingLimitAt": "2021-11-12T19:00:00Z",
        },
    )


def test_an_early_booking_limit_stays_when_the_event_moves(world: World) -> None:
    _, stock_id = world.concert(bookingLimitAt="2021-11-08T19:00:00Z")
    later = world.command("change-stock", stockId=stock_id, beginningAt="2021-11-12T19:00:00Z")
    assert later["bookingLimitAt"] == "2021-11-08T19:00:00Z"
    earlier = world.command("change-stock", stockId=stock_id, beginningAt="2021-11-06T19:00:00Z")
    assert earlier["bookingLimitAt"] == "2021-11-06T19:00:00Z"
    both = world.command(
        "change-stock", stockId=stock_id, beginningAt="2021-11-20T19:00:00Z", bookingLimitAt=None, priceCents=5
    )
    assert (both["bookingLimitAt"], both["priceCents"]) == ("2021-11-20T19:00:00Z", 5)
    assert world.published_names()[-2:] == ["EventRescheduled", "StockChanged"]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"beginningAt": "2021-11-01T19:00:00Z"}, "date-in-the-past", "beginningAt"),
        ({"beginningAt": None}, "invalid", "beginningAt"),
        ({"bookingLimitAt": "2021-11-11T19:00:00Z"}, "invalid", "bookingLimitAt"),
        ({"bookingLimitAt": "2021-11-01T19:00:00Z"}, "date-in-the-past", "bookingLimitAt"),
        ({"priceCents": None}, "invalid", "priceCents"),
        ({"activationCodes": ["A"]}, "invalid", "activationCodes"),
    ],
)
def test_an_invalid_change_is_refused(world: World, changes: dict[str, Any], code: str, field: str) -> None:
    _, stock_id = world.concert()
    for also in ({}, {"quantity": 3}):
        with pytest.raises(DomainError) as refusal:
            world.command("change-stock", stockId=stock_id, **changes, **also)
        assert refused(refusal.value) == (code, 422, [field])
    assert world.quantities == [], "a refused change does not call booking"
    assert world.query("stock", stockId=stock_id)["version"] == 1


def test_booking_accepts_a_new_quantity_once(world: World) -> None:
    _, stock_id = world.concert()
    changed = world.command("change-stock", PRO, "k", stockId=stock_id, quantity=20, priceCents=900)
    assert (changed["quantity"], changed["priceCents"]) == (20, 900)
    assert world.quantities == [(stock_id, 20)]
    assert world.command("change-stock", PRO, "k", stockId=stock_id, quantity=20, priceCents=900) == changed
    assert world.command("change-stock", stockId=stock_id, quantity=20) == changed
    assert world.quantities == [(stock_id, 20)]
    assert world.command("change-stock", stockId=stock_id, quantity=None)["quantity"] is None


def test_a_quantity_refused_by_booking_changes_nothing(world: World) -> None:
    _, stock_id = world.concert()

    def refuse(_data: dict[str, Any]) -> Any:
        raise QuantityBelowBooked("5 are booked")

    world.set_quantity = refuse
    for _ in range(2):
        with pytest.raises(DomainError) as refusal:
            world.command("change-stock", PRO, "k", stockId=stock_id, quantity=3, priceCents=1)
        assert refused(refusal.value) == ("quantity-below-booked", 409, [])
    stock = world.query("stock", stockId=stock_id)
    assert (stock["quantity"], stock["priceCents"]) == (10, 1000)
    assert world.published_names()[-1] == "StockAdded"


def test_recovery_repeats_a_call_without_an_answer(world: World) -> None:
    _, stock_id = world.concert()
    world.bus.away.add("booking")
    with pytest.raises(DomainError) as refusal:
        world.command("change-stock", PRO, "k", stockId=stock_id, quantity=3)
    assert refusal.value.status == 503
    with world.store.reading() as connection:
        assert world.service.open_work(connection) == 1
    world.bus.away.clear()
    world.service.tasks[0].run()
    assert world.query("stock", stockId=stock_id)["quantity"] == 3
    assert world.command("change-stock", PRO, "k", stockId=stock_id, quantity=3)["quantity"] == 3
    assert world.quantities == [(stock_id, 3)]
    with world.store.reading() as connection:
        assert world.service.open_work(connection) == 0


def test_an_open_request_is_finished_before_the_next(world: World) -> None:
    _, stock_id = world.concert()
    world.bus.away.add("booking")
    with pytest.raises(DomainError):
        world.command("change-stock", stockId=stock_id, quantity=3)
    world.bus.away.clear()
    assert world.command("change-stock", stockId=stock_id, quantity=4)["quantity"] == 4
    assert world.quantities == [(stock_id, 3), (stock_id, 4)]


def test_a_withdrawn_stock_cannot_be_changed(world: World) -> None:
    offer_id, stock_id = world.concert()
    assert world.command("withdraw-stock", stockId=stock_id)["status"] == "withdrawn"
    assert world.command("withdraw-stock", stockId=stock_id)["status"] == "withdrawn"
    withdrawn = {"stockId": stock_id, "offerId": offer_id, "withdrawnAt": "2021-11-02T09:00:00Z"}
    assert world.published()[-1] == ("StockWithdrawn", withdrawn)
    with pytest.raises(DomainError) as refusal:
        world.command("change-stock", stockId=stock_id, priceCents=1)
    assert refused(refusal.value) == ("stock-withdrawn", 409, [])
    assert world.query("offer", offerId=offer_id)["stocks"] == []


def test_a_stock_can_be_withdrawn_until_48_hours_after_its_start(world: World) -> None:
    offer_id, first = world.concert()
    second = world.stock(offer_id, beginningAt="2021-11-10T19:00:00Z")["stockId"]
    world.move_to("2021-11-12T19:00:00Z")
    assert world.command("withdraw-stock", stockId=first)["status"] == "withdrawn"
    world.move_to("2021-11-12T19:00:01Z")
    with pytest.raises(DomainError) as refusal:
        world.command("withdraw-stock", stockId=second)
    assert refused(refusal.value) == ("withdrawal-too-late", 409, [])


def test_a_stock_cannot_be_changed_after_its_start(world: World) -> None:
    _, stock_id = world.concert()
    world.move_to("2021-11-10T19:00:00Z")
    for changes in ({"priceCents": 1}, {"quantity": 1}, {"beginningAt": "2021-12-10T19:00:00Z"}):
        with pytest.raises(DomainError) as refusal:
            world.command("change-stock", stockId=stock_id, **changes)
        assert refused(refusal.value) == ("event-passed", 409, [])


def test_the_timer_publishes_an_elapsed_date_once(world: World) -> None:
    offer_id, stock_id = world.concert()
    later = world.stock(offer_id, beginningAt="2021-11-11T19:00:00Z")["stockId"]
    withdrawn = world.stock(offer_id, beginningAt="2021-11-10T10:00:00Z")["stockId"]
    world.command("withdraw-stock", stockId=withdrawn)
    world.move_to("2021-11-10T18:59:59Z")
    assert "EventDateElapsed" not in world.published_names()
    world.move_to("2021-11-20T09:00:00Z")
    messages = [message for message in world.store.messages(0, 1000) if message.name == "EventDateElapsed"]
    assert [message.data["stockId"] for message in messages] == [stock_id, later]
    assert [message.data["beginningAt"] for message in messages] == ["2021-11-10T19:00:00Z", "2021-11-11T19:00:00Z"]
    assert messages[0].occurred_at.isoformat() == "2021-11-10T19:00:00+00:00"
    with world.store.reading() as connection:
        assert world.service.timers[0].next_due(connection) is None
    world.service.timers[0].run(world.clock.now())
    assert world.published_names().count("EventDateElapsed") == 2


def test_a_late_timer_publishes_each_start_with_its_own_instant(world: World) -> None:
    offer_id, _ = world.concert()
    for day in range(11, 14):
        world.stock(offer_id, beginningAt=f"2021-11-{day}T19:00:00Z")
    world.clock.move_to(world.clock.now().replace(day=30))
    world.service.timers[0].run(world.clock.now())
    elapsed = [message for message in world.store.messages(0, 1000) if message.name == "EventDateElapsed"]
    assert [message.occurred_at.day for message in elapsed] == [10, 11, 12, 13]


def test_a_moved_event_elapses_at_its_new_start(world: World) -> None:
    _, stock_id = world.concert()
    world.command("change-stock", stockId=stock_id, beginningAt="2021-11-12T19:00:00Z")
    world.move_to("2021-11-11T00:00:00Z")
    assert "EventDateElapsed" not in world.published_names()
    world.move_to("2021-11-13T00:00:00Z")
    assert world.published()[-1][1]["beginningAt"] == "2021-11-12T19:00:00Z"


def test_a_stale_version_of_a_stock_is_refused(world: World) -> None:
    _, stock_id = world.concert()
    world.command("change-stock", stockId=stock_id, ifMatch=1, priceCents=1)
    for name, data in (("change-stock", {"priceCents": 2}), ("change-stock", {"quantity": 2}), ("withdraw-stock", {})):
        with pytest.raises(DomainError) as refusal:
            world.command(name, stockId=stock_id, ifMatch=1, **data)
        assert refused(refusal.value) == ("precondition-failed", 412, [])
