"""The stored clock: one clock per state, which never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.eventstore.clock import keep_clock, stored_clock
from shared.kernel.time import SettableClock, instant_text
from shared.runtime.clocks import check_clock, check_writer, restored_clock
from shared.runtime.settings import BadSettings
from tests.unit.payout.stage import START, Stage

LATER = START + timedelta(days=1)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def check(stage: Stage, start: datetime | None) -> None:
    with stage.engine.connect() as connection:
        check_clock(connection, "payout", start)


def check_to_write(stage: Stage, start: datetime | None) -> None:
    with stage.engine.connect() as connection:
        check_writer(connection, start)


def keep(stage: Stage, now: datetime) -> None:
    with stage.store.transaction() as tx:
        keep_clock(tx.connection, now)


def test_a_simulated_clock_resumes_at_its_stored_time(stage: Stage) -> None:
    assert restored_clock(START, stage.engine).now() == START
    stage.command("clock-set", {"now": instant_text(LATER)}, caller=None)
    assert restored_clock(START, stage.engine).now() == LATER
    assert restored_clock(LATER + timedelta(days=1), stage.engine).now() == LATER + timedelta(days=1)
    assert not isinstance(restored_clock(None, stage.engine), SettableClock)


def test_a_clock_cannot_start_before_the_last_event(stage: Stage) -> None:
    stage.clock.move_to(LATER)
    stage.set_up()
    check(stage, LATER)
    with pytest.raises(BadSettings, match=r"is before the last event of payout, recorded at 2021-11-03T"):
        check(stage, START)
    keep(stage, LATER)
    check(stage, START)  # it resumes at its stored time


def test_the_real_clock_cannot_follow_a_later_simulated_one(stage: Stage) -> None:
    stage.clock.move_to(FUTURE)
    stage.set_up()
    check(stage, None)  # a real clock that was corrected may be behind the last event
    keep(stage, FUTURE)
    with pytest.raises(BadSettings, match="its clock is simulated"):
        check(stage, None)


def test_a_writer_beside_a_simulated_platform_needs_its_clock(stage: Stage) -> None:
    check_to_write(stage, None)
    keep(stage, START)
    stage.set_up()
    check_to_write(stage, START)
    with pytest.raises(BadSettings, match="the clock of this state is simulated and is at 2021-11-02T"):
        check_to_write(stage, None)
    stage.clock.move_to(LATER)  # events were recorded after the simulation
    stage.submitted()
    check_to_write(stage, None)


def test_a_clock_that_could_not_be_stored_does_not_move(stage: Stage) -> None:
    def fail(_: sa.Connection) -> None:
        raise sa.exc.OperationalError("commit", None, Exception("server closed the connection"))

    sa.event.listen(stage.engine, "commit", fail)
    with pytest.raises(Exception, match="momentanément indisponible"):
        stage.command("clock-set", {"now": instant_text(LATER)}, caller=None)
    sa.event.remove(stage.engine, "commit", fail)
    assert stage.clock.now() == START
    with stage.engine.connect() as opened:
        assert stored_clock(opened) is None
