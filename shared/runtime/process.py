"""A service at work: what it answers about itself, its timers, its relay and its consumers. nameko only drives it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
import structlog

from shared import green
from shared.eventstore import Conflict, Message, Transaction, histories
from shared.eventstore.outcomes import Call, Outcome
from shared.eventstore.sql import Instant
from shared.eventstore.tables import stored_events, tracking
from shared.kernel.errors import DomainError, Invalid, NotFound, Unavailable
from shared.kernel.time import Clock, SettableClock, instant_text, parse_instant
from shared.messaging import dead_letters, following
from shared.messaging.answering import Answered, Commands, Queries
from shared.messaging.bus import Bus
from shared.messaging.calls import calling, one, read, saga
from shared.messaging.consuming import Consumer, Page, SourceCutShort
from shared.observability import metrics
from shared.observability.health import Part
from shared.projections import rebuilding
from shared.runtime.clocks import keep_clock
from shared.runtime.service import Service, Timer

log = structlog.get_logger()
REACHED_SECONDS = 3.0
LOOK_SECONDS = 0.05
LOG_PAGE = 1000
TIMER_ROUNDS = 10_000


class Process:
    """One service in this process, with its consumers; its calls are the service's own and the platform's."""

    def __init__(self, service: Service, clock: Clock, bus: Bus) -> None:
        self.service = service
        self.store = service.store
        self.clock = clock
        self.bus = bus
        self.relayed = 0
        self._reached_by: dict[str, int] = {}
        """Up to where the sources have been followed, as the table said when it was last looked at."""
        self._looked = 0.0
        self.moved = green.Event()
        """Sent, and made anew, whenever a consumer has moved: whoever waits for a position looks again."""
        self._lagged: dict[str, tuple[float, float]] = {}
        """By source, when it last told how far this one is behind, and for how many seconds it was."""
        self.folding: dict[str, rebuilding.Progress] = {}
        """The read models that are being rebuilt."""
        self.parts: dict[str, Part] = {}
        """The loops that do its work, by name."""
        self.consumers = {source: self._consumer(source) for source in service.sources}
        own_commands = {
            "clock-set": saga(self._clock_set),
            "run-timers": saga(self._run_timers),
            "replay-dead-letter": one(self._replay_dead_letter),
            "discard-dead-letter": one(lambda tx, call: {"letters": dead_letters.discard(tx, call.data["id"])}),
            "rebuild-projection": saga(self._rebuild_projection),
            "begin-history": one(lambda tx, _call: histories.begin(tx)),
            "follow-history": one(self._follow_history),
        }
        own_queries = {
            "reached": calling(self._reached),
            "log": calling(self._log),
            "positions": calling(self._positions),
            "timers": calling(self._timers),
            "health": calling(self._health),
            "backlog": read(self._backlog),
            "dead-letters": read(lambda connection, call: {"items": dead_letters.listed(connection, **call.data)}),
            "histories": read(lambda connection, _call: histories.told(connection)),
            "projections": calling(self._projections),
            "compare-projection": calling(self._compare_projection),
            "stream": read(self._stream),
        }
        self.commands = Commands(self.store, {**service.commands, **own_commands})
        self.queries = Queries(self.store, {**service.queries, **own_queries})
        self._show()

    def decide(self, calls: Sequence[Call]) -> list[Answered]:
        return self.commands.decide(calls)

    def answer(self, calls: Sequence[Call]) -> list[Any]:
        return self.queries.answer(calls)

    def react(self, source: str, messages: Sequence[Message]) -> None:
        """Handles what the bus brought; raises Unavailable or Conflict when it must be handed over again."""
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
        """Runs every timer that is due, earliest first; gives how many runs it took.

        One that fails is set aside and holds back no other; what it raised comes out at the end. Where the clock is
        simulated nothing of a later instant runs before it: a year must pass as it would have.
        """
        failed: dict[Timer, Exception] = {}
        until: datetime | None = None
        for runs in range(TIMER_ROUNDS):
            now = self.clock.now()
            waiting = [(at, timer) for at, timer in self._due_timers() if at <= (until or now) and timer not in failed]
            if not waiting:
                if failed:
                    raise _gravest(failed)
                return runs
            at, timer = waiting[0]
            try:
                timer.run(now)
            except Exception as error:
                failed[timer] = error
                if isinstance(self.clock, SettableClock):
                    until = at
        raise RuntimeError(f"timers of {self.service.name} never come to rest: {timer.name}")

    def _due_timers(self) -> list[tuple[datetime, Timer]]:
        with self.store.reading() as connection:
            found = [(timer.next_due(connection), timer) for timer in self.service.timers]
        return sorted(((due, timer) for due, timer in found if due is not None), key=lambda pair: pair[0])

    def _consumer(self, source: str) -> Consumer:
        ask = partial(self._page, source)
        return Consumer(self.store, source, self.service.reactions, ask, self.service.prepare)

    def _page(self, source: str, after: int, limit: int) -> Page:
        answer = self.bus.query(source, "log", {"after": after, "limit": limit})
        if answer.get("head", after) < after:
            raise SourceCutShort(source, answer["epoch"], answer["head"], after)
        return answer["epoch"], [Message.from_wire(wire) for wire in answer["messages"]]

    def _published(self, source: str, after: int, limit: int) -> list[Message]:
        return self._page(source, after, limit)[1]

    def _clock_set(self, calls: Sequence[Call]) -> list[Outcome]:
        return [self._set_clock(parse_instant(call.data["now"])) for call in calls]

    def _set_clock(self, now: datetime) -> Outcome:
        """Stored first: nothing is recorded at an instant that a restart would not come back to."""
        if not isinstance(self.clock, SettableClock):
            return Invalid("the clock is real")
        if now < self.clock.now():
            return Invalid("the clock does not go back")
        with self.store.transaction() as tx:
            keep_clock(tx.connection, now)
        self.clock.move_to(now)
        return {"now": instant_text(now)}

    def _run_timers(self, calls: Sequence[Call]) -> list[dict[str, Any]]:
        return [{"runs": self.run_due_timers()} for _ in calls]

    def _timers(self, _call: Call) -> dict[str, Any]:
        due = self._due_timers()
        return {"next": instant_text(due[0][0]) if due else None, "now": instant_text(self.clock.now())}

    def _replay_dead_letter(self, tx: Transaction, call: Call) -> dict[str, Any]:
        return {"letters": dead_letters.replay(tx, call.data["id"], self.service.reactions)}

    def _follow_history(self, tx: Transaction, call: Call) -> dict[str, Any]:
        source = call.data["source"]
        if source not in self.consumers:
            raise NotFound(f"{self.service.name} follows no {source!r}")
        return following.follow(tx, source, call.data["histories"], call.data.get("position"))

    def _projections(self, _call: Call) -> dict[str, Any]:
        """Read models are written with their events: what may lag is how far the sources were followed."""
        models = [
            {"name": model.name, "version": model.version, "rebuild": self._rebuild_of(model)}
            for model in self.service.read_models
        ]
        sources = []
        for source, tracked in self._tracked().items():
            head = self.bus.query(source, "positions", {})["published"]
            behind, seconds = self._lag(source, tracked)
            lag = {"behind": behind, "lagSeconds": round(seconds, 3)}
            sources.append({"source": source, "position": tracked, "head": head, **lag})
        return {"projections": models, "sources": sources}

    def _lag(self, source: str, position: int) -> tuple[int, float]:
        """How many messages a source has published after a position, and for how many seconds the first has waited."""
        backlog = self.bus.query(source, "backlog", {"after": position})
        now = self.clock.now()
        since = parse_instant(backlog["since"]) if backlog["since"] else now
        return backlog["messages"], max(0.0, (now - since).total_seconds())

    def _compare_projection(self, call: Call) -> dict[str, Any]:
        differences = rebuilding.compare(self.store, self._read_model(call), self._published)
        return {
            "differences": [
                {
                    "table": found.table,
                    "key": _json(found.key),
                    "live": _json(found.live),
                    "folded": _json(found.folded),
                }
                for found in differences
            ]
        }

    def _rebuild_projection(self, calls: Sequence[Call]) -> list[dict[str, Any]]:
        return [{"rows": self._rebuild(self._read_model(call))} for call in calls]

    def _rebuild(self, model: rebuilding.Model) -> int:
        progress = self.folding[model.name] = rebuilding.Progress()
        try:
            return rebuilding.rebuild(self.store, model, progress, self._published)
        finally:
            self.folding.pop(model.name, None)

    def _rebuild_of(self, model: rebuilding.Model) -> dict[str, Any] | None:
        """How far one has come that this process is at; another replica's is not known here."""
        progress = self.folding.get(model.name)
        if progress is None:
            return None
        left = progress.seconds_left()
        return {
            "position": progress.position,
            "head": progress.head,
            "secondsLeft": None if left is None else round(left, 1),
        }

    def _read_model(self, call: Call) -> rebuilding.Model:
        for model in self.service.read_models:
            if model.name == call.data["name"]:
                return model
        raise NotFound(f"{self.service.name} has no read model {call.data['name']!r}")

    def _stream(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """A stream's events as they are stored; sealed personal data stay sealed."""
        events = connection.execute(
            sa.select(stored_events)
            .where(stored_events.c.originator_id == UUID(call.data["streamId"]))
            .order_by(stored_events.c.originator_version)
            .limit(LOG_PAGE)
        )
        return {
            "items": [
                {
                    "position": row.id,
                    "version": row.originator_version,
                    "name": row.topic,
                    "recordedAt": instant_text(row.recorded_at),
                    "correlationId": row.correlation_id,
                    "causationId": row.causation_id,
                    "state": orjson.loads(row.state),
                }
                for row in events
            ]
        }

    def _reached(self, call: Call) -> dict[str, Any]:
        """Waits until the consumer of a source has handled a position; Unavailable when it takes too long."""
        source, position = call.data["source"], call.data["position"]
        deadline = time.monotonic() + min(float(call.data.get("seconds", REACHED_SECONDS)), 30.0)
        while source in self.consumers and self._followed(source) < position:
            moved = self.moved
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unavailable(f"{self.service.name} has not yet heard of it from {source}")
            with green.Timeout(min(left, LOOK_SECONDS), False):
                moved.wait()
        return {"reached": True}

    def _followed(self, source: str) -> int:
        """Up to where a source was followed. Another replica's consumer may be the active one: then nothing is told
        here, and the table is looked at now and then, once for all who wait."""
        own = self.consumers[source].position or 0
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._reached_by = self._tracked()
        return max(own, self._reached_by.get(source, 0))

    def _tracked(self) -> dict[str, int]:
        with self.store.reading() as connection:
            return {row.source: row.position for row in connection.execute(sa.select(tracking))}

    def _log(self, call: Call) -> dict[str, Any]:
        after, limit = int(call.data["after"]), min(int(call.data.get("limit", LOG_PAGE)), LOG_PAGE)
        messages = self.store.messages(after, limit)
        if messages:
            return {"epoch": messages[0].epoch, "messages": [message.to_wire() for message in messages]}
        with self.store.reading() as connection:
            epoch, head = self.store.log.end(connection)
        return {"epoch": epoch, "messages": [], "head": head}

    def _positions(self, _call: Call) -> dict[str, Any]:
        for consumer in self.consumers.values():
            with suppress(Conflict):  # another process of the service follows it
                consumer.store_position()
        with self.store.reading() as connection:
            return {
                "published": self.store.log.published_head(connection),
                "relayed": self.relayed,
                "tracked": {row.source: row.position for row in connection.execute(sa.select(tracking))},
                "open": self.service.open_work(connection),
                "now": instant_text(self.clock.now()),
            }

    def _backlog(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """How many messages were published after a position, and since when the first of them waits."""
        table = stored_events.c
        query = sa.select(sa.func.count(), sa.func.min(table.recorded_at, type_=Instant)).where(
            table.published, table.id > call.data["after"]
        )
        count, since = connection.execute(query).one()
        return {"messages": count, "since": instant_text(since) if since else None}

    def observe(self) -> None:
        """Brings the gauges of this service up to date, its own first: another service may not answer."""
        name = self.service.name
        with self.store.reading() as connection:
            own = self._backlog(connection, Call("backlog", {"after": self.relayed}))
            metrics.outbox_waiting.labels(name).set(own["messages"])
            metrics.dead_letters.labels(name).set(dead_letters.count_waiting(connection))
        for source, position in self._tracked().items():
            try:
                messages, seconds = self._lag(source, position)
            except DomainError:  # it does not answer, or with an error of its own: what it had waits on
                told, known = self._lagged.setdefault(source, (time.monotonic(), 0.0))
                seconds = known + time.monotonic() - told
            else:
                self._lagged[source] = (time.monotonic(), seconds)
                metrics.consumer_lag_events.labels(name, source).set(messages)
            metrics.consumer_lag_seconds.labels(name, source).set(seconds)

    def _show(self) -> None:
        """What a scrape finds out by itself, and what is 0 before it first happens."""
        name = self.service.name
        metrics.outbox_position.labels(name).set_function(lambda: self.relayed)
        metrics.trouble.labels(name).set_function(lambda: len(self.health()))
        metrics.saga_recoveries.labels(name)
        for store, engine in {name: self.store.engine, **self.service.beside}.items():
            metrics.pool_in_use.labels(name, store).set_function(partial(_connections_in_use, engine))
            pool = engine.pool
            metrics.pool_size.labels(name, store).set(pool.size() if isinstance(pool, sa.pool.QueuePool) else 1)

    def health(self) -> dict[str, str]:
        """What is not well now, by part; empty when all is well."""
        return {name: why for name, part in self.parts.items() if (why := part.trouble())}

    def lives(self) -> bool:
        """Whether all its parts are there: one that has ended comes back with another process only."""
        return all(part.lives() for part in self.parts.values())

    def _health(self, _call: Call) -> dict[str, Any]:
        return {"service": self.service.name, "trouble": self.health()}


def _connections_in_use(engine: sa.Engine) -> int:
    # what stands in memory has one connection for ever
    return engine.pool.checkedout() if isinstance(engine.pool, sa.pool.QueuePool) else 1


def _gravest(failed: Mapping[Timer, Exception]) -> Exception:
    """What is not merely somebody else's absence, with a word of the others."""
    gravest = next((error for error in failed.values() if not isinstance(error, Unavailable)), None)
    gravest = gravest or next(iter(failed.values()))
    for timer, error in failed.items():
        if error is not gravest:
            gravest.add_note(f"the timer {timer.name} failed too: {error!r}")
    return gravest


def _json(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """A row for people: what JSON has not, as text."""
    if row is None:
        return None
    readable: dict[str, Any] = orjson.loads(orjson.dumps({str(name): row[name] for name in row}, default=str))
    return readable
