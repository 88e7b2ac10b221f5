"""Booking: the refusals with their order, and the answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.time import parse_instant
from tests.unit.booking.world import NOON, OFFERER, YOUNG, World


def code_of(world: World, stock_id: int, person: int = YOUNG, quantity: int = 1) -> str:
    with pytest.raises(DomainError) as refused:
        world.book(stock_id, person, quantity)
    return refused.value.code


def test_a_booking_has_the_shape_that_clients_rely_on(world: World) -> None:
    stock = world.event(timedelta(days=8), price=2550, quantity=2)
    booked = world.book(stock)
    assert booked["status"] == "confirmed"
    assert booked["quantity"] == 1
    assert (booked["unitPriceCents"], booked["totalCents"]) == (2550, 2550)
    assert booked["bookedAt"] == "2021-11-02T12:00:00Z"
    assert booked["cancellationLimitAt"] == "2021-11-04T12:00:00Z"
    assert booked["expiresAt"] is booked["usedAt"] is booked["cancelledAt"] is booked["cancellationReason"] is None
    assert booked["qrCode"] == f"PASSCULTURE:v3;TOKEN:{booked['countermark']}"
    assert booked["stock"] == {"stockId": stock, "priceCents": 2550, "beginningAt": "2021-11-10T12:00:00Z"}
    assert booked["offer"]["venue"]["city"] == "Strasbourg"
    assert world.seen(booked["bookingId"]) == booked
    assert world.wallet.available(YOUNG) == 30_000 - 2550
    assert world.differences() == []


def test_countermarks_have_six_readable_characters(world: World) -> None:
    marks = {world.book(world.stock())["countermark"] for _ in range(30)}
    assert len(marks) == 30
    assert set("".join(marks)) <= set("ABCDEFGHJKLMNPQRSTUVWXYZ234567")
    assert {len(mark) for mark in marks} == {6}


def test_a_seeded_platform_draws_the_same_countermark_for_the_same_command(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    worlds = [World(tmp_path_factory.mktemp("world")) for _ in range(2)]
    worlds[1].book(worlds[1].stock(), key="another before it")
    assert (
        worlds[0].book(worlds[0].stock(), key="k")["countermark"]
        == worlds[1].book(worlds[1].stock(), key="k")["countermark"]
    )


def test_a_duo_counts_twice(world: World) -> None:
    stock = world.stock(world.offer("CONCERT", is_duo=True), begins=NOON + timedelta(days=9), quantity=3)
    booked = world.book(stock, quantity=2)
    assert booked["totalCents"] == 2_000
    assert world.counts(stock) == (2, 2)
    assert world.wallet.available(YOUNG) == 28_000


def test_a_free_booking_needs_no_wallet(world: World) -> None:
    world.bus.away.add("wallet")
    stock = world.event(timedelta(days=5), price=0)
    assert world.book(stock)["status"] == "confirmed"
    assert world.wallet.calls == []
    assert world.rows("open_requests") == 0


@pytest.mark.parametrize("quantity", [0, -1, "1", 1.0, True, None, 2**60])
def test_an_invalid_quantity_is_refused(world: World, quantity: object) -> None:
    stock = world.stock()
    with pytest.raises(DomainError) as refused:
        world.command("book", {"stockId": stock, "quantity": quantity}, Caller(YOUNG), "k")
    assert (refused.value.status, refused.value.code) == (422, "invalid")
    assert world.counts(stock) == (0, 0)


def test_two_places_need_a_duo_offer(world: World) -> None:
    assert code_of(world, world.stock(), quantity=2) == "quantity-invalid"
    duo = world.stock(world.offer("CONCERT", is_duo=True), begins=NOON + timedelta(days=9))
    assert code_of(world, duo, quantity=3) == "quantity-invalid"


def test_not_a_beneficiary_is_the_first_refusal(world: World) -> None:
    with pytest.raises(DomainError) as refused:
        world.book(999_999, person=7)
    assert (refused.value.status, refused.value.code) == (403, "not-a-beneficiary")


def test_an_unknown_stock_is_not_found(world: World) -> None:
    with pytest.raises(DomainError) as refused:
        world.book(999_999)
    assert refused.value.status == 404


def test_already_booked_is_checked_before_quantity_and_places(world: World) -> None:
    offer = world.offer()
    world.book(world.stock(offer))
    sold_out = world.stock(offer, quantity=0)
    assert code_of(world, sold_out, quantity=2) == "already-booked"


def test_quantity_is_checked_before_places_and_places_before_credit(world: World) -> None:
    sold_out = world.stock(quantity=0, price=99_999)
    assert code_of(world, sold_out, quantity=2) == "quantity-invalid"
    assert code_of(world, sold_out) == "stock-not-bookable"
    assert code_of(world, world.stock(price=30_001)) == "insufficient-credit"


def test_a_refusal_of_wallet_releases_the_place(world: World) -> None:
    stock = world.stock(price=30_001, quantity=1)
    assert code_of(world, stock) == "insufficient-credit"
    assert world.counts(stock) == (0, 0)
    assert world.rows("live_bookings") == world.rows("open_requests") == world.rows("bookings") == 0
    assert world.messages("StockSoldOut", "BookingCreated") == []
    assert world.differences() == []


def test_the_whole_credit_may_be_spent(world: World) -> None:
    assert world.book(world.stock(price=30_000))["status"] == "confirmed"
    assert code_of(world, world.stock(price=1)) == "insufficient-credit"


def test_a_past_withdrawn_or_unpublished_stock_is_not_bookable(world: World) -> None:
    limited = world.event(timedelta(days=3), limit=NOON + timedelta(days=1))
    begun = world.event(timedelta(days=1))
    withdrawn, hidden_offer = world.stock(), world.offer()
    hidden = world.stock(hidden_offer)
    world.receive("catalog", "StockWithdrawn", {"stockId": withdrawn, "offerId": 1, "withdrawnAt": world.now_text()})
    world.receive("catalog", "OfferWithdrawn", {"offerId": hidden_offer, "reason": "deactivated"})
    world.pass_time(timedelta(days=1))
    for stock in (limited, begun, withdrawn, hidden):
        assert code_of(world, stock) == "stock-not-bookable"


def test_a_booking_keeps_its_price(world: World) -> None:
    offer = world.offer()
    stock = world.stock(offer, price=1_000)
    booked = world.book(stock)
    changed = {"stockId": stock, "offerId": offer, "priceCents": 5_000, "bookingLimitAt": None}
    world.receive("catalog", "StockChanged", changed)
    assert world.seen(booked["bookingId"])["unitPriceCents"] == 1_000
    assert world.book(stock, world.welcome(2002))["unitPriceCents"] == 5_000


def test_the_last_place_publishes_sold_out_and_its_release_available(world: World) -> None:
    stock = world.stock(quantity=1)
    booked = world.book(stock)
    assert code_of(world, stock, world.welcome(2002)) == "stock-not-bookable"
    world.cancel(booked["bookingId"])
    assert [data["remaining"] for data in world.messages("StockSoldOut")] == [0]
    assert [data["remaining"] for data in world.messages("StockAvailable")] == [1]
    assert world.book(stock, 2002)["status"] == "confirmed"


def test_a_stock_without_limit_is_never_sold_out(world: World) -> None:
    stock = world.stock(quantity=None)
    world.book(stock)
    assert world.messages("BookingCreated")[-1]["stockRemaining"] is None
    assert world.messages("StockSoldOut") == []


def test_a_reservation_names_the_cap_that_it_counts_towards(world: World) -> None:
    film = world.offer("VOD", url="https://example.org/{token}")
    card, book = world.offer("CARTE_MUSEE"), world.offer("LIVRE_PAPIER")
    caps = []
    for offer in (film, card, book):
        booked = world.book(world.stock(offer))
        caps.append(tuple(world.wallet.calls[-1][1][cap] for cap in ("digital", "physical")))
        if offer == film:
            assert booked["completedUrl"] == f"https://example.org/{booked['countermark']}"
    assert caps == [(True, False), (False, False), (False, True)]


def test_a_key_always_gets_the_same_answer(world: World) -> None:
    stock = world.stock()
    first = world.book(stock, key="same")
    world.cancel(first["bookingId"])
    assert world.book(stock, key="same") == first
    with pytest.raises(DomainError) as refused:
        world.book(world.stock(), key="same")
    assert refused.value.code == "idempotency-key-reused"
    assert world.rows("bookings") == 1


def test_a_refusal_leaves_the_other_calls_of_its_transaction_alone(world: World) -> None:
    stock = world.stock(quantity=2)
    people = [world.welcome(3_000 + n) for n in range(4)]
    calls = [Call("book", {"stockId": stock, "quantity": 1}, f"k{n}", Caller(n)) for n in [*people, 9]]
    outcomes = [outcome for outcome, _, _ in world.process.decide(calls)]
    codes = [outcome.code if isinstance(outcome, DomainError) else outcome["status"] for outcome in outcomes]
    assert codes == ["confirmed", "confirmed", "stock-not-bookable", "stock-not-bookable", "not-a-beneficiary"]
    assert world.counts(stock) == (2, 2)
    assert [data["stockRemaining"] for data in world.messages("BookingCreated")] == [0, 0]
    assert len(world.messages("StockSoldOut")) == 1


def test_two_bookings_of_one_person_in_a_batch_give_one(world: World) -> None:
    stock = world.stock()
    calls = [Call("book", {"stockId": stock, "quantity": 1}, key, Caller(YOUNG)) for key in ("a", "b")]
    first, second = (outcome for outcome, _, _ in world.process.decide(calls))
    assert isinstance(first, dict)
    assert isinstance(second, DomainError) and second.code == "already-booked"


def test_activation_codes_are_given_and_used_at_once(world: World) -> None:
    stock = world.stock(world.offer("VOD", url="https://example.org"), codes=("AAA", "BBB"))
    booked = world.book(stock)
    assert (booked["status"], booked["activationCode"]) == ("used", "AAA")
    assert booked["usedAt"] == booked["bookedAt"]
    assert booked["qrCode"] is None
    assert [data["by"] for data in world.messages("CountermarkValidated")] == ["activation-code"]
    assert world.book(stock, world.welcome(2002))["activationCode"] == "BBB"
    assert world.differences() == []


def test_a_missing_code_is_refused_only_once_the_credit_suffices(world: World) -> None:
    stock = world.stock(world.offer("VOD", url="https://example.org"), codes=("AAA",), price=20_000)
    world.book(stock)
    world.command("set-quantity", {"stockId": stock, "quantity": 5})
    assert code_of(world, stock, world.welcome(2002)) == "no-activation-code"
    assert world.wallet.available(2002) == 30_000
    world.wallet.credit = 10_000
    assert code_of(world, stock, world.welcome(2003)) == "insufficient-credit"
    assert world.counts(stock) == (1, 1)


def test_the_booking_limit_defaults_to_the_start_of_the_event(world: World) -> None:
    stock = world.event(timedelta(hours=1))
    world.clock.move_to(parse_instant("2021-11-02T12:59:59Z"))
    assert world.book(stock)["status"] == "confirmed"


def test_an_unvalidated_or_closed_structure_takes_no_bookings(world: World) -> None:
    def receive(message: str, **data: str) -> None:
        world.receive("identity", message, {"offererId": OFFERER, **data})

    stock, now = world.stock(), world.now_text()
    place = {"address": "1 rue", "postalCode": "67000", "city": "Strasbourg"}
    receive("OffererRegistered", siren="800000010", name="Star", registeredAt=now, **place)
    assert code_of(world, stock) == "stock-not-bookable"
    receive("OffererValidated", at=now)
    assert world.book(stock)["status"] == "confirmed"
    receive("OffererClosed", at=now, reason="ended")
    assert code_of(world, stock, world.welcome(2002)) == "stock-not-bookable"
