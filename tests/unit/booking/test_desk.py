"""The desk: its checks in the order of domain.md §5.2, and decisions 11, 20, 21 and 30."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from tests.unit.booking.world import DESK, NOON, OFFERER, SOFTWARE, YOUNG, World

OTHER = Caller(777, frozenset({"pro"}))
OTHER_SOFTWARE = Caller(0, frozenset(), OFFERER + 1)


def refusal(world: World, what: str, mark: str, caller: Caller | None = DESK) -> tuple[int, str]:
    with pytest.raises(DomainError) as refused:
        world.desk(what, mark, caller)
    return refused.value.status, refused.value.extra["key"]


def test_the_desk_looks_up_validates_undoes_and_validates_again(world: World) -> None:
    booked = world.book(world.stock())
    mark = booked["countermark"]
    seen = world.desk("look-up", mark.lower())
    assert (seen["bookingId"], seen["personId"], seen["status"]) == (booked["bookingId"], YOUNG, "confirmed")
    assert world.desk("use", f" {mark.lower()} ") == {}
    assert world.seen(booked["bookingId"])["status"] == "used"
    assert world.seen(booked["bookingId"])["expiresAt"] is None
    assert refusal(world, "use", mark) == (410, "booking")
    assert world.desk("keep", mark) == {}
    assert world.seen(booked["bookingId"])["expiresAt"] == booked["expiresAt"]
    assert world.desk("use", mark, SOFTWARE) == {}
    assert [data["by"] for data in world.messages("CountermarkValidated")] == ["desk", "api"]
    assert world.differences() == []


@pytest.mark.parametrize("what", ["look-up", "use", "keep", "cancel"])
def test_an_unknown_countermark_is_not_found(world: World, what: str) -> None:
    for mark in ("ZZZZZZ", "0E3344", "", "ABC", "ABCDEFG", "AB-DEF", "ÀBCDEF", "ABCDE\n"):
        assert refusal(world, what, mark) == (404, "global")


@pytest.mark.parametrize("what", ["look-up", "use", "keep", "cancel"])
def test_another_structures_countermark_is_forbidden(world: World, what: str) -> None:
    booked = world.book(world.stock())
    for caller in (OTHER, OTHER_SOFTWARE):
        assert refusal(world, what, booked["countermark"], caller) == (403, "user")
    with pytest.raises(DomainError) as nobody:
        world.desk(what, booked["countermark"], None)
    assert nobody.value.status == 401


@pytest.mark.parametrize("what", ["look-up", "use"])
def test_the_desk_checks_in_the_order_of_the_partners_format(world: World, what: str) -> None:
    booked = world.book(world.event(timedelta(days=8)))
    mark = booked["countermark"]
    assert refusal(world, what, mark) == (403, "booking")
    world.pass_time(timedelta(hours=48))
    world.desk("use", mark)
    assert refusal(world, what, mark) == (410, "booking")
    world.enter_batch(booked["bookingId"])
    assert refusal(world, what, mark) == (403, "payment")
    assert refusal(world, what, mark, OTHER) == (403, "user")
    world.reimburse(booked["bookingId"])
    assert refusal(world, what, mark) == (403, "payment")
    assert world.seen(booked["bookingId"])["status"] == "reimbursed"


@pytest.mark.parametrize("what", ["look-up", "use", "keep"])
def test_a_cancelled_countermark_is_refused_with_its_key(world: World, what: str) -> None:
    booked = world.book(world.event(timedelta(days=8)))
    world.cancel(booked["bookingId"])
    assert refusal(world, what, booked["countermark"]) == (403, "booking_cancelled")


def test_too_early_names_the_instant_in_the_venues_time_zone(world: World) -> None:
    booked = world.book(world.event(timedelta(days=8)))
    with pytest.raises(DomainError) as refused:
        world.desk("use", booked["countermark"])
    assert "02/11/2021 à 13:00" in refused.value.detail
    assert "04/11/2021 à 13:00" in refused.value.detail


def test_an_event_is_validated_from_its_cancellation_limit_on(world: World) -> None:
    booked = world.book(world.event(timedelta(hours=30)))
    assert world.desk("use", booked["countermark"]) == {}


def test_undoing_refuses_in_its_order(world: World) -> None:
    code = world.book(world.stock(world.offer("VOD", url="https://example.org"), codes=("A",)))
    assert refusal(world, "keep", code["countermark"]) == (403, "booking")
    booked = world.book(world.stock())
    mark = booked["countermark"]
    assert refusal(world, "keep", mark) == (410, "booking")
    world.desk("use", mark)
    world.enter_batch(booked["bookingId"])
    assert refusal(world, "keep", mark) == (410, "payment")


def test_cancelling_at_the_desk_refuses_in_its_order(world: World) -> None:
    booked = world.book(world.stock())
    mark = booked["countermark"]
    world.desk("use", mark)
    assert refusal(world, "cancel", mark) == (403, "global")
    world.desk("keep", mark)
    world.desk("cancel", mark)
    assert refusal(world, "cancel", mark) == (410, "global")


def test_a_validation_undone_before_the_batch_is_known_stays_undone(world: World) -> None:
    booked = world.book(world.stock())
    world.desk("use", booked["countermark"])
    world.desk("keep", booked["countermark"])
    world.enter_batch(booked["bookingId"])
    world.reimburse(booked["bookingId"])
    assert world.seen(booked["bookingId"])["status"] == "confirmed"
    assert world.desk("use", booked["countermark"]) == {}


def test_a_validation_after_the_close_is_not_in_its_batch(world: World) -> None:
    """The close of a batch, then the desk undoes and repeats the validation, then booking receives the batch."""
    booked = world.book(world.stock())
    number, mark = booked["bookingId"], booked["countermark"]
    world.desk("use", mark)
    world.pass_time(timedelta(days=3))
    closed_at = world.clock.now()
    world.desk("keep", mark)
    world.desk("use", mark)
    world.enter_batch(number, at=closed_at)
    world.reimburse(number)
    assert world.seen(number)["status"] == "used"
    assert world.aggregate(number).batch_id is None, "nothing that is paid holds the desk"
    world.enter_batch(number, batch=2, line=3)
    assert refusal(world, "keep", mark) == (410, "payment")
    world.reimburse(number, batch=1)  # the transfer of the first batch, marked later
    assert world.seen(number)["status"] == "used"
    world.reimburse(number, batch=2)
    assert world.seen(number)["status"] == "reimbursed"
    assert world.differences() == []


def test_an_automatic_validation_after_the_close_is_not_in_its_batch(world: World) -> None:
    """Both have the same ``usedAt``: the instant at which the first was undone tells them apart."""
    begins = NOON + timedelta(days=8)
    booked = world.book(world.stock(begins=begins))
    number, mark = booked["bookingId"], booked["countermark"]
    world.move_to(begins + timedelta(days=5))
    closed_at = world.clock.now()
    world.desk("keep", mark)
    world.pass_time(timedelta(hours=49))
    assert world.seen(number)["usedAt"] == "2021-11-12T12:00:00Z"
    world.enter_batch(number, at=closed_at)
    world.reimburse(number)
    assert world.seen(number)["status"] == "used"


def test_a_validation_made_again_before_the_close_is_in_its_batch(world: World) -> None:
    booked = world.book(world.stock())
    number, mark = booked["bookingId"], booked["countermark"]
    for what in ("use", "keep", "use"):
        world.desk(what, mark)
    world.enter_batch(number)
    world.reimburse(number)
    assert world.seen(number)["status"] == "reimbursed"


def test_a_line_whose_transfer_was_rejected_is_reimbursed_by_its_later_batch(world: World) -> None:
    booked = world.book(world.stock())
    number = booked["bookingId"]
    world.desk("use", booked["countermark"])
    world.enter_batch(number, batch=1, line=7)
    world.enter_batch(number, batch=1, line=7)
    world.enter_batch(number, batch=2, line=7)
    assert world.aggregate(number).batch_id == 2
    world.reimburse(number, batch=2)
    assert world.seen(number)["status"] == "reimbursed"
    assert world.differences() == []


def test_a_detached_account_has_no_access(world: World) -> None:
    booked = world.book(world.stock())
    world.receive("identity", "ProDetached", {"accountId": 500, "offererId": OFFERER, "at": world.now_text()})
    assert refusal(world, "look-up", booked["countermark"]) == (403, "user")


def test_an_unsuspended_account_has_access_again(world: World) -> None:
    booked = world.book(world.stock())
    facts = {"personId": 500, "reason": "END_OF_CONTRACT", "at": world.now_text()}
    world.receive("identity", "BeneficiarySuspended", facts)
    assert refusal(world, "look-up", booked["countermark"]) == (403, "user")
    world.receive("identity", "BeneficiaryUnsuspended", facts)
    assert world.desk("look-up", booked["countermark"])["bookingId"] == booked["bookingId"]


def test_the_calls_of_a_batch_at_the_desk_are_decided_in_order(world: World) -> None:
    mark = world.book(world.stock())["countermark"]
    other = world.book(world.stock())["countermark"]
    calls = [Call("desk-use", {"countermark": one}, None, DESK) for one in (mark, mark, "ZZZZZZ", other)]
    outcomes = [outcome for outcome, _, _ in world.process.decide(calls)]
    seen = [outcome.status if isinstance(outcome, DomainError) else outcome for outcome in outcomes]
    assert seen == [{}, 410, 404, {}]
