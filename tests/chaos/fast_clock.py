"""A clock that runs faster than the real one, by default a day per second, and shows all processes the same time.

It replaces the real clock (``CLOCK=real``), so that each process notices by itself what has become due. Its file holds
a pair of instants, of the machine and of the clock, and the speed since then.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from shared.kernel.time import instant_text, parse_instant

SETTING = "HURRY"
"""Names the file to a process; no setting of the platform's."""
DAY_A_SECOND = 86_400.0


class FastClockFile:
    """Sets the time and the speed of the clock."""

    def __init__(self, path: Path, start: datetime) -> None:
        self.path = path
        self._write(start, 1.0)

    def now(self) -> datetime:
        return time_shown(self.path)

    @contextmanager
    def running_fast(self, speed: float = DAY_A_SECOND) -> Iterator[None]:
        """``speed``: seconds of the clock per second of the machine."""
        self._write(self.now(), speed)
        try:
            yield
        finally:
            self._write(self.now(), 1.0)

    def _write(self, at: datetime, speed: float) -> None:
        written = self.path.with_suffix(".new")
        written.write_text(json.dumps({"since": time.time(), "at": instant_text(at), "speed": speed}))
        written.replace(self.path)  # whoever looks meanwhile sees the one or the other


def time_shown(path: Path) -> datetime:
    """The clock's present time."""
    stood = json.loads(path.read_text())
    return parse_instant(stood["at"]) + timedelta(seconds=(time.time() - stood["since"]) * stood["speed"])


class FastClock:
    """Replaces ``RealClock`` in a process."""

    def now(self) -> datetime:
        return time_shown(Path(os.environ[SETTING]))


def install() -> None:
    """All services of this process use the fast clock from now on."""
    from shared.runtime import clocks

    clocks.RealClock = FastClock  # type: ignore[misc]
