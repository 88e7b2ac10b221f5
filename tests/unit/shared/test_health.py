"""What the probes are told: trouble, a loop that hangs, one that ended; and not a loop that only rests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from nameko.containers import ServiceContainer

from shared import green
from shared.eventstore import Conflict, StoreUnavailable
from shared.hosting import PROCESSES, Loop
from shared.hosting.loops import NotYet
from shared.hosting.platform import migrate_embedded, service_class, sources_of
from shared.kernel.errors import DomainError, Invalid, Refused, Unavailable
from shared.kernel.time import SettableClock, instant_text
from shared.messaging import local, topology
from shared.messaging.answering import InternalError
from shared.messaging.bus import refusal
from shared.messaging.connections import BusUnavailable, connect
from shared.messaging.reactions import Reactions
from shared.observability import metrics
from shared.observability.health import STUCK_SECONDS, Part
from shared.observability.server import answer
from shared.runtime import running
from shared.runtime.process import Process
from shared.runtime.service import Service
from shared.runtime.settings import Settings
from shared.testing import BusDouble
from tests.unit.shared.toy import START, file_store

HOUR = 3600.0


class Machine:
    """The machine's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def process(tmp_path: Path) -> Process:
    clock = SettableClock(START)
    return Process(Service("toy", file_store(tmp_path)), clock, BusDouble())


def probe(path: str, process: Process) -> tuple[str, Any]:
    status, _, body = answer(path, {process.service.name: process})
    return status[:3], orjson.loads(body)


def test_a_part_is_stuck_when_its_round_does_not_end(machine: Machine) -> None:
    part = Part(machine)
    machine.now += STUCK_SECONDS
    assert part.trouble() == ""
    machine.now += 1
    assert part.trouble() == "stuck"
    part.moves()
    assert part.trouble() == ""


def test_a_part_that_rests_for_an_hour_is_not_stuck(machine: Machine) -> None:
    part = Part(machine)
    part.does_well(HOUR)
    machine.now += HOUR + STUCK_SECONDS
    assert part.trouble() == ""
    machine.now += 1
    assert part.trouble() == "stuck"


def test_trouble_holds_until_a_round_goes_well(machine: Machine) -> None:
    part = Part(machine)
    part.has_trouble("the broker is away")
    part.moves()
    assert part.trouble() == "the broker is away"
    part.does_well()
    assert part.trouble() == ""


def run(loop: Loop, *steps: Exception | Callable[[], None]) -> None:
    """Rounds that raise or do these things; the loop stops after the last one."""
    rounds = iter(steps)

    def step() -> None:
        this = next(rounds, None)
        if this is None:
            loop.stop()
        elif isinstance(this, Exception):
            raise this
        else:
            this()

    loop.run(step, 0.0, lambda: None)


@pytest.mark.parametrize(
    "away",
    [
        BusUnavailable("no broker"),
        StoreUnavailable("no database"),
        KeyError("a bug"),
        Refused(Invalid("a call that makes no sense").to_outcome()),
    ],
    ids=str,
)
def test_store_bus_and_bugs_are_trouble_until_they_are_over(process: Process, away: Exception) -> None:
    loop, seen = Loop(process, "relay"), []
    run(loop, away, lambda: seen.append(probe("/health/ready", process)))
    ((status, body),) = seen
    assert (status, body["ready"]) == ("503", False)
    assert type(away).__name__ in body["trouble"]["toy relay"]
    assert probe("/health/ready", process) == ("200", {"ready": True, "trouble": {}})


@pytest.mark.parametrize(
    "elsewhere",
    [
        Unavailable("wallet does not answer"),
        Conflict("another was faster"),
        Refused(InternalError("a bug of wallet").to_outcome()),
    ],
    ids=str,
)
def test_what_other_services_and_replicas_do_is_no_trouble_here(process: Process, elsewhere: Exception) -> None:
    loop, seen = Loop(process, "messages from source"), []
    run(loop, elsewhere, lambda: seen.append(probe("/health/ready", process)))
    assert seen == [("200", {"ready": True, "trouble": {}})]


@pytest.mark.parametrize("error", [InternalError("a bug"), Unavailable("not now")], ids=str)
def test_a_source_that_does_not_tell_how_far_it_is_lets_the_lag_grow(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch, error: DomainError
) -> None:
    monkeypatch.setattr(running.time, "monotonic", machine)
    reactions = Reactions({("source", "JarFilled", 1): lambda _tx, _message: None})
    told: list[Any] = [{"messages": 3, "since": instant_text(START - timedelta(seconds=20))}]

    def backlog(_data: Any, _caller: Any) -> Any:
        if told:
            return told[0]
        raise refusal({"refused": error.to_outcome()})

    bus = BusDouble({("source", "backlog"): backlog})
    process = bus.add(Service("toy", file_store(tmp_path), reactions=reactions), SettableClock(START))
    process.consumers["source"].start()

    def lag() -> tuple[float, float]:
        process.observe()
        gauges = (metrics.consumer_lag_events, metrics.consumer_lag_seconds)
        return tuple(gauge.labels("toy", "source")._value.get() for gauge in gauges)  # type: ignore[return-value]

    assert lag() == (3, 20)
    told.clear()
    machine.now += 40
    assert lag() == (3, 60)
    told.append({"messages": 0, "since": None})
    assert lag() == (0, 0)


@pytest.mark.parametrize("error", [Conflict("another was faster"), NotYet("a gap that source does not fill")], ids=str)
def test_whoever_never_gets_on_is_stuck(process: Process, machine: Machine, error: Exception) -> None:
    loop, seen = Loop(process, "messages from source"), []
    loop.part = process.parts["toy messages from source"] = Part(machine)

    def later() -> None:
        machine.now += STUCK_SECONDS + 1
        raise error

    run(loop, later, lambda: seen.append(process.health()))
    assert seen == [{"toy messages from source": "stuck"}]
    assert process.health() == {}


def test_no_process_is_not_ready() -> None:
    assert answer("/health/ready", {})[0].startswith("503")


@pytest.fixture
def wallet(tmp_path: Path) -> Iterator[Callable[[], ServiceContainer]]:
    """Starts wallet in this process, on the bus within it; again with each call."""
    settings = Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": "2021-11-02T09:00:00Z"})
    migrate_embedded(settings, ["wallet"])
    with connect(settings.amqp_uri) as connection:
        kind = service_class("wallet")
        topology.declare(connection, settings.namespace, {"wallet": sources_of(kind)}, purge=False)
    started: list[ServiceContainer] = []

    def start() -> ServiceContainer:
        started.append(ServiceContainer(kind, {"settings": settings, "max_workers": 8}))
        started[-1].start()
        return started[-1]

    yield start
    started[-1].stop()
    PROCESSES.pop("wallet")
    local.reset()


def test_a_consumer_whose_greenlet_died_makes_its_process_unready_for_good(
    wallet: Callable[[], ServiceContainer],
) -> None:
    container = wallet()
    green.sleep(0)
    process = PROCESSES["wallet"]
    assert probe("/health/ready", process) == ("200", {"ready": True, "trouble": {}})
    threads = container._managed_threads
    (consumer,) = (thread for thread, name in threads.items() if name == "messages from booking")
    consumer.kill()
    ended = {"wallet messages from booking": "ended"}
    assert probe("/health/ready", process) == ("503", {"ready": False, "trouble": ended})
    assert probe("/health/live", process) == ("503", {"live": False})
    container.stop()
    wallet()
    process = PROCESSES["wallet"]
    assert probe("/health/ready", process) == ("200", {"ready": True, "trouble": {}})
    assert probe("/health/live", process) == ("200", {"live": True})
