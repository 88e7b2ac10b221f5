"""A server is away, or a service cannot reach it: callers hear 503 in time, nothing spins, then all goes through."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import eventlet
import pytest

from services.gateway.consistency import WAIT_SECONDS
from services.gateway.web.calls import COMMAND_SECONDS
from shared.runtime.settings import SERVICES
from tests.chaos.figures import Figures
from tests.chaos.fleet import SERVERS, Fleet, cpu_seconds, waited_for
from tests.chaos.journal import Journal, audit, backlog, opened
from tests.chaos.load import Load, Town
from tests.chaos.scale import Scale

THROUGH_SECONDS = 30.0
"""After a server is back."""
SLOWEST_SECONDS = 3 * COMMAND_SECONDS + WAIT_SECONDS
"""What a caller may wait for: two questions, the answer, and that others heard of it, each with its own time-out."""
CLIENTS = 12
BUSY = 0.5
"""Of a core: a loop that does not pause takes all of one."""


def burners(before: dict[str, float], after: dict[str, float], seconds: float) -> list[str]:
    """Processes that took more of a core than a loop that waits does."""
    shares = {name: (after[name] - before.get(name, 0.0)) / seconds for name in after}
    return [f"{name} took {share:.0%} of a core" for name, share in shares.items() if share > BUSY]


def cut_off(platform: Fleet, lines: Sequence[str], how: str, seconds: float) -> list[str]:
    """Gives the processes that burned a core meanwhile."""
    before = platform.cpu_seconds()
    with platform.cut(lines, how):
        eventlet.sleep(seconds)
        return burners(before, platform.cpu_seconds(), seconds)


def goes_through(platform: Fleet, load: Load) -> float:
    """After how many seconds a new call was answered, and everything had been sent and handled."""
    begun = time.monotonic()
    load.acknowledged(1, clients=1)
    with opened(platform) as books:
        assert waited_for(lambda: not backlog(books), THROUGH_SECONDS) is not None, backlog(books)
    return time.monotonic() - begun


def check(platform: Fleet, town: Town, load: Load, journal: Journal) -> None:
    assert load.seen.strange == []
    assert load.seen.later["503"] > 0
    assert load.seen.slowest < SLOWEST_SECONDS
    with opened(platform) as books:
        assert audit(books, journal.entries(), town.quantities) == []


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_goes_away_and_comes_back(
    platform: Fleet, town: Town, load: Load, journal: Journal, scale: Scale, figures: Figures, server: str
) -> None:
    with load.going_on(CLIENTS):
        spinning = cut_off(platform, platform.lines(server), "refuse", scale.outage_seconds)
        back = time.monotonic()
    through = time.monotonic() - back + goes_through(platform, load)
    assert spinning == []
    assert through < THROUGH_SECONDS
    check(platform, town, load, journal)
    figures.note(
        "Servers away", f"{server} away for {scale.outage_seconds:.0f} s: everything through {through:.1f} s after it"
    )


def test_each_service_is_cut_off_from_each_server(
    platform: Fleet, town: Town, load: Load, journal: Journal, scale: Scale, figures: Figures
) -> None:
    slowest = 0.0
    for server in SERVERS:
        for services in (SERVICES,) if scale.cuts_together else [(service,) for service in SERVICES]:
            with load.going_on(CLIENTS):
                for service in services:
                    assert cut_off(platform, platform.lines(server, [service]), "silence", scale.cut_seconds) == []
                back = time.monotonic()
            slowest = max(slowest, time.monotonic() - back + goes_through(platform, load))
            assert slowest < THROUGH_SECONDS, f"{services} after they were cut off from {server}"
    check(platform, town, load, journal)
    figures.note(
        "Servers away",
        f"each service cut off from each, {scale.cut_seconds:.0f} s: all through {slowest:.1f} s after it at most",
    )


def test_a_server_that_does_not_come_back_is_found(platform: Fleet, town: Town, load: Load) -> None:
    """The control: while a line is cut, what follows it is reported as not handled."""
    with platform.cut(platform.lines("postgresql", ["payout"]), "refuse"):
        used = load.seen.done["use"]
        while load.seen.done["use"] == used:
            load.acknowledged(4)
        with opened(platform) as books:
            assert any(text.startswith("payout has followed booking") for text in backlog(books))
    assert goes_through(platform, load) < THROUGH_SECONDS


def test_a_loop_that_spins_is_found() -> None:
    """The control of the measurement."""
    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        before = {"spinner": cpu_seconds(spinner.pid)}
        eventlet.sleep(2.0)
        while not burners(before, {"spinner": cpu_seconds(spinner.pid)}, 1.0):
            eventlet.sleep(0.5)
    finally:
        spinner.kill()
        spinner.wait()
