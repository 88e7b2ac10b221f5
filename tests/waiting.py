"""Waiting for conditions instead of fixed times, which would depend on the speed of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.green import get_hub

TIMEOUT_SECONDS = 120.0
"""Only ends a test that would wait for ever: no test may depend on its value."""
POLL_SECONDS = 0.02


def wait_until(
    condition: Callable[[], object], describe: Callable[[], object] = str, pause: float = POLL_SECONDS
) -> None:
    """Returns once the condition is true. Raises AssertionError with ``describe()`` after a time-out."""
    for _ in attempts(describe, pause):
        if condition():
            return


def holds_for(condition: Callable[[], object], seconds: float) -> bool:
    """Whether the condition is true each time it is polled during that time."""
    end = time.monotonic() + seconds
    while condition():
        if time.monotonic() >= end:
            return True
        time.sleep(POLL_SECONDS)
    return False


def attempts(describe: Callable[[], object] = str, pause: float = POLL_SECONDS) -> Iterator[None]:
    """Yields until the caller leaves the loop. Raises AssertionError with ``describe()`` after a time-out."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        yield
        assert time.monotonic() < deadline, describe()
        time.sleep(pause)


@contextmanager
def simulated_timers() -> Iterator[None]:
    """Replaces the clock of eventlet's hub: when all greenlets sleep, it jumps to the next timer.

    Only for code that neither reads another clock nor waits for a socket, a process or a thread.
    """
    hub = get_hub()
    now, wait = hub.clock(), hub.wait

    def jump(seconds: float | None = None) -> None:
        nonlocal now
        assert hub.sleep_until() is not None, "every greenlet sleeps and no timer is set"
        now += max(seconds or 0.0, 0.0)
        wait(0)

    def tick() -> float:
        """Strictly increasing, because timers of the same instant would fire in any order."""
        nonlocal now
        now += 1e-6
        return now

    clock, hub.clock, hub.wait = hub.clock, tick, jump
    try:
        yield
    finally:
        hub.clock, hub.wait = clock, wait


__all__ = ["TIMEOUT_SECONDS", "attempts", "holds_for", "simulated_timers", "wait_until"]
