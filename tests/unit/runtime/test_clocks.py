"""A state goes by one clock, and time does not go back."""

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
TO_COME = datetime(2100, 1, 1, tzinfo=UTC)


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


def test_a_simulated_clock_goes_on_from_where_it_stood(stage: Stage) -> None:
    assert restored_clock(START, stage.engine).now() == START
    stage.command("clock-set", {"now": instant_text(LATER)}, caller=None)
    assert restored_clock(START, stage.engine).now() == LATER
    assert restored_clock(LATER + timedelta(days=1), stage.engine).now() == LATER + timedelta(days=1)
    assert not isinstance(restored_clock(None, stage.engine), SettableClock)


def test_no_clock_starts_before_what_was_recorded(stage: Stage) -> None:
    stage.clock.move_to(LATER)
    stage.set_up()
    check(stage, LATER)
    with pytest.raises(BadSettings, match=r"is before the last event of payout, recorded at 2021-11-03T"):
        check(stage, START)
    keep(stage, LATER)
    check(stage, START)  # it goes on from where it stood


def test_the_real_clock_does_not_go_on_before_a_simulated_one(stage: Stage) -> None:
    stage.clock.move_to(TO_COME)
    stage.set_up()
    check(stage, None)  # a machine's clock that is set right is nobody's mistake
    keep(stage, TO_COME)
    with pytest.raises(BadSettings, match="its clock is simulated"):
        check(stage, None)


def test_who_writes_beside_a_simulated_platform_goes_by_its_clock(stage: Stage) -> None:
    check_to_write(stage, None)
    keep(stage, START)
    stage.set_up()
    check_to_write(stage, START)
    with pytest.raises(BadSettings, match="the clock of this state is simulated and is at 2021-11-02T"):
        check_to_write(stage, None)
    stage.clock.move_to(LATER)  # it has run in real time since
    stage.submitted()
    check_to_write(stage, None)


def test_a_clock_that_could_not_be_stored_has_not_moved(stage: Stage) -> None:
    def fail(_: sa.Connection) -> None:
        raise sa.exc.OperationalError("commit", None, Exception("server closed the connection"))

    sa.event.listen(stage.engine, "commit", fail)
    with pytest.raises(Exception, match="momentanément indisponible"):
        stage.command("clock-set", {"now": instant_text(LATER)}, caller=None)
    sa.event.remove(stage.engine, "commit", fail)
    assert stage.clock.now() == START
    with stage.engine.connect() as opened:
        assert stored_clock(opened) is None
