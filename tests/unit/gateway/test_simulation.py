"""The simulated clock, with service doubles that have timers and positions only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.application.open_requests import RequestInProgress
from services.gateway.application.simulation import ClockGoesBack, NotSettled, Simulation, is_settled
from shared.kernel.errors import NotFound
from shared.kernel.time import RealClock, SettableClock, instant_text, parse_instant
from shared.messaging.bus import Answer, Bus

START = datetime(2021, 11, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


class ServiceDouble:
    """A service with a clock, due timers and positions."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.due: list[datetime] = []
        self.published = self.relayed = self.open = 0
        self.tracked: dict[str, int] = {}


class TimersBus(Bus):
    """A bus to service doubles. Records which timer ran when; ``leads_to`` makes one timer set another."""

    def __init__(self, *names: str) -> None:
        self.services = {name: ServiceDouble(START) for name in names}
        self.ran: list[tuple[str, str]] = []
        self.leads_to: dict[tuple[str, str], tuple[str, datetime]] = {}
        self.polls = 0

    def send_command(self, service: str, name: str, data: dict[str, Any], **_: Any) -> Answer:
        double = self.services[service]
        if name == "clock-set":
            assert parse_instant(data["now"]) >= double.now, "no clock goes back"
            double.now = parse_instant(data["now"])
        else:
            assert name == "run-timers" and all(one.now == double.now for one in self.services.values())
            for due in [due for due in double.due if due <= double.now]:
                double.due.remove(due)
                self._run(service, due)
        return Answer({}, None, False)

    def _run(self, service: str, due: datetime) -> None:
        self.ran.append((service, instant_text(due)))
        other, at = self.leads_to.get((service, instant_text(due)), (None, None))
        if other is not None and at is not None:
            self.services[other].due.append(at)

    def send_commands(self, service: str, name: str, data: Any, **_: Any) -> Any:
        raise AssertionError("the simulation sends no batches")

    def send_query(self, service: str, name: str, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        double = self.services[service]
        if name == "timers":
            return {"next": instant_text(min(double.due)) if double.due else None, "now": instant_text(double.now)}
        self.polls += 1
        return {
            "published": double.published,
            "relayed": double.relayed,
            "tracked": dict(double.tracked),
            "open": double.open,
            "now": instant_text(double.now),
        }


@pytest.fixture
def bus() -> TimersBus:
    return TimersBus("booking", "wallet", "gateway")


@pytest.fixture
def simulation(bus: TimersBus) -> Simulation:
    return Simulation(bus, SettableClock(START), lambda _: None, services=tuple(bus.services))


def test_timers_of_all_services_run_in_order(bus: TimersBus, simulation: Simulation) -> None:
    bus.services["booking"].due = [START + 3 * HOUR, START + HOUR]
    bus.services["wallet"].due = [START + 2 * HOUR, START + 9 * HOUR]
    assert simulation.move_to(START + 5 * HOUR) == START + 5 * HOUR
    assert bus.ran == [
        ("booking", "2021-11-02T10:00:00Z"),
        ("wallet", "2021-11-02T11:00:00Z"),
        ("booking", "2021-11-02T12:00:00Z"),
    ]
    assert {double.now for double in bus.services.values()} == {START + 5 * HOUR}


def test_timers_due_at_the_target_run_with_their_consequences(bus: TimersBus, simulation: Simulation) -> None:
    target = START + HOUR
    bus.services["booking"].due = [target]
    bus.leads_to[("booking", instant_text(target))] = ("wallet", target)
    simulation.move_to(target)
    assert bus.ran == [("booking", instant_text(target)), ("wallet", instant_text(target))]


def test_overdue_timers_run_at_the_current_time(bus: TimersBus, simulation: Simulation) -> None:
    bus.services["booking"].due = [START - HOUR]
    simulation.move_to(START)
    assert bus.ran == [("booking", "2021-11-02T08:00:00Z")]
    assert bus.services["wallet"].now == START


def test_advance_adds_to_the_current_time(bus: TimersBus, simulation: Simulation) -> None:
    assert simulation.advance(90) == START + timedelta(seconds=90)


def test_moving_back_is_refused(bus: TimersBus, simulation: Simulation) -> None:
    with pytest.raises(ClockGoesBack):
        simulation.move_to(START - HOUR)
    assert bus.ran == []


def test_the_next_move_finishes_an_interrupted_one(bus: TimersBus, simulation: Simulation) -> None:
    bus.services["wallet"].now = START + 2 * HOUR
    bus.services["booking"].due = [START + HOUR]
    with pytest.raises(ClockGoesBack):
        simulation.move_to(START + HOUR)
    simulation.move_to(START + 3 * HOUR)
    assert bus.ran == [("booking", instant_text(START + HOUR))]
    assert {double.now for double in bus.services.values()} == {START + 3 * HOUR}


def test_a_real_clock_cannot_be_moved(bus: TimersBus) -> None:
    with pytest.raises(NotFound):
        Simulation(bus, RealClock(), lambda _: None, services=()).move_to(START)


def test_a_concurrent_move_is_refused(bus: TimersBus) -> None:
    inner: list[Exception] = []

    def pause(_: float) -> None:
        with pytest.raises(RequestInProgress) as caught:
            simulation.move_to(START + HOUR)
        inner.append(caught.value)

    simulation = Simulation(bus, SettableClock(START), pause, services=tuple(bus.services))
    simulation.move_to(START + HOUR)
    assert inner


def test_settle_polls_until_two_results_are_equal(bus: TimersBus, simulation: Simulation) -> None:
    positions = simulation.settle()
    assert bus.polls == 6
    assert positions["booking"]["published"] == 0


def test_settle_waits_for_messages_and_open_requests(bus: TimersBus) -> None:
    booking, wallet = bus.services["booking"], bus.services["wallet"]
    booking.published, wallet.tracked, wallet.open = 7, {"booking": 3}, 1
    steps = iter([("relayed", 7), ("tracked", {"booking": 7}), ("open", 0)])

    def pause(_: float) -> None:
        name, value = next(steps, (None, None))
        if name is not None:
            setattr(booking if name == "relayed" else wallet, name, value)

    positions = Simulation(bus, SettableClock(START), pause, services=tuple(bus.services)).settle()
    assert (booking.relayed, wallet.tracked, wallet.open) == (7, {"booking": 7}, 0)
    assert is_settled(positions)


def test_settle_times_out(bus: TimersBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.application.simulation.SETTLE_SECONDS", 0.01)
    bus.services["booking"].open = 1
    with pytest.raises(NotSettled) as caught:
        Simulation(bus, SettableClock(START), lambda _: None, services=tuple(bus.services)).settle()
    assert caught.value.extra["positions"]["booking"]["open"] == 1


def test_settle_ignores_the_time_of_a_real_clock(bus: TimersBus) -> None:
    def pause(_: float) -> None:
        for double in bus.services.values():
            double.now += timedelta(milliseconds=10)

    found = Simulation(bus, RealClock(), pause, services=tuple(bus.services)).settle()
    assert found["booking"] == {"published": 0, "relayed": 0, "tracked": {}, "open": 0}
    assert bus.polls <= 3 * len(bus.services)
