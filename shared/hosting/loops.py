"""The loops that run in the background of a container: they retry with back-off and report their health."""

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
    """The work in hand needs another service, which does not answer. The loop is unhealthy only if that lasts."""


class Signal:
    """Wakes the green threads that wait for work. The count makes sure that no notification is missed."""

    def __init__(self) -> None:
        self.count = 0
        self._notified = green.Event()

    def notify(self) -> None:
        self.count += 1
        notified, self._notified = self._notified, green.Event()
        notified.send(None)

    def wait(self, seen: int, seconds: float) -> None:
        """Returns when the count is higher than ``seen``, or after so many seconds."""
        if self.count == seen:
            with green.Timeout(seconds, False):
                self._notified.wait()


class Loop:
    """Repeats a step until it is stopped. After an exception it waits with back-off, and reports the failure."""

    def __init__(self, process: Process, name: str) -> None:
        self._service = process.service.name
        self._name = f"{self._service} {name}"
        self.part = process.parts[self._name] = Part()
        self._stopping = False

    def run(self, step: Callable[[], None], pause: float, on_error: Callable[[], None]) -> None:
        """``pause``: seconds between two steps."""
        failures = 0
        while not self._stopping:
            try:
                step()
            except Exception as error:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                self._report(error, failures)
                on_error()
                green.sleep(wait)
            else:
                failures = 0
                self.part.does_well(pause)
                if pause:
                    green.sleep(pause)

    def _report(self, error: Exception, failures: int) -> None:
        is_transient = isinstance(error, Unavailable | Conflict)
        if isinstance(error, Conflict | NotYet):
            pass  # not logged: if the loop makes no progress for long, the health check reports it
        elif is_of_another_service(error):
            self.part.does_well()
        else:
            self.part.has_trouble(f"{type(error).__name__}: {error}"[:300])
        if failures in (1, 10) or not is_transient:
            log.warning(
                "background loop failed",
                service=self._service,
                part=self._name,
                error=str(error)[:300],
                exc_info=None if is_transient else error,
            )

    def stop(self) -> None:
        self._stopping = True
        self.part.lives = lambda: True


def is_of_another_service(error: Exception) -> bool:
    """Whether another service does not answer, or answers with an internal error: it reports that in its own health."""
    if isinstance(error, Refused):
        return error.status == InternalError.status
    return isinstance(error, Unavailable) and not isinstance(error, BusUnavailable | StoreUnavailable)
