"""Timers run at their own instants, earliest first; one that fails holds back no other."""

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


class Bells:
    """Timers that each are due once, and the order in which they ran; ``broken`` ones raise."""

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


def test_all_that_is_due_runs_earliest_first(tmp_path: Path) -> None:
    bells = Bells(SettableClock(START), tmp_path, {"b": START, "a": START - HOUR, "later": START + HOUR})
    assert bells.process.run_due_timers() == 2
    assert bells.ran == ["a", "b"]


def test_one_that_fails_holds_back_no_other(tmp_path: Path) -> None:
    now = RealClock().now()
    bells = Bells(RealClock(), tmp_path, {"a": now - 3 * HOUR, "b": now - 2 * HOUR, "c": now - HOUR})
    bells.broken["a"] = KeyError("a bug")
    for _ in range(2):
        with pytest.raises(KeyError, match="a bug"):
            bells.process.run_due_timers()
    assert bells.ran == ["b", "c"]
    bells.broken.clear()
    assert bells.process.run_due_timers() == 1
    assert bells.ran == ["b", "c", "a"]


def test_in_simulated_time_only_what_is_due_at_its_instant_passes_it(tmp_path: Path) -> None:
    """A move that was cut short may have left the clock ahead: what comes later waits for what came first."""
    bells = Bells(SettableClock(START), tmp_path, {"a": START - HOUR, "beside": START - HOUR, "b": START})
    bells.broken["a"] = Unavailable("wallet does not answer")
    with pytest.raises(Unavailable):
        bells.process.run_due_timers()
    assert bells.ran == ["beside"]
    bells.broken.clear()
    bells.process.run_due_timers()
    assert bells.ran == ["beside", "a", "b"]


def test_an_own_error_is_told_before_somebody_else_s_absence(tmp_path: Path) -> None:
    bells = Bells(RealClock(), tmp_path, {"a": START, "b": START + HOUR})
    bells.broken = {"a": Unavailable("wallet does not answer"), "b": KeyError("a bug")}
    with pytest.raises(KeyError) as told:
        bells.process.run_due_timers()
    assert told.value.__notes__ == ["the timer a failed too: Unavailable('wallet does not answer')"]
