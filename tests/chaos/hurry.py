"""A clock that goes by itself, as fast as a test wants it to: the same instant in all processes, a day in a second.

The platform takes it for the real one (``CLOCK=real``): nobody sets it, and each process looks by itself for what has
fallen due. It stands in a file, as the machine's second at which it showed what, and how fast it has gone since.
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


class Hurry:
    """The test's hand on the clock."""

    def __init__(self, path: Path, start: datetime) -> None:
        self.path = path
        self._write(start, 1.0)

    def now(self) -> datetime:
        return shown(self.path)

    @contextmanager
    def hurrying(self, speed: float = DAY_A_SECOND) -> Iterator[None]:
        """So many seconds of the clock's in one of the machine's."""
        self._write(self.now(), speed)
        try:
            yield
        finally:
            self._write(self.now(), 1.0)

    def _write(self, at: datetime, speed: float) -> None:
        written = self.path.with_suffix(".new")
        written.write_text(json.dumps({"since": time.time(), "at": instant_text(at), "speed": speed}))
        written.replace(self.path)  # whoever looks meanwhile sees the one or the other


def shown(path: Path) -> datetime:
    """What the clock shows."""
    stood = json.loads(path.read_text())
    return parse_instant(stood["at"]) + timedelta(seconds=(time.time() - stood["since"]) * stood["speed"])


class HurriedClock:
    """In a process's place of the real one."""

    def now(self) -> datetime:
        return shown(Path(os.environ[SETTING]))


def hurry() -> None:
    """From here on this process's services go by it."""
    from shared.runtime import clocks

    clocks.RealClock = HurriedClock  # type: ignore[misc]
