"""The effects of booking's messages: a validation spends, undoing it reserves again, a cancellation releases."""

from __future__ import annotations

import pytest

from tests.unit.wallet.stage import Stage


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.activate()
    stage.reserve(1, 25_50)
    return stage


def places(stage: Stage) -> tuple[int, int, int]:
    credit = stage.credit()["current"]
    return credit["remainingCents"], credit["reservedCents"], credit["spentCents"]


def dead_letters(stage: Stage) -> list[str]:
    with stage.store.reading() as connection:
        return list(connection.exec_driver_sql("SELECT error FROM dead_letters ORDER BY position").scalars())


def test_a_validation_spends_the_reservation(stage: Stage) -> None:
    stage.receive_from_booking("CountermarkValidated", 1, 25_50, usedAt="2021-11-05T18:00:00Z")
    assert places(stage) == (274_50, 0, 25_50)
    entry = stage.entries()["items"][-1]
    assert (entry["kind"], entry["amountCents"], entry["at"]) == ("spent", 0, "2021-11-05T18:00:00Z")
    ledger = stage.ledger()
    assert ledger["bookings"] == {"1": 25_50}
    assert ledger["days"]["2021-11-05"] == {"spent": 25_50}
    assert ledger["sources"]["booking"] == 1


def test_an_undone_validation_reserves_again(stage: Stage) -> None:
    stage.receive_from_booking("CountermarkValidated", 1, 25_50)
    stage.pass_time(days=3)
    stage.receive_from_booking("CountermarkInvalidated", 1, 25_50)
    assert places(stage) == (274_50, 25_50, 0)
    ledger = stage.ledger()
    assert ledger["bookings"] == {}
    assert ledger["days"]["2021-11-02"]["spent"] == 0
    stage.receive_from_booking("CountermarkValidated", 1, 25_50)
    assert places(stage) == (274_50, 0, 25_50)
    assert [entry["kind"] for entry in stage.entries()["items"][-3:]] == ["spent", "unspent", "spent"]


def test_the_message_of_a_cancellation_releases_the_credit(stage: Stage) -> None:
    stage.receive_from_booking("BookingCancelled", 1, 25_50)
    assert places(stage) == (300_00, 0, 0)
    assert stage.release(1) == {}
    assert places(stage) == (300_00, 0, 0)


def test_staffs_cancellation_of_a_used_booking_releases_the_credit(stage: Stage) -> None:
    stage.receive_from_booking("CountermarkValidated", 1, 25_50)
    stage.receive_from_booking("BookingCancelled", 1, 25_50)
    assert places(stage) == (300_00, 0, 0)
    assert stage.ledger()["bookings"] == {}


def test_a_validation_after_the_release_changes_nothing(stage: Stage) -> None:
    stage.release(1)
    stage.receive_from_booking("CountermarkValidated", 1, 25_50)
    stage.receive_from_booking("CountermarkInvalidated", 1, 25_50)
    assert places(stage) == (300_00, 0, 0)
    assert dead_letters(stage) == []


def test_a_restored_booking_is_a_new_attempt(stage: Stage) -> None:
    stage.receive_from_booking("BookingCancelled", 1, 25_50)
    stage.reserve(1, 25_50, attempt=2)
    stage.receive_from_booking("BookingRestored", 1, 25_50, attempt=2)
    stage.receive_from_booking("CountermarkValidated", 1, 25_50, attempt=2)
    assert places(stage) == (274_50, 0, 25_50)
    assert stage.ledger()["bookings"] == {"1": 25_50}


def test_free_bookings_change_nothing(stage: Stage) -> None:
    for name in ("CountermarkValidated", "CountermarkInvalidated", "BookingCancelled", "BookingRestored"):
        stage.receive_from_booking(name, 2, 0)
    assert dead_letters(stage) == []
    assert len(stage.entries()["items"]) == 2


def test_a_repeated_message_has_one_effect(stage: Stage) -> None:
    stage.receive_from_booking("CountermarkValidated", 1, 25_50)
    stage.process.react("booking", stage.logs["booking"])
    stage.process.react("booking", stage.logs["booking"] * 2)
    assert places(stage) == (274_50, 0, 25_50)


def test_a_validation_without_a_reservation_becomes_a_dead_letter(stage: Stage) -> None:
    stage.receive_from_booking("CountermarkValidated", 5, 10_00)
    stage.receive_from_booking("BookingRestored", 6, 10_00)
    errors = dead_letters(stage)
    assert len(errors) == 2
    assert all("was never reserved" in error for error in errors)
    assert places(stage) == (274_50, 25_50, 0)


def test_a_cancellation_of_another_persons_booking_changes_nothing(stage: Stage) -> None:
    stage.receive_from_booking("BookingCancelled", 1, 25_50, personId=99)
    assert len(dead_letters(stage)) == 1
    assert places(stage) == (274_50, 25_50, 0)
