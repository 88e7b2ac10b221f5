"""Timers run in the order of their due instants; a failing one does not block the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.kernel.errors import Unavailable
from shared.kernel.time import Clock, RealClock, SettableClock
from shared.runtime.process import Process
from shared.runtime.service import Service, Timer
from shared.testing import BusDouble
from tests.unit.shared.toy import START, file_store

HOUR = timedelta(hours=1)


class TimerDoubles:
    """Timers that are due once each, and the order in which they ran; those in ``broken`` raise."""

    def __init__(self, clock: Clock, folder: Path, due: dict[str, datetime]) -> None:
        self.due: dict[str, datetime] = due
        self.broken: dict[str, Exception] = {}
        self.ran: list[str] = []
        timers = [Timer(name, self._due(name), self._run(name)) for name in due]
        self.process = Process(Service("toy", file_store(folder), timers=timers), clock, BusDouble())

    def _due(self, name: str) -> Callable[[sa.Connection], datetime | None]:
        return lambda _connection: self.due.get(name)

    def _run(self, name: str) -> Callable[[datetime], None]:
        def run(_now: datetime) -> None:
            if name in self.broken:
                raise self.broken[name]
            self.ran.append(name)
            del self.due[name]

        return run


def test_due_timers_run_in_the_order_of_their_instants(tmp_path: Path) -> None:
    timers = TimerDoubles(SettableClock(START), tmp_path, {"b": START, "a": START - HOUR, "later": START + HOUR})
    assert timers.process.run_due_timers() == 2
    assert timers.ran == ["a", "b"]


def test_a_failing_timer_does_not_block_the_others(tmp_path: Path) -> None:
    now = RealClock().now()
    timers = TimerDoubles(RealClock(), tmp_path, {"a": now - 3 * HOUR, "b": now - 2 * HOUR, "c": now - HOUR})
    timers.broken["a"] = KeyError("a bug")
    for _ in range(2):
        with pytest.raises(KeyError, match="a bug"):
            timers.process.run_due_timers()
    assert timers.ran == ["b", "c"]
    timers.broken.clear()
    assert timers.process.run_due_timers() == 1
    assert timers.ran == ["b", "c", "a"]


def test_in_simulated_time_a_failing_timer_blocks_later_instants(tmp_path: Path) -> None:
    """An interrupted move may have left the clock ahead: timers with a later instant wait for the earlier ones."""
    timers = TimerDoubles(SettableClock(START), tmp_path, {"a": START - HOUR, "same instant": START - HOUR, "b": START})
    timers.broken["a"] = Unavailable("wallet does not answer")
    with pytest.raises(Unavailable):
        timers.process.run_due_timers()
    assert timers.ran == ["same instant"]
    timers.broken.clear()
    timers.process.run_due_timers()
    assert timers.ran == ["same instant", "a", "b"]


def test_a_bug_is_raised_before_a_transient_failure(tmp_path: Path) -> None:
    timers = TimerDoubles(RealClock(), tmp_path, {"a": START, "b": START + HOUR})
    timers.broken = {"a": Unavailable("wallet does not answer"), "b": KeyError("a bug")}
    with pytest.raises(KeyError) as raised:
        timers.process.run_due_timers()
    assert raised.value.__notes__ == ["the timer a failed too: Unavailable('wallet does not answer')"]
