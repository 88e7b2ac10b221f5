"""Health probes report trouble, a loop that hangs and one that ended, but not a loop that sleeps."""

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


class MonotonicClock:
    """A monotonic clock that the tests advance."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def monotonic() -> MonotonicClock:
    return MonotonicClock()


@pytest.fixture
def process(tmp_path: Path) -> Process:
    clock = SettableClock(START)
    return Process(Service("toy", file_store(tmp_path)), clock, BusDouble())


def probe(path: str, process: Process) -> tuple[str, Any]:
    status, _, body = answer(path, {process.service.name: process})
    return status[:3], orjson.loads(body)


def test_a_part_whose_round_does_not_end_is_stuck(monotonic: MonotonicClock) -> None:
    part = Part(monotonic)
    monotonic.now += STUCK_SECONDS
    assert part.trouble() == ""
    monotonic.now += 1
    assert part.trouble() == "stuck"
    part.moves()
    assert part.trouble() == ""


def test_a_part_that_sleeps_for_an_hour_is_not_stuck(monotonic: MonotonicClock) -> None:
    part = Part(monotonic)
    part.does_well(HOUR)
    monotonic.now += HOUR + STUCK_SECONDS
    assert part.trouble() == ""
    monotonic.now += 1
    assert part.trouble() == "stuck"


def test_trouble_lasts_until_a_round_succeeds(monotonic: MonotonicClock) -> None:
    part = Part(monotonic)
    part.has_trouble("the broker is away")
    part.moves()
    assert part.trouble() == "the broker is away"
    part.does_well()
    assert part.trouble() == ""


def run(loop: Loop, *steps: Exception | Callable[[], None]) -> None:
    """Runs a loop whose rounds raise or call these steps, one each. It stops after the last one."""
    rounds = iter(steps)

    def step() -> None:
        this_step = next(rounds, None)
        if this_step is None:
            loop.stop()
        elif isinstance(this_step, Exception):
            raise this_step
        else:
            this_step()

    loop.run(step, 0.0, lambda: None)


@pytest.mark.parametrize(
    "error",
    [
        BusUnavailable("no broker"),
        StoreUnavailable("no database"),
        KeyError("a bug"),
        Refused(Invalid("a call that makes no sense").to_outcome()),
    ],
    ids=str,
)
def test_an_error_of_store_bus_or_code_is_trouble_until_the_next_success(process: Process, error: Exception) -> None:
    loop, seen = Loop(process, "relay"), []
    run(loop, error, lambda: seen.append(probe("/health/ready", process)))
    ((status, body),) = seen
    assert (status, body["ready"]) == ("503", False)
    assert type(error).__name__ in body["trouble"]["toy relay"]
    assert probe("/health/ready", process) == ("200", {"ready": True, "trouble": {}})


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("wallet does not answer"),
        Conflict("a concurrent transaction was faster"),
        Refused(InternalError("a bug of wallet").to_outcome()),
    ],
    ids=str,
)
def test_an_error_of_another_service_or_replica_is_no_trouble(process: Process, error: Exception) -> None:
    loop, seen = Loop(process, "messages from source"), []
    run(loop, error, lambda: seen.append(probe("/health/ready", process)))
    assert seen == [("200", {"ready": True, "trouble": {}})]


@pytest.mark.parametrize("error", [InternalError("a bug"), Unavailable("not now")], ids=str)
def test_the_lag_grows_while_the_source_does_not_report_its_backlog(
    tmp_path: Path, monotonic: MonotonicClock, monkeypatch: pytest.MonkeyPatch, error: DomainError
) -> None:
    monkeypatch.setattr(running.time, "monotonic", monotonic)
    reactions = Reactions({("source", "JarFilled", 1): lambda _tx, _message: None})
    backlogs: list[Any] = [{"messages": 3, "since": instant_text(START - timedelta(seconds=20))}]

    def backlog(_data: Any, _caller: Any) -> Any:
        if backlogs:
            return backlogs[0]
        raise refusal({"refused": error.to_outcome()})

    bus = BusDouble({("source", "backlog"): backlog})
    process = bus.add(Service("toy", file_store(tmp_path), reactions=reactions), SettableClock(START))
    process.consumers["source"].start()

    def lag() -> tuple[float, float]:
        process.observe()
        gauges = (metrics.consumer_lag_events, metrics.consumer_lag_seconds)
        return tuple(gauge.labels("toy", "source")._value.get() for gauge in gauges)  # type: ignore[return-value]

    assert lag() == (3, 20)
    backlogs.clear()
    monotonic.now += 40
    assert lag() == (3, 60)
    backlogs.append({"messages": 0, "since": None})
    assert lag() == (0, 0)


@pytest.mark.parametrize(
    "error", [Conflict("a concurrent transaction was faster"), NotYet("a gap that source does not fill")], ids=str
)
def test_a_loop_that_fails_without_progress_is_stuck(
    process: Process, monotonic: MonotonicClock, error: Exception
) -> None:
    loop, seen = Loop(process, "messages from source"), []
    loop.part = process.parts["toy messages from source"] = Part(monotonic)

    def later() -> None:
        monotonic.now += STUCK_SECONDS + 1
        raise error

    run(loop, later, lambda: seen.append(process.health()))
    assert seen == [{"toy messages from source": "stuck"}]
    assert process.health() == {}


def test_readiness_needs_a_process() -> None:
    assert answer("/health/ready", {})[0].startswith("503")


@pytest.fixture
def wallet(tmp_path: Path) -> Iterator[Callable[[], ServiceContainer]]:
    """Returns a function that starts wallet in this process, on the in-process bus."""
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


def test_a_process_with_a_dead_consumer_stays_unready(
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
