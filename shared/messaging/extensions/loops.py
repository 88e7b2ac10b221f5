"""What goes on for as long as a container lives: it waits with backoff and for ever, and says so in its ``Part``."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from shared import green
from shared.eventstore import Conflict, StoreUnavailable
from shared.kernel.errors import Refused, Unavailable
from shared.messaging.answering import InternalError
from shared.messaging.connections import BusUnavailable
from shared.observability.health import Part
from shared.runtime.process import Process

log = structlog.get_logger()
BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class NotYet(Unavailable):
    """What is in hand cannot be done before another service answers: for a while that is its trouble alone."""


class Bell:
    """Rung when there is something to do. Who waits hears every ring since it last began."""

    def __init__(self) -> None:
        self.rings = 0
        self._rung = green.Event()

    def ring(self) -> None:
        self.rings += 1
        rung, self._rung = self._rung, green.Event()
        rung.send(None)

    def wait(self, heard: int, seconds: float) -> None:
        """Until it was rung more often than ``heard``, or the seconds are over."""
        if self.rings == heard:
            with green.Timeout(seconds, False):
                self._rung.wait()


class Loop:
    """Does something again and again until it is stopped; trouble is waited out with backoff and told."""

    def __init__(self, process: Process, name: str) -> None:
        self._service = process.service.name
        self._name = f"{self._service} {name}"
        self.part = process.parts[self._name] = Part()
        self._stopping = False

    def run(self, step: Callable[[], None], pause: float, after_trouble: Callable[[], None]) -> None:
        failures = 0
        while not self._stopping:
            try:
                step()
            except Exception as error:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                self._tell(error, failures)
                after_trouble()
                green.sleep(wait)
            else:
                failures = 0
                self.part.does_well(pause)
                if pause:
                    green.sleep(pause)

    def _tell(self, error: Exception, failures: int) -> None:
        of_the_world = isinstance(error, Unavailable | Conflict)
        if isinstance(error, Conflict | NotYet):
            pass  # somebody else was faster, or is late: whoever never gets on is stuck
        elif is_anothers(error):
            self.part.does_well()
        else:
            self.part.has_trouble(f"{type(error).__name__}: {error}"[:300])
        if failures in (1, 10) or not of_the_world:
            log.warning(
                "trouble",
                service=self._service,
                part=self._name,
                error=str(error)[:300],
                exc_info=None if of_the_world else error,
            )

    def stop(self) -> None:
        self._stopping = True
        self.part.lives = lambda: True


def is_anothers(error: Exception) -> bool:
    """Whether another service does not answer, or with an error of its own: that is its trouble, not this one's."""
    if isinstance(error, Refused):
        return error.status == InternalError.status
    return isinstance(error, Unavailable) and not isinstance(error, BusUnavailable | StoreUnavailable)
