"""A server is away, or a service cannot reach it: callers hear 503 in time, nothing spins, then all goes through."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product

import pytest

from services.gateway.application.consistency import WAIT_SECONDS
from services.gateway.web.endpoints.calls import DEFAULT_SECONDS
from shared import green
from shared.runtime.settings import SERVICES
from tests.chaos.figures import Figures
from tests.chaos.fleet import SERVERS, Fleet, cpu_seconds
from tests.chaos.journal import Journal, audit, backlog, opened
from tests.chaos.load import Load, Seen, Town
from tests.chaos.scale import Cut, Scale
from tests.waiting import wait_until

LATER_SECONDS = DEFAULT_SECONDS
"""Whoever is told to come again is told so within one time-out."""
SLOWEST_SECONDS = DEFAULT_SECONDS + 2 * WAIT_SECONDS
"""Whoever is answered: what they did is done within the time-out; that others show it, two at most, is waited for."""
CLIENTS, PAUSE_SECONDS = 12, 0.5
BUSY = 0.25
"""Of a core: a loop that does not pause takes all that it gets of one, and one that does a hundredth."""


# --- what callers see -------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """What somebody was told who asked one thing again and again: how often with which status, and the longest wait."""

    statuses: dict[int, int] = field(default_factory=dict)
    slowest: float = 0.0

    def note(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.slowest = max(self.slowest, seconds)

    def complaints(self, who: str, most_seconds: float) -> list[str]:
        found = [f"{who} was never told to come again"] if 503 not in self.statuses else []
        found += [f"{who} was answered {status}" for status in self.statuses if status not in (200, 503)]
        return found + ([f"{who} waited for {self.slowest:.1f} s"] if self.slowest > most_seconds else [])


def question(town: Town, service: str, server: str) -> tuple[str, str | None]:
    """What cannot be answered without the service, or by the gateway without the server; and who may ask it."""
    person = town.token(town.people[0], "beneficiary")
    if service == "gateway":
        return (f"/v1/offers/{town.offer}", None) if server == "postgresql" else ("/v1/me/bookings", person)
    return {
        "identity": ("/v1/me", person),
        "catalog": (f"/v1/pro/venues/{town.venue}", town.token(town.pro, "pro")),
        "booking": ("/v1/me/bookings", person),
        "wallet": ("/v1/me/credit", person),
        "payout": ("/v1/finance/custom-rules", town.fleet.token("finance")),
    }[service]


def asked(platform: Fleet, what: tuple[str, str | None]) -> int:
    path, token = what
    return platform.call("GET", path, token=token).status


@contextmanager
def asking(platform: Fleet, questions: Mapping[str, tuple[str, str | None]]) -> Iterator[dict[str, Told]]:
    """Each question by somebody of its own, all the time."""
    told = {service: Told() for service in questions}
    ends: list[bool] = []

    def insist(service: str) -> None:
        while not ends:
            begun = time.monotonic()
            status = asked(platform, questions[service])
            told[service].note(status, time.monotonic() - begun)
            green.sleep(PAUSE_SECONDS)

    beside = [green.spawn(insist, service) for service in questions]
    try:
        yield told
    finally:
        ends.append(True)
        for one in beside:
            one.wait()


def goes_through(platform: Fleet, town: Town, load: Load) -> None:
    """Every service answers, a call succeeds, and everything has been sent and handled."""
    questions = [question(town, service, "postgresql") for service in SERVICES]
    wait_until(lambda: all(asked(platform, one) == 200 for one in questions))
    load.acknowledged(1, clients=1)
    with opened(platform) as books:
        wait_until(lambda: not backlog(books), lambda: backlog(books))


def check(platform: Fleet, town: Town, seen: Seen, journal: Journal, scale: Scale) -> None:
    assert seen.strange == []
    assert seen.latest < LATER_SECONDS + scale.delay_seconds, seen
    assert seen.slowest < SLOWEST_SECONDS + scale.delay_seconds, seen
    with opened(platform) as books:
        assert audit(books, journal.entries(), town.quantities) == []


def adds_up(platform: Fleet) -> None:
    """What the finance team asks, and what the operators do: wallet, booking and payout agree to the cent."""
    for asked in ("reconcile", "verify"):
        done = platform.command(asked)
        assert done.returncode == 0, done.stdout + done.stderr


# --- what processes take ----------------------------------------------------------------------------------------------


def burners(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> list[str]:
    """Processes that took more CPU time in so many seconds than a loop that waits does."""
    shares = {name: (after[name] - before.get(name, 0.0)) / seconds for name in after}
    return [f"{name} took {share:.0%} of a core" for name, share in shares.items() if share > BUSY]


@contextmanager
def spinning() -> Iterator[int]:
    """A process that never waits; gives its number. What it gets of a core is what there is to get."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def no_loss() -> None:
    """The server has all that it had."""


def cut_off(
    platform: Fleet, lines: Sequence[str], how: str, seconds: float, lose: Callable[[], None] = no_loss
) -> list[str]:
    """Gives the processes that burned a core meanwhile, and those that ended. ``lose``: what the server forgets."""
    deaths = platform.deaths.copy()
    before = platform.cpu_seconds()
    with platform.cut(lines, how):
        green.sleep(seconds)
        lose()
        spinning = burners(before, platform.cpu_seconds(), seconds)
    return spinning + [f"{name} ended" for name in platform.deaths - deaths]


