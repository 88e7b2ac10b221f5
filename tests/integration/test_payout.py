"""Payout on PostgreSQL: the tests that run on SQLite, and concurrent closes by several processes."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.payout.domain.periods import Period
from services.payout.refusals import BatchNotClosed, EarlierThanLastBatch
from services.payout.storage import custom_rules
from shared import green
from shared.contracts.calls.payout import Close
from shared.eventstore import Conflict
from shared.kernel.errors import DomainError
from shared.kernel.time import instant_text
from tests.integration.conftest import Empty
from tests.servers import lock_waiters
from tests.unit.payout.stage import OFFICE, START, Stage
from tests.unit.payout.test_bank_details import *  # noqa: F403 - the same tests, another database
from tests.unit.payout.test_closing import *  # noqa: F403
from tests.unit.payout.test_custom_rules import *  # noqa: F403
from tests.unit.payout.test_reading import *  # noqa: F403
from tests.waiting import attempts, wait_until

VENUES, BOOKINGS = 5, 400


@pytest.fixture
def stage(empty: Empty, tmp_path: Path) -> Stage:
    made = Stage(tmp_path, engine=empty("payout"))
    made.set_up()
    return made


def many_validated(stage: Stage) -> None:
    for venue in range(2, VENUES + 1):
        stage.venue(venue)
        stage.accepted_account(venue, venue=venue)
    messages = [
        stage.message(
            "booking",
            "CountermarkValidated",
            **stage.validation(
                number, 700 + number, venue=1 + number % VENUES, used_at=instant_text(START + timedelta(seconds=number))
            ),
        )
        for number in range(1, BOOKINGS + 1)
    ]
    stage.process.react("booking", messages)


def undo_some(stage: Stage) -> None:
    """Invalidates bookings during the close; after a conflict the messages are delivered again."""
    for number in range(3, BOOKINGS, 29):
        try:
            stage.invalidate(number, venue=1 + number % VENUES)
        except Conflict:
            catch_up(stage)
        green.sleep(0.01)
    catch_up(stage)


def catch_up(stage: Stage) -> None:
    for _ in attempts(lambda: "the consumer does not catch up"):
        try:
            stage.process.catch_up("booking")
            return
        except Conflict:
            pass  # the close has written concurrently


def test_concurrent_closes_make_one_batch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.payout.application.closing.PAGE", 25)
    many_validated(stage)
    stage.clock.move_to(stage.clock.now().replace(day=16))
    others = [stage.replica() for _ in range(2)]
    for bus, _, _ in others:
        bus.handlers = stage.bus.handlers

    def close(bus: Any, key: str) -> Any:
        return bus.command(Close(cutoff=date(2021, 11, 15)), key=key, caller=OFFICE).result

    closing = [green.spawn(close, bus, f"key-{number}") for number, (bus, _, _) in enumerate(others)]
    undoing = green.spawn(undo_some, stage)
    resuming = green.spawn(others[0][1].tasks[0].run)
    answers = [greenlet.wait() for greenlet in closing]
    undoing.wait()
    resuming.wait()
    assert answers[0] == answers[1]
    assert len(stage.query("payouts")["items"]) == 1
    entered = [one["bookingId"] for one in stage.published("BookingEnteredBatch")]
    assert len(entered) == len(set(entered)) == answers[0]["lines"]
    stage.balanced()


FIRST, SECOND = Period("fortnight", date(2021, 11, 15)), Period("fortnight", date(2021, 11, 30))


def open_both(stage: Stage, one: Period, other: Period) -> list[Any]:
    """Opens ``other`` while ``one`` is opened but not committed; returns the batches' numbers, or the refusals."""
    stage.clock.move_to(stage.clock.now().replace(month=12, day=2))
    closings = [service.tasks[0].run.__self__ for service in (stage.service, stage.replica()[1])]  # type: ignore[attr-defined]
    opened, may_commit = green.Event(), green.Event()

    def open_one(tx: Any) -> int:
        number: int = closings[0]._open(tx, one, 3)
        tx.flush()
        opened.send()
        may_commit.wait()
        return number

    def open_other() -> Any:
        opened.wait()
        try:
            return stage.store.run(lambda tx: closings[1]._open(tx, other, 3))
        except (BatchNotClosed, EarlierThanLastBatch) as refusal:
            return type(refusal)

    first = green.spawn(stage.store.run, open_one)
    second = green.spawn(open_other)
    wait_until(lambda: second.dead or lock_waiters(stage.store.engine))
    may_commit.send()
    return [first.wait(), second.wait()]


def test_a_period_does_not_open_during_the_close_of_an_earlier_one(stage: Stage) -> None:
    assert open_both(stage, FIRST, SECOND) == [1, BatchNotClosed]
    stage.service.tasks[0].run()
    assert stage.command("close", {"cutoff": "2021-11-30"})["batchId"] == 2, "no number was lost"


def test_a_period_does_not_open_after_a_later_one(stage: Stage) -> None:
    assert open_both(stage, SECOND, FIRST) == [1, EarlierThanLastBatch]


def test_one_period_opened_concurrently_is_one_batch(stage: Stage) -> None:
    assert open_both(stage, FIRST, FIRST) == [1, 1]


@pytest.mark.parametrize(("one", "other"), [(FIRST, SECOND), (SECOND, FIRST)], ids=["later", "earlier"])
def test_control_without_the_lock_both_periods_open(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, one: Period, other: Period
) -> None:
    """Under READ COMMITTED, the checks do not see the other transaction's batch."""
    monkeypatch.setattr("services.payout.storage.batches.lock_opening", lambda _connection: None)
    numbers = iter((1, 2))
    monkeypatch.setattr("shared.eventstore.Transaction.next_number", lambda *_: next(numbers))
    assert open_both(stage, one, other) == [1, 2]


def add_overlapping_rules_concurrently(stage: Stage) -> list[Any]:
    """Adds four rules for one offer, with different amounts."""

    def add(amount: int) -> Any:
        rule = {"offerId": 1, "amountCents": amount, "start": "2021-11-03T00:00:00Z"}
        try:
            return stage.command("add-custom-rule", rule)["amountCents"]
        except DomainError as refusal:
            return refusal.code

    return list(green.Pool(4).imap(add, (100, 200, 300, 400)))


def test_one_of_several_concurrent_overlapping_rules_is_added(stage: Stage) -> None:
    answers = add_overlapping_rules_concurrently(stage)
    assert answers.count("custom-rule-overlaps") == 3
    assert len(stage.query("custom-rules")["items"]) == 1


def test_control_without_the_other_rules_overlapping_rules_are_added(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that does not see the other rules adds its own."""
    all_rules = custom_rules.all_rules
    monkeypatch.setattr(custom_rules, "all_rules", lambda connection: all_rules(connection)[:0])
    assert len([one for one in add_overlapping_rules_concurrently(stage) if isinstance(one, int)]) > 1
