"""Cancelling: by whom, until when, and what goes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.time import instant_text
from tests.unit.booking.world import DESK, NOON, OFFERER, PRO, YOUNG, World

STAFF = Caller(1, frozenset({"staff"}))


def code_of_cancel(world: World, booking_id: int, person: int = YOUNG) -> str:
    with pytest.raises(DomainError) as refused:
        world.cancel(booking_id, person)
    return refused.value.code


def test_cancelling_before_the_limit_releases_credit_and_place(world: World) -> None:
    stock = world.event(timedelta(days=8), quantity=1)
    booked = world.book(stock)
    world.pass_time(timedelta(hours=47, minutes=59))
    cancelled = world.cancel(booked["bookingId"])
    assert (cancelled["status"], cancelled["cancellationReason"]) == ("cancelled", "BENEFICIARY")
    assert cancelled["cancelledAt"] == world.now_text()
    assert cancelled["qrCode"] is None
    assert world.wallet.available(YOUNG) == 30_000
    assert world.counts(stock) == (0, 0)
    assert world.seen(booked["bookingId"]) == cancelled
    assert world.differences() == []


def test_cancelling_at_the_limit_is_refused(world: World) -> None:
    booked = world.book(world.event(timedelta(days=8)))
    world.pass_time(timedelta(hours=48))
    assert code_of_cancel(world, booked["bookingId"]) == "cancellation-limit-passed"


def test_a_booking_less_than_two_days_before_its_event_is_final(world: World) -> None:
    booked = world.book(world.event(timedelta(hours=40)))
    assert booked["cancellationLimitAt"] == booked["bookedAt"]
    assert code_of_cancel(world, booked["bookingId"]) == "cancellation-limit-passed"


def test_a_thing_can_be_cancelled_until_it_is_used(world: World) -> None:
    early, late = world.book(world.stock()), world.book(world.stock())
    world.pass_time(timedelta(days=9))
    assert world.cancel(early["bookingId"])["status"] == "cancelled"
    world.desk("use", late["countermark"])
    assert code_of_cancel(world, late["bookingId"]) == "already-used"


def test_a_second_cancellation_is_refused(world: World) -> None:
    booked = world.book(world.stock())
    world.cancel(booked["bookingId"])
    assert code_of_cancel(world, booked["bookingId"]) == "already-cancelled"
    assert len(world.messages("BookingCancelled")) == 1


def test_a_repeated_key_cancels_once(world: World) -> None:
    booked = world.book(world.stock())
    first = world.cancel(booked["bookingId"], key="c")
    assert world.cancel(booked["bookingId"], key="c") == first


def test_somebody_elses_booking_is_not_found(world: World) -> None:
    booked = world.book(world.stock())
    assert code_of_cancel(world, booked["bookingId"], world.welcome(2002)) == "not-found"
    assert code_of_cancel(world, 424242) == "not-found"
    with pytest.raises(DomainError) as refused:
        world.seen(booked["bookingId"], 2002)
    assert refused.value.status == 404


def test_a_booking_is_cancelled_while_wallet_does_not_answer(world: World) -> None:
    booked = world.book(world.stock())
    world.bus.away.add("wallet")
    assert world.cancel(booked["bookingId"])["status"] == "cancelled"
    assert world.messages("BookingCancelled")[0]["attempt"] == 1


def test_the_same_offer_may_be_booked_again_after_cancelling(world: World) -> None:
    offer = world.offer()
    stock = world.stock(offer)
    world.cancel(world.book(stock)["bookingId"])
    assert world.book(stock)["status"] == "confirmed"


def test_withdrawing_a_stock_cancels_its_unused_bookings(world: World) -> None:
    stock = world.stock()
    used, unused = world.book(stock), world.book(stock, world.welcome(2002))
    world.desk("use", used["countermark"])
    world.receive("catalog", "StockWithdrawn", {"stockId": stock, "offerId": 1, "withdrawnAt": world.now_text()})
    assert world.seen(used["bookingId"])["status"] == "used"
    assert world.seen(unused["bookingId"], 2002)["cancellationReason"] == "OFFERER"
    assert world.counts(stock) == (1, 1)
    assert world.differences() == []


def test_a_rejected_offer_cancels_its_bookings_and_a_deactivated_one_keeps_them(world: World) -> None:
    rejected, deactivated = world.offer(), world.offer()
    first, second = world.book(world.stock(rejected)), world.book(world.stock(deactivated))
    world.receive("catalog", "OfferWithdrawn", {"offerId": rejected, "reason": "rejected"})
    world.receive("catalog", "OfferWithdrawn", {"offerId": deactivated, "reason": "deactivated"})
    assert world.seen(first["bookingId"])["cancellationReason"] == "FRAUD"
    assert world.seen(second["bookingId"])["status"] == "confirmed"


@pytest.mark.parametrize(
    ("reason", "left"),
    [("FRAUD", "FRAUD"), ("UPON_USER_REQUEST", "BENEFICIARY"), ("END_OF_ELIGIBILITY", None)],
)
def test_the_reason_of_a_suspension_decides_what_it_cancels(world: World, reason: str, left: str | None) -> None:
    used, unused = world.book(world.stock()), world.book(world.stock())
    world.desk("use", used["countermark"])
    world.receive("identity", "BeneficiarySuspended", {"personId": YOUNG, "reason": reason, "at": world.now_text()})
    assert world.seen(used["bookingId"])["status"] == "used"
    assert world.seen(unused["bookingId"])["cancellationReason"] == left
    with pytest.raises(DomainError) as refused:
        world.book(world.stock())
    assert refused.value.code == "not-a-beneficiary"
    world.receive("identity", "BeneficiaryUnsuspended", {"personId": YOUNG, "reason": reason, "at": world.now_text()})
    assert world.book(world.stock())["status"] == "confirmed"
    assert world.seen(unused["bookingId"])["cancellationReason"] == left


@pytest.mark.parametrize("name", ["BeneficiarySuspended", "PersonErased"])
def test_leaving_keeps_the_bookings_past_their_limit(world: World, name: str) -> None:
    """From the limit on a place cannot be cancelled by its holder, however they go."""
    attended = world.book(world.event(timedelta(days=3)))
    world.pass_time(timedelta(days=2, hours=12))
    coming = world.book(world.event(timedelta(days=30)))
    facts = {"personId": YOUNG, "at": world.now_text()}
    world.receive("identity", name, facts | ({"reason": "UPON_USER_REQUEST"} if name == "BeneficiarySuspended" else {}))
    assert world.seen(attended["bookingId"])["status"] == "confirmed"
    assert world.seen(coming["bookingId"])["cancellationReason"] == "BENEFICIARY"
    world.pass_time(timedelta(days=5))
    assert world.seen(attended["bookingId"])["status"] == "used"


def test_fraud_cancels_bookings_past_their_limit(world: World) -> None:
    attended = world.book(world.event(timedelta(days=3)))
    world.pass_time(timedelta(days=2, hours=12))
    suspended(world, YOUNG)
    assert world.seen(attended["bookingId"])["cancellationReason"] == "FRAUD"


def suspended(world: World, account: int, reason: str = "FRAUD") -> None:
    world.receive("identity", "BeneficiarySuspended", {"personId": account, "reason": reason, "at": world.now_text()})


def attached(world: World, account: int, offerer: int = OFFERER) -> None:
    world.receive("identity", "ProAttached", {"accountId": account, "offererId": offerer, "at": world.now_text()})


def test_suspending_the_last_account_of_a_structure_for_fraud_cancels_its_unused_bookings(world: World) -> None:
    used, unused = world.book(world.stock()), world.book(world.event(timedelta(hours=30)), world.welcome(2002))
    world.desk("use", used["countermark"])
    attached(world, 501)
    suspended(world, 501)
    assert world.seen(unused["bookingId"], 2002)["status"] == "confirmed", "somebody is left"
    suspended(world, PRO)
    assert world.seen(unused["bookingId"], 2002)["cancellationReason"] == "FRAUD"
    assert world.seen(used["bookingId"])["status"] == "used"
    (cancelled,) = world.messages("BookingCancelled")
    assert (cancelled["bookingId"], cancelled["reason"]) == (unused["bookingId"], "FRAUD"), (
        "so that wallet gives the credit back"
    )
    assert world.differences() == []


@pytest.mark.parametrize(
    "left", ["a colleague", "another structure's", "another reason", "an unsuspended colleague"], ids=str
)
def test_a_structure_with_another_account_keeps_its_bookings(world: World, left: str) -> None:
    booked = world.book(world.stock())
    if left == "a colleague":
        attached(world, 501)
        suspended(world, PRO)
    elif left == "another structure's":
        attached(world, 501, OFFERER + 1)
        suspended(world, 501)
    elif left == "another reason":
        suspended(world, PRO, "END_OF_CONTRACT")
    else:
        attached(world, 501)
        suspended(world, 501)
        facts = {"personId": 501, "reason": "a mistake", "at": world.now_text()}
        world.receive("identity", "BeneficiaryUnsuspended", facts)
        suspended(world, PRO)
    assert world.seen(booked["bookingId"])["status"] == "confirmed"


def test_staff_cancel_a_used_booking_which_is_invalidated_first(world: World) -> None:
    booked = world.book(world.stock())
    world.desk("use", booked["countermark"])
    cancelled = world.command("staff-cancel", {"bookingId": booked["bookingId"], "reason": "double"}, STAFF, "s")
    assert (cancelled["status"], cancelled["cancellationReason"]) == ("cancelled", "BACKOFFICE")
    names = [message.name for message in world.store.messages(0, 100)]
    assert names[-2:] == ["CountermarkInvalidated", "BookingCancelled"]
    assert world.differences() == []


def test_staff_cannot_cancel_a_booking_in_a_batch(world: World) -> None:
    booked = world.book(world.stock())
    world.desk("use", booked["countermark"])
    world.enter_batch(booked["bookingId"])
    with pytest.raises(DomainError) as refused:
        world.command("staff-cancel", {"bookingId": booked["bookingId"], "reason": "FRAUD"}, STAFF)
    assert refused.value.code == "in-a-batch"


def test_a_restore_is_a_new_attempt_and_is_used(world: World) -> None:
    stock = world.stock(quantity=1)
    booked = world.book(stock)
    world.cancel(booked["bookingId"])
    world.pass_time(timedelta(hours=1))
    restored = world.command("staff-restore", {"bookingId": booked["bookingId"], "reason": "collected"}, STAFF, "r")
    assert (restored["status"], restored["usedAt"]) == ("used", world.now_text())
    assert restored["cancelledAt"] is restored["cancellationReason"] is None
    assert world.wallet.available(YOUNG) == 29_000
    assert [data["attempt"] for data in world.messages("BookingRestored")] == [2]
    assert [(data["attempt"], data["by"]) for data in world.messages("CountermarkValidated")] == [(2, "restored")]
    assert world.counts(stock) == (1, 1)
    assert world.rows("open_requests") == 0
    assert world.differences() == []
    assert (
        world.command("staff-restore", {"bookingId": booked["bookingId"], "reason": "collected"}, STAFF, "r")
        == restored
    )


def test_a_restore_is_refused_like_a_booking(world: World) -> None:
    stock = world.stock(quantity=1, price=20_000)
    booked = world.book(stock)
    restore = {"bookingId": booked["bookingId"], "reason": "collected"}

    def code() -> str:
        with pytest.raises(DomainError) as refused:
            world.command("staff-restore", restore, STAFF)
        return refused.value.code

    assert code() == "not-cancelled"
    world.cancel(booked["bookingId"])
    world.book(stock, world.welcome(2002))
    assert code() == "stock-not-bookable"
    world.command("set-quantity", {"stockId": stock, "quantity": 5})
    world.book(world.stock(price=20_000))
    assert code() == "insufficient-credit"
    assert world.seen(booked["bookingId"])["status"] == "cancelled"
    assert world.counts(stock) == (1, 1)
    assert world.differences() == []


def test_an_activation_code_that_was_shown_is_given_once(world: World) -> None:
    """Its booking is cancelled by staff, and a restore of it refused."""
    stock = world.stock(world.offer("VOD", url="https://example.org"), codes=("AAA", "BBB"), price=20_000)
    booked = world.book(stock)
    assert booked["activationCode"] == "AAA"
    world.command("staff-cancel", {"bookingId": booked["bookingId"], "reason": "BACKOFFICE"}, STAFF)
    world.book(world.stock(price=20_000))
    with pytest.raises(DomainError) as refused:
        world.command("staff-restore", {"bookingId": booked["bookingId"], "reason": "collected"}, STAFF)
    assert refused.value.code == "insufficient-credit"
    assert world.book(stock, world.welcome(2002))["activationCode"] == "BBB"
    assert world.differences() == []


def test_an_interrupted_restore_is_finished_by_recovery(world: World) -> None:
    booked = world.book(world.stock())
    world.cancel(booked["bookingId"])
    world.bus.away.add("wallet")
    with pytest.raises(DomainError) as pending:
        world.command("staff-restore", {"bookingId": booked["bookingId"], "reason": "collected"}, STAFF, "r")
    assert pending.value.code == "outcome-pending"
    world.bus.away.clear()
    world.recover()
    assert world.seen(booked["bookingId"])["status"] == "used"
    assert world.differences() == []


def test_the_offerer_cancels_after_the_limit_but_not_after_use(world: World) -> None:
    booked = world.book(world.event(timedelta(days=3)))
    world.pass_time(timedelta(days=2, hours=12))
    assert code_of_cancel(world, booked["bookingId"]) == "cancellation-limit-passed"
    assert world.desk("cancel", booked["countermark"], DESK) == {}
    assert world.seen(booked["bookingId"])["cancellationReason"] == "OFFERER"
    assert world.wallet.available(YOUNG) == 30_000


def test_erasing_a_person_releases_their_places(world: World) -> None:
    stock = world.stock(quantity=1)
    booked = world.book(stock)
    world.receive("identity", "PersonErased", {"personId": YOUNG, "at": instant_text(NOON)})
    assert world.seen(booked["bookingId"])["status"] == "cancelled"
    assert world.counts(stock) == (0, 0)
