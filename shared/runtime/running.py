"""A service at work: its consumers, timers, positions and health. nameko drives it; ``process.py`` adds its calls."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from shared import green
from shared.contracts.calls import platform as calls
from shared.eventstore import Message
from shared.eventstore.engines import connections_in_use, pool_size
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.time import Clock, SettableClock, parse_instant
from shared.messaging.bus import Bus
from shared.messaging.consuming import Consumer, Page, SourceCutShort
from shared.messaging.storage import dead_letters
from shared.messaging.storage.positions import tracked_positions
from shared.observability import metrics
from shared.observability.health import Part
from shared.projections.rebuilding import Progress
from shared.runtime.service import Service, Timer

log = structlog.get_logger()
LOOK_SECONDS = 0.05
TIMER_ROUNDS = 10_000


class RunningService:
    """One service in this process, with its consumers and timers."""

    def __init__(self, service: Service, clock: Clock, bus: Bus) -> None:
        self.service = service
        self.store = service.store
        self.clock = clock
        self.bus = bus
        self.relayed = 0
        self._reached_by: dict[str, int] = {}
        """The tracked positions, as last read from the table."""
        self._looked = 0.0
        self.moved = green.Event()
        """Sent and replaced whenever a consumer has moved: callers who wait for a position check again."""
        self._lagged: dict[str, tuple[float, float]] = {}
        """By source: when its lag was last measured, and the lag in seconds."""
        self.rebuilds: dict[str, Progress] = {}
        """The read models that this process rebuilds now, by name."""
        self.parts: dict[str, Part] = {}
        """The health of each background loop, by name."""
        self.consumers = {source: self._consumer(source) for source in service.sources}
        self._register_metrics()

    def react(self, source: str, messages: Sequence[Message]) -> None:
        """Handles messages from the bus; raises Unavailable or Conflict when they must be redelivered."""
        self.consumers[source].handle(messages)
        self.announce()

    def catch_up(self, source: str) -> int:
        handled = self.consumers[source].catch_up()
        if handled:
            self.announce()
        return handled

    def announce(self) -> None:
        moved, self.moved = self.moved, green.Event()
        moved.send(None)

    def run_due_timers(self) -> int:
        """Runs every timer that is due, earliest first; returns how many runs it took.

        A timer that fails does not stop the others; its error is raised at the end. With a simulated clock no timer of
        a later instant runs before it, so that a simulated year passes in the same order as a real one.
        """
        failed: dict[Timer, Exception] = {}
        until: datetime | None = None
        for runs in range(TIMER_ROUNDS):
            now = self.clock.now()
            waiting = [(at, timer) for at, timer in self.due_timers() if at <= (until or now) and timer not in failed]
            if not waiting:
                if failed:
                    raise _worst(failed)
                return runs
            at, timer = waiting[0]
            try:
                timer.run(now)
            except Exception as error:
                failed[timer] = error
                if isinstance(self.clock, SettableClock):
                    until = at
        raise RuntimeError(f"timers of {self.service.name} keep falling due: {timer.name}")

    def due_timers(self) -> list[tuple[datetime, Timer]]:
        with self.store.reading() as connection:
            found = [(timer.next_due(connection), timer) for timer in self.service.timers]
        return sorted(((due, timer) for due, timer in found if due is not None), key=lambda pair: pair[0])

    def _consumer(self, source: str) -> Consumer:
        ask = partial(self.read_log, source)
        return Consumer(self.store, source, self.service.reactions, ask, self.service.prepare)

    def read_log(self, source: str, after: int, limit: int) -> Page:
        """What a source published after a position. Raises SourceCutShort when its log ends before that."""
        answer = self.bus.query(calls.Log(after=after, limit=limit), to=source)
        if answer.get("head", after) < after:
            raise SourceCutShort(source, answer["epoch"], answer["head"], after)
        return answer["epoch"], [Message.from_wire(wire) for wire in answer["messages"]]

    def followed_sources(self) -> list[dict[str, Any]]:
        """How far each source is followed: ``{source, position, head, behind, lagSeconds}``."""
        found = []
        for source, position in self._tracked().items():
            head = self.bus.query(calls.Positions(), to=source)["published"]
            behind, seconds = self._lag(source, position)
            lag = {"behind": behind, "lagSeconds": round(seconds, 3)}
            found.append({"source": source, "position": position, "head": head, **lag})
        return found

    def _lag(self, source: str, position: int) -> tuple[int, float]:
        """How many messages a source has published after a position, and for how many seconds the first has waited."""
        backlog = self.bus.query(calls.Backlog(after=position), to=source)
        now = self.clock.now()
        since = parse_instant(backlog["since"]) if backlog["since"] else now
        return backlog["messages"], max(0.0, (now - since).total_seconds())

    def has_reached(self, source: str, position: int) -> bool:
        """Whether the messages of a source are handled up to a position; one that is not followed counts as handled."""
        return source not in self.consumers or self._followed(source) >= position

    def wait_for_progress(self, seconds: float) -> None:
        """Until a consumer has moved, or for so long at most; the tracked positions of other replicas are polled."""
        moved = self.moved
        with green.Timeout(min(seconds, LOOK_SECONDS), False):
            moved.wait()

    def _followed(self, source: str) -> int:
        """Up to where a source is followed. The active consumer may be another replica's: then the table is polled,
        once for all callers who wait."""
        own = self.consumers[source].position or 0
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._reached_by = self._tracked()
        return max(own, self._reached_by.get(source, 0))

    def _tracked(self) -> dict[str, int]:
        with self.store.reading() as connection:
            return tracked_positions(connection)

    def observe(self) -> None:
        """Updates this service's gauges. Those that need another service come last: it may not answer."""
        name = self.service.name
        with self.store.reading() as connection:
            waiting, _since = self.store.log.backlog(connection, self.relayed)
            metrics.outbox_waiting.labels(name).set(waiting)
            metrics.dead_letters.labels(name).set(dead_letters.count_waiting(connection))
        for source, position in self._tracked().items():
            try:
                messages, seconds = self._lag(source, position)
            except DomainError:  # the source does not answer: the last known lag keeps growing
                measured, known = self._lagged.setdefault(source, (time.monotonic(), 0.0))
                seconds = known + time.monotonic() - measured
            else:
                self._lagged[source] = (time.monotonic(), seconds)
                metrics.consumer_lag_events.labels(name, source).set(messages)
            metrics.consumer_lag_seconds.labels(name, source).set(seconds)

    def _register_metrics(self) -> None:
        """Gauges that a scrape evaluates, and counters that exist before they first count."""
        name = self.service.name
        metrics.outbox_position.labels(name).set_function(lambda: self.relayed)
        metrics.trouble.labels(name).set_function(lambda: len(self.health()))
        metrics.saga_recoveries.labels(name)
        for store, engine in {name: self.store.engine, **self.service.extra_engines}.items():
            metrics.pool_in_use.labels(name, store).set_function(partial(connections_in_use, engine))
            metrics.pool_size.labels(name, store).set(pool_size(engine))

    def health(self) -> dict[str, str]:
        """The trouble of each part that has some; empty when all is well."""
        return {name: why for name, part in self.parts.items() if (why := part.trouble())}

    def lives(self) -> bool:
        """Whether every background loop still runs: only a restart of the process restores a loop that ended."""
        return all(part.lives() for part in self.parts.values())


def _worst(failed: Mapping[Timer, Exception]) -> Exception:
    """The first error that is not a transient failure, else the first; the others are added as notes."""
    worst = next((error for error in failed.values() if not isinstance(error, Unavailable)), None)
    worst = worst or next(iter(failed.values()))
    for timer, error in failed.items():
        if error is not worst:
            worst.add_note(f"the timer {timer.name} failed too: {error!r}")
    return worst
