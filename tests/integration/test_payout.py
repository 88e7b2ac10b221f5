"""Payout on PostgreSQL: the very tests that run on SQLite, and a close that several processes make at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import eventlet
import pytest

from shared.eventstore import Conflict
from shared.kernel.time import instant_text
from tests.integration.conftest import Empty
from tests.unit.payout.stage import START, Stage
from tests.unit.payout.test_closing import *  # noqa: F403 - the same tests, another database

VENUES, BOOKINGS = 5, 400


@pytest.fixture
def stage(empty: Empty, tmp_path: Path) -> Stage:
    made = Stage(tmp_path, engine=empty("payout"))
    made.settled_in()
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
    """While the close is under way; what the consumer meets is handed over again."""
    for number in range(3, BOOKINGS, 29):
        try:
            stage.invalidate(number, venue=1 + number % VENUES)
        except Conflict:
            catch_up(stage)
        eventlet.sleep(0.01)
    catch_up(stage)


def catch_up(stage: Stage) -> None:
    for _ in range(50):
        try:
            stage.process.catch_up("booking")
            return
        except Conflict:
            eventlet.sleep(0.02)
    raise AssertionError("never caught up")


def test_closed_by_several_at_once_it_is_one_batch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.payout.application.closing.PAGE", 25)
    many_validated(stage)
    stage.clock.move_to(stage.clock.now().replace(day=16))
    others = [stage.replica() for _ in range(2)]
    for bus, _, _ in others:
        bus.handlers = stage.bus.handlers

    def close(bus: Any, key: str) -> Any:
        return bus.command("payout", "close", {"cutoff": "2021-11-15"}, key=key).result

    closing = [eventlet.spawn(close, bus, f"key-{number}") for number, (bus, _, _) in enumerate(others)]
    undoing = eventlet.spawn(undo_some, stage)
    resuming = eventlet.spawn(others[0][1].tasks[0].run)
    answers = [greenlet.wait() for greenlet in closing]
    undoing.wait()
    resuming.wait()
    assert answers[0] == answers[1]
    assert len(stage.query("payouts")["items"]) == 1
    entered = [one["bookingId"] for one in stage.published("BookingEnteredBatch")]
    assert len(entered) == len(set(entered)) == answers[0]["lines"]
    stage.balanced()
