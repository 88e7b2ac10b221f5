"""What bookings hold: once each, never more than there is, and given back whole."""

from __future__ import annotations

from typing import Any

import pytest

from shared.eventstore.outcomes import Call
from shared.kernel.errors import DomainError, Invalid, Refused
from tests.unit.wallet.stage import ZOE, Stage


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.activate()
    return stage


def refusal(stage: Stage, booking: int, amount: int, **more: Any) -> str:
    with pytest.raises(Refused) as refused:
        stage.reserve(booking, amount, **more)
    assert refused.value.status == 409
    return refused.value.code


def remaining(stage: Stage) -> int:
    return stage.credit()["current"]["remainingCents"]


def reserve_call(booking: int, amount: int, **more: Any) -> Call:
    data = {"bookingId": booking, "attempt": 1, "personId": ZOE, "digital": False, "physical": False, **more}
    return Call("reserve", {"amountCents": amount, **data})


def test_a_reservation_takes_its_amount_once(stage: Stage) -> None:
    assert stage.reserve(1, 120_00) == {}
    assert stage.reserve(1, 120_00) == {}
    assert remaining(stage) == 180_00
    assert [name for name, _ in stage.published()] == ["CreditGranted", "CreditReserved"]


def test_the_whole_remaining_credit_and_not_a_cent_more_is_reserved(stage: Stage) -> None:
    assert refusal(stage, 1, 300_01) == "insufficient-credit"
    assert stage.reserve(2, 300_00) == {}
    assert remaining(stage) == 0


def test_a_refused_attempt_stays_refused(stage: Stage) -> None:
    stage.reserve(1, 250_00)
    assert refusal(stage, 2, 100_00) == "insufficient-credit"
    stage.release(1)
    assert refusal(stage, 2, 100_00) == "insufficient-credit"
    assert stage.reserve(2, 100_00, attempt=2) == {}


def test_caps(stage: Stage) -> None:
    assert stage.reserve(1, 90_00, digital=True) == {}
    assert refusal(stage, 2, 10_01, digital=True) == "digital-cap-reached"
    assert stage.reserve(3, 10_00, digital=True) == {}
    assert stage.credit()["current"]["digital"] == {"capCents": 100_00, "remainingCents": 0}
    assert stage.reserve(4, 150_00, physical=True) == {}  # no physical cap in the second version
    stage.release(1)
    assert stage.credit()["current"]["digital"]["remainingCents"] == 90_00


def test_the_credit_is_checked_before_the_caps(stage: Stage) -> None:
    assert refusal(stage, 1, 300_01, digital=True) == "insufficient-credit"


def test_a_free_booking_reserves_nothing(stage: Stage) -> None:
    assert stage.reserve(1, 0) == {}
    assert stage.reserve(1, 0, personId=99) == {}
    assert len(stage.entries()["items"]) == 1


def test_a_person_without_a_credit_reserves_nothing(stage: Stage) -> None:
    assert refusal(stage, 1, 1, personId=99) == "insufficient-credit"
    assert refusal(stage, 1, 1, personId=99) == "insufficient-credit"
    stage.activate(99)
    assert stage.credit(99)["current"]["remainingCents"] == 300_00
    assert stage.reserve(2, 1, personId=99) == {}


def test_an_expired_credit_pays_nothing(stage: Stage) -> None:
    stage.pass_time(days=731)
    assert refusal(stage, 1, 1) == "insufficient-credit"
    assert stage.reserve(2, 0) == {}


def test_a_repeated_release_has_one_effect(stage: Stage) -> None:
    stage.reserve(1, 120_00)
    for _ in range(2):
        assert stage.release(1) == {}
    stage.receive_from_booking("BookingCancelled", 1, 120_00)
    assert remaining(stage) == 300_00
    assert [entry["kind"] for entry in stage.entries()["items"]] == ["granted", "reserved", "released"]


def test_a_reservation_after_its_release_is_refused(stage: Stage) -> None:
    assert stage.release(1) == {}
    assert refusal(stage, 1, 10_00) == "released"
    assert refusal(stage, 1, 10_00) == "released"
    assert stage.reserve(1, 10_00, attempt=2) == {}
    stage.release(1, attempt=2)
    assert refusal(stage, 1, 10_00, attempt=2) == "released"
    assert remaining(stage) == 300_00


def test_releasing_a_refused_attempt_changes_nothing(stage: Stage) -> None:
    refusal(stage, 1, 900_00)
    assert stage.release(1) == {}
    assert refusal(stage, 1, 900_00) == "insufficient-credit"


def test_the_same_attempt_for_another_amount_or_person_is_refused(stage: Stage) -> None:
    stage.activate(99)
    stage.reserve(1, 10_00)
    assert refusal(stage, 1, 11_00) == "reservation-differs"
    assert refusal(stage, 1, 10_00, personId=99) == "reservation-differs"
    with pytest.raises(Refused) as refused:
        stage.release(1, personId=99)
    assert refused.value.code == "reservation-differs"
    assert stage.credit(99)["current"]["remainingCents"] == 300_00


def test_a_batch_is_decided_in_order_and_a_refusal_leaves_the_others_alone(stage: Stage) -> None:
    stage.activate(99)
    calls = [
        reserve_call(1, 200_00),
        reserve_call(2, 150_00),
        reserve_call(3, 100_00),
        reserve_call(1, 200_00),
        reserve_call(4, 50_00, personId=99),
        reserve_call(5, -1),
        reserve_call(6, 1, personId=98),
    ]
    outcomes = [outcome for outcome, _, _ in stage.process.decide(calls)]
    codes = [outcome.code if isinstance(outcome, DomainError) else outcome for outcome in outcomes]
    assert codes == [{}, "insufficient-credit", {}, {}, {}, "invalid", "insufficient-credit"]
    assert remaining(stage) == 0
    assert stage.credit(99)["current"]["remainingCents"] == 250_00
    assert stage.differences() == stage.ledger()["contradictions"] == []


def test_two_hundred_reservations_of_as_many_people_in_one_batch(stage: Stage) -> None:
    people = range(1000, 1200)
    for person in people:
        stage.activate(person)
    answers = stage.process.decide([reserve_call(person, 5_00, personId=person) for person in people])
    assert [outcome for outcome, _, _ in answers] == [{}] * 200
    assert len({position for _, position, _ in answers}) == 1  # one transaction
    assert stage.ledger()["totals"]["reserved"] == 200 * 5_00


@pytest.mark.parametrize(
    "wrong",
    [
        {"bookingId": 0},
        {"bookingId": "1"},
        {"bookingId": 2**53},
        {"attempt": None},
        {"personId": True},
        {"amountCents": -1},
        {"amountCents": 1.5},
        {"amountCents": 10**30},
        {"digital": None},
        {"physical": "yes"},
    ],
    ids=str,
)
def test_invalid_data_are_refused_and_nothing_is_stored(stage: Stage, wrong: dict[str, Any]) -> None:
    before = stage.ledger()
    ((outcome, _, _),) = stage.process.decide([reserve_call(1, 5, **wrong)])
    assert isinstance(outcome, Invalid)
    assert list(outcome.errors) == list(wrong)
    assert stage.ledger() == before
