"""The simulated clock, over all services at once.

Time moves from due timer to due timer, the earliest of all services first. After each, the platform settles: every
message is handled. So a year passes as it would have, and empty nights cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.gateway.application.open_requests import RequestInProgress
from shared.contracts.calls import platform as calls
from shared.kernel.errors import Invalid, NotFound, Unavailable
from shared.kernel.time import Clock, SettableClock, instant_text, parse_instant
from shared.messaging.bus import Bus

SERVICES = ("identity", "catalog", "booking", "wallet", "payout", "gateway")

SETTLE_SECONDS = 60.0
"""A platform that has not settled after so long has a fault: health says where."""

POLL_SECONDS = 0.01
POLL_SECONDS_LATER = 0.05
SETTLED_ROUNDS = 2
MAX_STEPS = 200_000
"""Timers that fall due within one move of the clock."""

TIMER_SECONDS = 120.0
LAST_INSTANT_YEAR = 2100


class ClockGoesBack(Invalid):
    code = "clock-goes-back"


class NotSettled(Unavailable):
    code = "not-settled"


Positions = dict[str, dict[str, Any]]


class Simulation:
    """``pause`` sleeps for some seconds of the machine's clock, while other green threads run."""

    def __init__(
        self, bus: Bus, clock: Clock, pause: Callable[[float], None], services: Sequence[str] = SERVICES
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._services = services
        self._moving = False
        self.pause = pause

    def advance(self, seconds: int) -> datetime:
        """Moves the clock forward. Raises like ``move_to``."""
        return self.move_to(self._start() + timedelta(seconds=seconds))

    def move_to(self, target: datetime) -> datetime:
        """Runs every timer that falls due up to and including ``target``, each at its instant.

        Raises NotFound for a real clock, RequestInProgress, ClockGoesBack, and Unavailable when a service does not
        answer or the platform does not settle.
        """
        now = self._start()
        if self._moving:
            raise RequestInProgress("L’horloge avance déjà vers un autre instant : réessayez ensuite.")
        self._moving = True
        try:
            return self._move(now, target)
        finally:
            self._moving = False

    def _move(self, now: datetime, target: datetime) -> datetime:
        # a crash during a move may have left some services ahead: no clock moves back
        clocks = (parse_instant(self._bus.query(calls.Timers(), to=service)["now"]) for service in self._services)
        now = max([now, *clocks])
        if target < now or target.year > LAST_INSTANT_YEAR:
            raise ClockGoesBack(f"L’horloge ne recule pas : elle indique {instant_text(now)}.")
        self.settle()
        for _ in range(MAX_STEPS):
            due = self._next_due()
            if due is None or due > target:
                break
            now = max(now, due)
            self._set(now)
            self._run_due(now)
            self.settle()
        else:
            raise NotSettled("Des échéances se répètent sans fin au même instant.")
        self._set(target)
        return target

    def settle(self) -> Positions:
        """Waits until two reads in a row show the same positions and no open work. Raises NotSettled."""
        deadline = time.monotonic() + SETTLE_SECONDS
        before: Positions | None = None
        settled = rounds = 0
        while True:
            now = self._positions()
            settled = settled + 1 if is_settled(now) and now == before else int(is_settled(now))
            if settled >= SETTLED_ROUNDS:
                return now
            if time.monotonic() > deadline:
                raise NotSettled("Des messages sont encore en cours de traitement.", extra={"positions": now})
            before = now
            rounds += 1
            self.pause(POLL_SECONDS if rounds < 20 else POLL_SECONDS_LATER)

    def _start(self) -> datetime:
        if not isinstance(self._clock, SettableClock):
            raise NotFound("L’horloge est réelle : elle avance seule.")
        return self._clock.now()

    def _next_due(self) -> datetime | None:
        found = (self._bus.query(calls.Timers(), to=service)["next"] for service in self._services)
        return min((parse_instant(text) for text in found if text is not None), default=None)

    def _set(self, now: datetime) -> None:
        """The gateway's own clock moves last: what it answers is never ahead of the other services."""
        for service in sorted(self._services, key=lambda name: name == "gateway"):
            self._bus.command(calls.SetClock(now=now), to=service)

    def _run_due(self, now: datetime) -> None:
        """Calls only the services with a due timer: one may take long."""
        for service in self._services:
            next_due = self._bus.query(calls.Timers(), to=service)["next"]
            if next_due is not None and parse_instant(next_due) <= now:
                self._bus.command(calls.RunTimers(until=now), to=service, timeout=TIMER_SECONDS)

    def _positions(self) -> Positions:
        found = {service: self._bus.query(calls.Positions(), to=service) for service in self._services}
        # a real clock moves between two reads, and says nothing about open work
        return {service: {name: at for name, at in one.items() if name != "now"} for service, one in found.items()}


def is_settled(positions: Positions) -> bool:
    """Every published message has been sent and handled, and no service has open work."""
    return all(_is_service_settled(one, positions) for one in positions.values())


def _is_service_settled(one: dict[str, Any], positions: Positions) -> bool:
    if one["open"] or one["relayed"] < one["published"]:
        return False
    return all(
        tracked >= positions[source]["published"] for source, tracked in one["tracked"].items() if source in positions
    )
