"""How tests wait: for a condition, never for a time that some machine happens to need."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.green import get_hub

PATIENCE_SECONDS = 120.0
"""No test passes or fails by this bound on a machine that works: it only ends a test that would wait for ever."""
LOOK_SECONDS = 0.02


def until(condition: Callable[[], object], otherwise: Callable[[], object] = str, pause: float = LOOK_SECONDS) -> None:
    """Returns once the condition holds. Raises AssertionError, with ``otherwise()``, when it never does."""
    for _ in attempts(otherwise, pause):
        if condition():
            return


def stays(condition: Callable[[], object], seconds: float) -> bool:
    """Whether a condition holds each time that it is looked at, for so many seconds."""
    end = time.monotonic() + seconds
    while condition():
        if time.monotonic() >= end:
            return True
        time.sleep(LOOK_SECONDS)
    return False


def attempts(otherwise: Callable[[], object] = str, pause: float = LOOK_SECONDS) -> Iterator[None]:
    """One turn of a loop after the other, until the loop is left. Raises AssertionError when it never is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        yield
        assert time.monotonic() < deadline, otherwise()
        time.sleep(pause)


@contextmanager
def simulated_timers() -> Iterator[None]:
    """Within it no greenlet waits in real time: when all of them sleep, the clock jumps to the next timer.

    For code that neither reads another clock nor waits for a socket, a process or a thread.
    """
    hub = get_hub()
    now, wait = hub.clock(), hub.wait

    def jump(seconds: float | None = None) -> None:
        nonlocal now
        assert hub.sleep_until() is not None, "every greenlet waits and no timer is set"
        now += max(seconds or 0.0, 0.0)
        wait(0)

    def tick() -> float:
        """Never the same twice: timers of one instant would go off in any order."""
        nonlocal now
        now += 1e-6
        return now

    clock, hub.clock, hub.wait = hub.clock, tick, jump
    try:
        yield
    finally:
        hub.clock, hub.wait = clock, wait


__all__ = ["PATIENCE_SECONDS", "attempts", "simulated_timers", "stays", "until"]
