"""The simulated clock over services that are no more than timers and positions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.application.simulation import (
    ClockGoesBack,
    ClockIsMoving,
    ClockIsReal,
    NotSettled,
    Simulation,
    is_settled,
)
from shared.kernel.time import RealClock, SettableClock, instant_text, parse_instant
from shared.messaging.bus import Answer, Bus

START = datetime(2021, 11, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Station:
    """A service with a clock and due instants; running one may make another due elsewhere."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.due: list[datetime] = []
        self.published = self.relayed = self.open = 0
        self.tracked: dict[str, int] = {}


class World(Bus):
    """A bus to stations; it writes down which timer ran at which instant."""

    def __init__(self, *names: str) -> None:
        self.stations = {name: Station(START) for name in names}
        self.ran: list[tuple[str, str]] = []
        self.leads_to: dict[tuple[str, str], tuple[str, datetime]] = {}
        self.looks = 0

    def send_command(self, service: str, name: str, data: dict[str, Any], **_: Any) -> Answer:
        station = self.stations[service]
        if name == "clock-set":
            assert parse_instant(data["now"]) >= station.now, "no service is asked to go back"
            station.now = parse_instant(data["now"])
        else:
            assert name == "run-timers" and all(one.now == station.now for one in self.stations.values())
            for due in [due for due in station.due if due <= station.now]:
                station.due.remove(due)
                self._run(service, due)
        return Answer({}, None, False)

    def _run(self, service: str, due: datetime) -> None:
        self.ran.append((service, instant_text(due)))
        other, at = self.leads_to.get((service, instant_text(due)), (None, None))
        if other is not None and at is not None:
            self.stations[other].due.append(at)

    def send_commands(self, service: str, name: str, data: Any, **_: Any) -> Any:
        raise AssertionError("the simulation sends no batches")

    def send_query(self, service: str, name: str, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        station = self.stations[service]
        if name == "timers":
            return {"next": instant_text(min(station.due)) if station.due else None, "now": instant_text(station.now)}
        self.looks += 1
        return {
            "published": station.published,
            "relayed": station.relayed,
            "tracked": dict(station.tracked),
            "open": station.open,
            "now": instant_text(station.now),
        }


@pytest.fixture
def world() -> World:
    return World("booking", "wallet", "gateway")


@pytest.fixture
def simulation(world: World) -> Simulation:
    return Simulation(world, SettableClock(START), lambda _: None, services=tuple(world.stations))


def test_timers_run_in_the_order_of_their_instants_over_all_services(world: World, simulation: Simulation) -> None:
    world.stations["booking"].due = [START + 3 * HOUR, START + HOUR]
    world.stations["wallet"].due = [START + 2 * HOUR, START + 9 * HOUR]
    assert simulation.move_to(START + 5 * HOUR) == START + 5 * HOUR
    assert world.ran == [
        ("booking", "2021-11-02T10:00:00Z"),
        ("wallet", "2021-11-02T11:00:00Z"),
        ("booking", "2021-11-02T12:00:00Z"),
    ]
    assert {station.now for station in world.stations.values()} == {START + 5 * HOUR}


def test_what_falls_due_at_the_target_runs_and_what_follows_from_it_too(world: World, simulation: Simulation) -> None:
    target = START + HOUR
    world.stations["booking"].due = [target]
    world.leads_to[("booking", instant_text(target))] = ("wallet", target)
    simulation.move_to(target)
    assert world.ran == [("booking", instant_text(target)), ("wallet", instant_text(target))]


def test_what_is_late_runs_at_the_present_instant(world: World, simulation: Simulation) -> None:
    world.stations["booking"].due = [START - HOUR]
    simulation.move_to(START)
    assert world.ran == [("booking", "2021-11-02T08:00:00Z")]
    assert world.stations["wallet"].now == START


def test_advancing_counts_from_where_the_clock_stands(world: World, simulation: Simulation) -> None:
    assert simulation.advance(90) == START + timedelta(seconds=90)


def test_backwards_is_refused(world: World, simulation: Simulation) -> None:
    with pytest.raises(ClockGoesBack):
        simulation.move_to(START - HOUR)
    assert world.ran == []


def test_a_move_that_was_cut_short_is_finished_by_the_next(world: World, simulation: Simulation) -> None:
    world.stations["wallet"].now = START + 2 * HOUR
    world.stations["booking"].due = [START + HOUR]
    with pytest.raises(ClockGoesBack):
        simulation.move_to(START + HOUR)
    simulation.move_to(START + 3 * HOUR)
    assert world.ran == [("booking", instant_text(START + HOUR))]
    assert {station.now for station in world.stations.values()} == {START + 3 * HOUR}


def test_a_real_clock_is_not_moved(world: World) -> None:
    with pytest.raises(ClockIsReal):
        Simulation(world, RealClock(), lambda _: None, services=()).move_to(START)


def test_two_moves_at_once_are_refused(world: World) -> None:
    inner: list[Exception] = []

    def pause(_: float) -> None:
        with pytest.raises(ClockIsMoving) as caught:
            simulation.move_to(START + HOUR)
        inner.append(caught.value)

    simulation = Simulation(world, SettableClock(START), pause, services=tuple(world.stations))
    simulation.move_to(START + HOUR)
    assert inner


def test_settling_takes_two_looks_that_are_alike(world: World, simulation: Simulation) -> None:
    positions = simulation.settle()
    assert world.looks == 6
    assert positions["booking"]["published"] == 0


def test_settling_waits_for_what_is_under_way(world: World) -> None:
    booking, wallet = world.stations["booking"], world.stations["wallet"]
    booking.published, wallet.tracked, wallet.open = 7, {"booking": 3}, 1
    steps = iter([("relayed", 7), ("tracked", {"booking": 7}), ("open", 0)])

    def pause(_: float) -> None:
        name, value = next(steps, (None, None))
        if name is not None:
            setattr(booking if name == "relayed" else wallet, name, value)

    positions = Simulation(world, SettableClock(START), pause, services=tuple(world.stations)).settle()
    assert (booking.relayed, wallet.tracked, wallet.open) == (7, {"booking": 7}, 0)
    assert is_settled(positions)


def test_settling_gives_up_after_its_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.application.simulation.SETTLE_SECONDS", 0.01)
    world.stations["booking"].open = 1
    with pytest.raises(NotSettled) as caught:
        Simulation(world, SettableClock(START), lambda _: None, services=tuple(world.stations)).settle()
    assert caught.value.extra["positions"]["booking"]["open"] == 1


def test_a_real_clock_settles_although_it_moves_between_any_two_looks(world: World) -> None:
    def pause(_: float) -> None:
        for station in world.stations.values():
            station.now += timedelta(milliseconds=10)

    found = Simulation(world, RealClock(), pause, services=tuple(world.stations)).settle()
    assert found["booking"] == {"published": 0, "relayed": 0, "tracked": {}, "open": 0}
    assert world.looks <= 3 * len(world.stations)
