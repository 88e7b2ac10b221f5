"""During an outage callers get 503 in time and no loop spins; afterwards everything is handled."""

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
from tests.chaos.journal import Journal, audit, backlog, opened_stores
from tests.chaos.load import Dataset, Load, Seen
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
class Statuses:
    """What a polling client got: how often each status, and the longest wait."""

    statuses: dict[int, int] = field(default_factory=dict)
    slowest: float = 0.0

    def note(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.slowest = max(self.slowest, seconds)

    def complaints(self, who: str, most_seconds: float) -> list[str]:
        found = [f"{who} was never told to come again"] if 503 not in self.statuses else []
        found += [f"{who} was answered {status}" for status in self.statuses if status not in (200, 503)]
        return found + ([f"{who} waited for {self.slowest:.1f} s"] if self.slowest > most_seconds else [])


def question(dataset: Dataset, service: str, server: str) -> tuple[str, str | None]:
    """A request that needs the service (or the gateway's server), and a caller who may make it."""
    person = dataset.token(dataset.people[0], "beneficiary")
    if service == "gateway":
        return (f"/v1/offers/{dataset.offer}", None) if server == "postgresql" else ("/v1/me/bookings", person)
    return {
        "identity": ("/v1/me", person),
        "catalog": (f"/v1/pro/venues/{dataset.venue}", dataset.token(dataset.pro, "pro")),
        "booking": ("/v1/me/bookings", person),
        "wallet": ("/v1/me/credit", person),
        "payout": ("/v1/finance/custom-rules", dataset.fleet.token("finance")),
    }[service]


def asked(platform: Fleet, what: tuple[str, str | None]) -> int:
    path, token = what
    return platform.call("GET", path, token=token).status


@contextmanager
def polling(platform: Fleet, questions: Mapping[str, tuple[str, str | None]]) -> Iterator[dict[str, Statuses]]:
    """Polls each request by a client of its own."""
    told = {service: Statuses() for service in questions}
    ends: list[bool] = []

    def poll(service: str) -> None:
        while not ends:
            begun = time.monotonic()
            status = asked(platform, questions[service])
            told[service].note(status, time.monotonic() - begun)
            green.sleep(PAUSE_SECONDS)

    beside = [green.spawn(poll, service) for service in questions]
    try:
        yield told
    finally:
        ends.append(True)
        for one in beside:
            one.wait()


def wait_until_recovered(platform: Fleet, dataset: Dataset, load: Load) -> None:
    """Waits until every service answers, a command succeeds, and everything is sent and handled."""
    questions = [question(dataset, service, "postgresql") for service in SERVICES]
    wait_until(lambda: all(asked(platform, one) == 200 for one in questions))
    load.acknowledged(1, clients=1)
    with opened_stores(platform) as stores:
        wait_until(lambda: not backlog(stores), lambda: backlog(stores))


def check(platform: Fleet, dataset: Dataset, seen: Seen, journal: Journal, scale: Scale) -> None:
    assert seen.unexpected == []
    assert seen.latest < LATER_SECONDS + scale.delay_seconds, seen
    assert seen.slowest < SLOWEST_SECONDS + scale.delay_seconds, seen
    with opened_stores(platform) as stores:
        assert audit(stores, journal.entries(), dataset.quantities) == []


def assert_reconciled(platform: Fleet) -> None:
    """``reconcile`` and ``verify`` pass: wallet, booking and payout agree to the cent."""
    for asked in ("reconcile", "verify"):
        done = platform.command(asked)
        assert done.returncode == 0, done.stdout + done.stderr


# --- what processes take ----------------------------------------------------------------------------------------------


def busy_processes(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> list[str]:
    """Processes that used more CPU time than a waiting loop does."""
    shares = {name: (after[name] - before.get(name, 0.0)) / seconds for name in after}
    return [f"{name} took {share:.0%} of a core" for name, share in shares.items() if share > BUSY]


@contextmanager
def spinning_process() -> Iterator[int]:
    """A process that never waits; returns its pid. Its CPU time shows how much there is to get on this machine."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def no_loss() -> None:
    """The server keeps its data."""


def cut_off(
    platform: Fleet, lines: Sequence[str], how: str, seconds: float, lose: Callable[[], None] = no_loss
) -> list[str]:
    """Returns the processes that used a core meanwhile, and those that ended. ``lose``: what the server loses."""
    deaths = platform.deaths.copy()
    before = platform.cpu_seconds()
    with platform.cut(lines, how):
        green.sleep(seconds)
        lose()
        spinning_process = busy_processes(before, platform.cpu_seconds(), seconds)
    return spinning_process + [f"{name} ended" for name in platform.deaths - deaths]


# --- a server away, a service cut off ---------------------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_platform_recovers_from_an_outage_of_a_server(
    platform: Fleet, dataset: Dataset, load: Load, journal: Journal, scale: Scale, figures: Figures, server: str
) -> None:
    for how in scale.outages:
        seen = load.forget_dataset_state()
        with load.going_on(CLIENTS, PAUSE_SECONDS):
            lost = platform.delete_call_queues if (server, how) == ("rabbitmq", "refuse") else no_loss
            wrong = cut_off(platform, platform.lines(server), how, scale.outage_seconds, lost)
            back = time.monotonic()
        wait_until_recovered(platform, dataset, load)
        through = time.monotonic() - back
        assert wrong == []
        assert seen.later["503"] > 0
        assert through < scale.through_seconds
        check(platform, dataset, seen, journal, scale)
        figures.note(
            "Outages",
            f"{server} away for {scale.outage_seconds:.0f} s ({how}): callers were told 503 {seen.later['503']} times, "
            f"after {seen.latest:.1f} s at most; everything through {through:.1f} s after it",
        )
    assert_reconciled(platform)


def test_platform_recovers_when_services_were_cut_off_from_a_server(
    platform: Fleet, dataset: Dataset, load: Load, journal: Journal, scale: Scale, figures: Figures
) -> None:
    assert {line for cut in scale.cuts for line in cut.lines} == set(product(SERVICES, SERVERS))
    for cut in scale.cuts:
        told, through = cut_off_while_asked(platform, dataset, load, cut, scale)
        assert through < scale.through_seconds, cut
        figures.note(
            "Outages",
            f"{cut}: who needed them was told 503 after {max(one.slowest for one in told.values()):.1f} s at most; "
            f"everything through {through:.1f} s after it",
        )
        check(platform, dataset, load.seen, journal, scale)
    assert_reconciled(platform)


def cut_off_while_asked(
    platform: Fleet, dataset: Dataset, load: Load, cut: Cut, scale: Scale
) -> tuple[dict[str, Statuses], float]:
    load.forget_dataset_state()
    questions = {service: question(dataset, service, server) for service, server in cut.lines}
    lines = [f"{service}.{server}" for service, server in cut.lines]
    with load.going_on(CLIENTS, PAUSE_SECONDS), polling(platform, questions) as told:
        assert cut_off(platform, lines, cut.how, cut.seconds) == []
        back = time.monotonic()
    wait_until_recovered(platform, dataset, load)
    through = time.monotonic() - back
    longest = LATER_SECONDS + scale.delay_seconds
    complaints = [text for service, one in told.items() for text in one.complaints(f"who needs {service}", longest)]
    assert complaints == [], str(cut)
    return told, through


# --- the controls -----------------------------------------------------------------------------------------------------


def test_lasting_outage_is_detected(platform: Fleet, dataset: Dataset, load: Load) -> None:
    """The control: while a connection is cut, its consumer is reported as behind."""
    with platform.cut(platform.lines("postgresql", ["payout"]), "refuse"):
        used = load.seen.done["use"]
        while load.seen.done["use"] == used:
            load.acknowledged(4)
        with opened_stores(platform) as stores:
            assert any(text.startswith("payout has followed booking") for text in backlog(stores))
    wait_until_recovered(platform, dataset, load)


def test_missing_503_or_long_wait_is_detected(platform: Fleet, dataset: Dataset) -> None:
    """The control: nothing is cut, and the gateway is suspended for longer than any caller may wait."""
    with polling(platform, {"wallet": question(dataset, "wallet", "rabbitmq")}) as told:
        green.sleep(2 * PAUSE_SECONDS)
        with platform.suspended_process("gateway"):
            green.sleep(1.5)
    assert told["wallet"].complaints("who waits", most_seconds=1.0) == [
        "who waits was never told to come again",
        f"who waits waited for {told['wallet'].slowest:.1f} s",
    ]


def test_loop_without_pause_is_detected(platform: Fleet, dataset: Dataset, load: Load) -> None:
    """The control: catalog retries at once and uses as much of a core as the machine has to give."""
    with platform.without_guard("catalog", "retry_without_pause"), spinning_process() as spinner:
        assert asked(platform, question(dataset, "catalog", "postgresql")) == 200  # it is there
        before = platform.cpu_seconds()
        with platform.cut(platform.lines("postgresql", ["catalog"]), "refuse"):
            to_be_had = -cpu_seconds(spinner)
            green.sleep(3.0)
            to_be_had += cpu_seconds(spinner)
            found = busy_processes(before, platform.cpu_seconds(), to_be_had)
    assert [text for text in found if text.startswith("catalog took ")], found
    wait_until_recovered(platform, dataset, load)


def test_process_that_ends_in_an_outage_is_detected(platform: Fleet, dataset: Dataset, load: Load) -> None:
    """The control: a process that ends during an outage, and is restarted."""
    beside = green.spawn_later(0.5, platform.ends, "catalog")
    wrong = cut_off(platform, platform.lines("rabbitmq", ["catalog"]), "refuse", 2.0)
    beside.wait()
    assert wrong == ["catalog ended"]
    wait_until_recovered(platform, dataset, load)
