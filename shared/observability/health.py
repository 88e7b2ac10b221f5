"""The health of the background loops of a process: each loop reports here, the probes read here."""

from __future__ import annotations

import time
from collections.abc import Callable

STUCK_SECONDS = 60.0
"""A round that takes longer counts as stuck."""
ENDED = "ended"


def _always() -> bool:
    return True


class Part:
    """The health of one background loop. ``seconds`` is the machine's clock.

    The last report holds until the next one; whether the loop hangs or has ended is found out when a probe reads it.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._why = ""
        self.lives: Callable[[], bool] = _always
        self.moves()

    def does_well(self, pause: float = 0.0) -> None:
        """Reports that a round is done; the next one begins after ``pause`` seconds."""
        self._why = ""
        self.moves(pause)

    def moves(self, pause: float = 0.0) -> None:
        """Reports that a long round makes progress."""
        self._stuck_from = self._seconds() + pause + STUCK_SECONDS

    def has_trouble(self, why: str) -> None:
        """Reports that the last round failed."""
        self._why = why

    def trouble(self) -> str:
        """Why the loop cannot do its work now; empty when it can."""
        if not self.lives():
            return ENDED
        if self._why:
            return self._why
        return "stuck" if self._seconds() > self._stuck_from else ""