# --- a server away, a service cut off ---------------------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_goes_away_and_comes_back(
    platform: Fleet, town: Town, load: Load, journal: Journal, scale: Scale, figures: Figures, server: str
) -> None:
    for how in scale.outages:
        seen = load.afresh()
        with load.going_on(CLIENTS, PAUSE_SECONDS):
            lost = platform.forget_calls if (server, how) == ("rabbitmq", "refuse") else no_loss
            wrong = cut_off(platform, platform.lines(server), how, scale.outage_seconds, lost)
            back = time.monotonic()
        goes_through(platform, town, load)
        through = time.monotonic() - back
        assert wrong == []
        assert seen.later["503"] > 0
        assert through < scale.through_seconds
        check(platform, town, seen, journal, scale)
        figures.note(
            "Servers away",
            f"{server} away for {scale.outage_seconds:.0f} s ({how}): callers were told 503 {seen.later['503']} times, "
            f"after {seen.latest:.1f} s at most; everything through {through:.1f} s after it",
        )
    adds_up(platform)


def test_each_service_is_cut_off_from_each_server(
    platform: Fleet, town: Town, load: Load, journal: Journal, scale: Scale, figures: Figures
) -> None:
    assert {line for cut in scale.cuts for line in cut.lines} == set(product(SERVICES, SERVERS))
    for cut in scale.cuts:
        told, through = cut_off_while_asked(platform, town, load, cut, scale)
        assert through < scale.through_seconds, cut
        figures.note(
            "Servers away",
            f"{cut}: who needed them was told 503 after {max(one.slowest for one in told.values()):.1f} s at most; "
            f"everything through {through:.1f} s after it",
        )
        check(platform, town, load.seen, journal, scale)
    adds_up(platform)


def cut_off_while_asked(
    platform: Fleet, town: Town, load: Load, cut: Cut, scale: Scale
) -> tuple[dict[str, Told], float]:
    load.afresh()
    questions = {service: question(town, service, server) for service, server in cut.lines}
    lines = [f"{service}.{server}" for service, server in cut.lines]
    with load.going_on(CLIENTS, PAUSE_SECONDS), asking(platform, questions) as told:
        assert cut_off(platform, lines, cut.how, cut.seconds) == []
        back = time.monotonic()
    goes_through(platform, town, load)
    through = time.monotonic() - back
    longest = LATER_SECONDS + scale.delay_seconds
    complaints = [text for service, one in told.items() for text in one.complaints(f"who needs {service}", longest)]
    assert complaints == [], str(cut)
    return told, through


# --- the controls -----------------------------------------------------------------------------------------------------


def test_a_server_that_does_not_come_back_is_found(platform: Fleet, town: Town, load: Load) -> None:
    """The control: while a line is cut, what follows it is reported as not handled."""
    with platform.cut(platform.lines("postgresql", ["payout"]), "refuse"):
        used = load.seen.done["use"]
        while load.seen.done["use"] == used:
            load.acknowledged(4)
        with opened(platform) as books:
            assert any(text.startswith("payout has followed booking") for text in backlog(books))
    goes_through(platform, town, load)


def test_who_is_never_told_503_or_waits_too_long_is_found(platform: Fleet, town: Town) -> None:
    """The control: nothing is cut, and the gateway stands still for longer than anybody is to wait."""
    with asking(platform, {"wallet": question(town, "wallet", "rabbitmq")}) as told:
        green.sleep(2 * PAUSE_SECONDS)
        with platform.frozen("gateway"):
            green.sleep(1.5)
    assert told["wallet"].complaints("who waits", most_seconds=1.0) == [
        "who waits was never told to come again",
        f"who waits waited for {told['wallet'].slowest:.1f} s",
    ]


def test_loops_that_do_not_pause_are_found(platform: Fleet, town: Town, load: Load) -> None:
    """The control: catalog tries again at once, and burns a core; on a busy machine, what a process gets of one."""
    with platform.sabotaged("catalog", "restless"), spinning() as spinner:
        assert asked(platform, question(town, "catalog", "postgresql")) == 200  # it is there
        before = platform.cpu_seconds()
        with platform.cut(platform.lines("postgresql", ["catalog"]), "refuse"):
            to_be_had = -cpu_seconds(spinner)
            green.sleep(3.0)
            to_be_had += cpu_seconds(spinner)
            found = burners(before, platform.cpu_seconds(), to_be_had)
    assert [text for text in found if text.startswith("catalog took ")], found
    goes_through(platform, town, load)


def test_a_process_that_does_not_live_through_it_is_found(platform: Fleet, town: Town, load: Load) -> None:
    """The control: one that ends while a server is away, and is started again by its orchestrator."""
    beside = green.spawn_later(0.5, platform.ends, "catalog")
    wrong = cut_off(platform, platform.lines("rabbitmq", ["catalog"]), "refuse", 2.0)
    beside.wait()
    assert wrong == ["catalog ended"]
    goes_through(platform, town, load)
