"""How the parts of a process fare: each of its loops says so here, and the probes ask here."""

from __future__ import annotations

import time
from collections.abc import Callable

STUCK_SECONDS = 60.0
"""A round that takes longer is taken for one that never ends."""
ENDED = "ended"


def _always() -> bool:
    return True


class Part:
    """One loop of a process. ``seconds`` is the machine's clock.

    What it says of itself holds until it says otherwise; what it cannot say, that it hangs or is no more, is found out
    when it is asked about.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._why = ""
        self.lives: Callable[[], bool] = _always
        self.moves()

    def does_well(self, pause: float = 0.0) -> None:
        """A round is done; the next one begins after so many seconds."""
        self._why = ""
        self.moves(pause)

    def moves(self, pause: float = 0.0) -> None:
        """A long round goes on."""
        self._stuck_from = self._seconds() + pause + STUCK_SECONDS

    def has_trouble(self, why: str) -> None:
        self._why = why

    def trouble(self) -> str:
        """What is wrong with it now; empty when nothing is."""
        if not self.lives():
            return ENDED
        if self._why:
            return self._why
        return "stuck" if self._seconds() > self._stuck_from else ""
