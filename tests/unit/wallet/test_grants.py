"""Credits come once of each kind, grow on birthdays, and end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from shared.kernel.time import parse_instant
from tests.unit.wallet.stage import ZOE, Stage


def test_an_activation_at_18_grants_300_euros_for_two_years(stage: Stage) -> None:
    stage.activate()
    current = stage.credit()["current"]
    assert (current["grantedCents"], current["remainingCents"], current["kind"]) == (300_00, 300_00, "age-18")
    assert current["expiresAt"] == "2023-11-02T09:00:00Z"
    assert current["digital"] == {"capCents": 100_00, "remainingCents": 100_00}
    assert current["physical"] is None
    assert stage.published() == [
        (
            "CreditGranted",
            {
                "personId": ZOE,
                "creditId": 1,
                "kind": "age-18",
                "amountCents": 300_00,
                "grantedAt": "2021-11-02T09:00:00Z",
                "expiresAt": "2023-11-02T09:00:00Z",
                "recredit": False,
            },
        )
    ]


def test_a_credit_of_the_first_version_has_both_caps(tmp_path: Path) -> None:
    stage = Stage(tmp_path, datetime(2021, 3, 1, 9, tzinfo=UTC))
    stage.activate()
    current = stage.credit()["current"]
    assert current["grantedCents"] == 500_00
    assert current["digital"]["capCents"] == current["physical"]["capCents"] == 200_00


def test_a_person_has_one_credit_of_each_kind(stage: Stage) -> None:
    stage.activate()
    stage.activate()
    assert len(stage.credit()["credits"]) == 1
    assert stage.credit()["current"]["grantedCents"] == 300_00


def test_there_is_no_credit_before_the_activation(stage: Stage) -> None:
    assert stage.credit() == {"current": None, "credits": []}
    assert stage.entries() == {"items": [], "nextCursor": None}


def test_each_birthday_recredits_an_under_age_credit_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, datetime(2022, 3, 1, 9, tzinfo=UTC))
    stage.activate(kind="underage", age=15, birth="2006-07-14")
    assert stage.credit()["current"]["grantedCents"] == 20_00
    assert stage.credit()["current"]["digital"] is None
    for age, at in ((16, "2022-07-13T22:00:00Z"), (16, "2022-07-13T22:00:00Z"), (17, "2023-07-13T22:00:00Z")):
        stage.clock.move_to(max(stage.clock.now(), parse_instant(at)))
        stage.receive("identity", "BirthdayReached", personId=ZOE, age=age, at=at)
    stage.receive("identity", "BirthdayReached", personId=ZOE, age=16, at="2022-07-13T22:00:00Z")
    assert stage.credit()["current"]["grantedCents"] == 80_00
    assert [entry["kind"] for entry in stage.entries()["items"]] == ["granted", "recredited", "recredited"]
    assert [data["recredit"] for _, data in stage.published()] == [False, True, True]


def test_a_birthday_before_the_activation_adds_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, datetime(2022, 7, 20, 9, tzinfo=UTC))
    stage.activate(kind="underage", age=16, birth="2006-07-14")
    stage.receive("identity", "BirthdayReached", personId=ZOE, age=16, at="2022-07-13T22:00:00Z")
    stage.receive("identity", "BirthdayReached", personId=99, age=16, at="2022-07-13T22:00:00Z")
    assert stage.credit()["current"]["grantedCents"] == 30_00


def test_at_18_the_under_age_credit_lapses_and_a_new_one_is_granted(tmp_path: Path) -> None:
    stage = Stage(tmp_path, datetime(2024, 7, 1, 9, tzinfo=UTC))
    stage.activate(kind="underage", age=17, birth="2006-07-14")
    stage.reserve(1, 10_00)
    stage.pass_time(days=20)
    assert stage.credit()["current"]["remainingCents"] == 0
    stage.activate()
    answer = stage.credit()
    assert [credit["kind"] for credit in answer["credits"]] == ["underage", "age-18"]
    assert answer["credits"][0]["lapsedCents"] == 20_00
    assert answer["current"]["remainingCents"] == 300_00
    stage.release(1)
    answer = stage.credit()
    assert answer["credits"][0]["lapsedCents"] == 30_00
    assert answer["current"]["remainingCents"] == 300_00
    assert stage.differences() == stage.ledger()["contradictions"] == []


def test_the_rest_lapses_as_of_the_expiry(stage: Stage) -> None:
    stage.activate()
    stage.reserve(1, 50_00)
    stage.reserve(2, 20_00)
    with stage.store.reading() as connection:
        assert stage.service.timers[0].next_due(connection) == datetime(2023, 11, 2, 9, tzinfo=UTC)
    stage.pass_time(days=729, hours=24)
    last = stage.entries()["items"][-1]
    assert (last["kind"], last["amountCents"], last["balanceCents"]) == ("lapsed", -230_00, 0)
    assert last["at"] == "2023-11-02T09:00:00Z"
    stage.receive_from_booking("CountermarkValidated", 1, 50_00)
    stage.receive_from_booking("BookingCancelled", 2, 20_00)
    ledger = stage.ledger()
    assert ledger["totals"] == {"granted": 300_00, "available": 0, "reserved": 0, "spent": 50_00, "lapsed": 250_00}
    with stage.store.reading() as connection:
        assert stage.service.timers[0].next_due(connection) is None


def test_the_credit_is_whole_just_before_the_expiry_and_gone_at_it(stage: Stage) -> None:
    stage.activate()
    stage.pass_time(days=729, hours=23, minutes=59)
    assert stage.credit()["current"]["remainingCents"] == 300_00
    stage.clock.move_to(datetime(2023, 11, 2, 9, tzinfo=UTC))
    assert stage.credit()["current"]["remainingCents"] == 0  # the timer has not run yet
    stage.process.run_due_timers()
    assert [data["amountCents"] for name, data in stage.published() if name == "CreditLapsed"] == [300_00]


def test_an_activation_without_a_rule_becomes_a_dead_letter(stage: Stage) -> None:
    stage.activate(kind="underage", age=15, birth="2006-07-14")  # in 2021
    assert stage.credit()["current"] is None
    with stage.store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT state, error FROM dead_letters").all()
    assert [state for state, _ in rows] == ["failed"]
    assert "no credit of kind underage" in rows[0][1]
