"""Handles the calls that every service answers, whatever else it does (``shared/contracts/calls/platform.py``)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.contracts.calls import platform as calls
from shared.eventstore import Conflict, Connection, Message, Transaction, histories
from shared.eventstore.clock import keep_clock
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import Invalid, NotFound, Unavailable
from shared.kernel.time import SettableClock, instant_text
from shared.messaging import dead_letters, following
from shared.messaging.calls import CommandHandler, QueryHandler, calling, one, read, saga
from shared.messaging.storage.positions import tracked_positions
from shared.projections import rebuilding
from shared.runtime.running import RunningService

MAX_STREAM_EVENTS = 1_000


class PlatformCalls:
    """The handlers of one running service."""

    def __init__(self, running: RunningService) -> None:
        self._running = running
        self._service = running.service
        self._store = running.store

    def commands(self) -> list[CommandHandler]:
        return [
            saga(calls.SetClock, self._set_clocks),
            saga(calls.RunTimers, self._run_timers),
            one(calls.ReplayDeadLetter, self._replay_dead_letter),
            one(calls.DiscardDeadLetter, lambda tx, call: {"letters": dead_letters.discard(tx, call.body.id)}),
            saga(calls.RebuildProjection, self._rebuild_projection),
            one(calls.BeginHistory, lambda tx, _call: histories.begin(tx)),
            one(calls.FollowHistory, self._follow_history),
        ]

    def queries(self) -> list[QueryHandler]:
        return [
            calling(calls.Reached, self._reached),
            calling(calls.Log, self._log),
            calling(calls.Positions, self._positions),
            calling(calls.Timers, self._timers),
            calling(calls.Health, self._health),
            read(calls.Backlog, self._backlog),
            read(calls.DeadLetters, self._dead_letters),
            read(calls.Histories, lambda connection, _call: histories.stored(connection)),
            calling(calls.Projections, self._projections),
            calling(calls.CompareProjection, self._compare_projection),
            read(calls.Stream, self._stream),
        ]

    # The clock and its timers

    def _set_clocks(self, batch: Sequence[Call[calls.SetClock]]) -> list[Outcome]:
        return [self._set_clock(call.body.now) for call in batch]

    def _set_clock(self, now: datetime) -> Outcome:
        """Stores the instant before the clock moves: a restart never finds an event later than its clock."""
        clock = self._running.clock
        if not isinstance(clock, SettableClock):
            return Invalid("L’horloge est réelle : vous ne pouvez pas la régler.")
        if now < clock.now():
            return Invalid("L’horloge ne peut pas reculer : indiquez un instant plus tardif.")
        with self._store.transaction() as tx:
            keep_clock(tx.connection, now)
        clock.move_to(now)
        return {"now": instant_text(now)}

    def _run_timers(self, batch: Sequence[Call[calls.RunTimers]]) -> list[Outcome]:
        return [{"runs": self._running.run_due_timers()} for _ in batch]

    def _timers(self, _call: Call[calls.Timers]) -> dict[str, Any]:
        due = self._running.due_timers()
        return {"next": instant_text(due[0][0]) if due else None, "now": instant_text(self._running.clock.now())}

    # Positions and logs

    def _reached(self, call: Call[calls.Reached]) -> dict[str, Any]:
        """Waits until the consumer of a source has handled a position; Unavailable when it takes too long."""
        source, position = call.body.source, call.body.position
        deadline = time.monotonic() + call.body.seconds
        while not self._running.has_reached(source, position):
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unavailable(reason=f"{self._service.name} has not yet handled position {position} of {source}")
            self._running.wait_for_progress(left)
        return {"reached": True}

    def _log(self, call: Call[calls.Log]) -> dict[str, Any]:
        messages = self._store.messages(call.body.after, call.body.limit)
        if messages:
            return {"epoch": messages[0].epoch, "messages": [message.to_wire() for message in messages]}
        with self._store.reading() as connection:
            epoch, head = self._store.log.end(connection)
        return {"epoch": epoch, "messages": [], "head": head}

    def _positions(self, _call: Call[calls.Positions]) -> dict[str, Any]:
        for consumer in self._running.consumers.values():
            with suppress(Conflict):  # the consumer of another replica is the active one
                consumer.store_position()
        with self._store.reading() as connection:
            return {
                "published": self._store.log.published_head(connection),
                "relayed": self._running.relayed,
                "tracked": tracked_positions(connection),
                "open": self._service.open_work(connection),
                "now": instant_text(self._running.clock.now()),
            }

    def _backlog(self, connection: Connection, call: Call[calls.Backlog]) -> dict[str, Any]:
        """How many messages were published after a position, and since when the first of them waits."""
        count, since = self._store.log.backlog(connection, call.body.after)
        return {"messages": count, "since": instant_text(since) if since else None}

    # Dead letters and histories

    def _dead_letters(self, connection: Connection, call: Call[calls.DeadLetters]) -> dict[str, Any]:
        return {"items": dead_letters.listed(connection, after=call.body.after, limit=call.body.limit)}

    def _replay_dead_letter(self, tx: Transaction, call: Call[calls.ReplayDeadLetter]) -> dict[str, Any]:
        return {"letters": dead_letters.replay(tx, call.body.id, self._service.reactions)}

    def _follow_history(self, tx: Transaction, call: Call[calls.FollowHistory]) -> dict[str, Any]:
        body = call.body
        if body.source not in self._running.consumers:
            raise NotFound(f"Le service {self._service.name} ne suit pas « {body.source} ».")
        return following.follow(tx, body.source, body.histories.to_wire(), body.position)

    # Read models and streams

    def _projections(self, _call: Call[calls.Projections]) -> dict[str, Any]:
        """Read models are written in the transaction of their events: only the followed sources can lag."""
        models = [
            {"name": model.name, "version": model.version, "rebuild": self._rebuild_progress(model)}
            for model in self._service.read_models
        ]
        return {"projections": models, "sources": self._running.followed_sources()}

    def _rebuild_progress(self, model: rebuilding.Model) -> dict[str, Any] | None:
        """How far a rebuild in this process has come; another replica's rebuild is not known here."""
        progress = self._running.rebuilds.get(model.name)
        if progress is None:
            return None
        left = progress.seconds_left()
        return {
            "position": progress.position,
            "head": progress.head,
            "secondsLeft": None if left is None else round(left, 1),
        }

    def _compare_projection(self, call: Call[calls.CompareProjection]) -> dict[str, Any]:
        if call.body.name is None:
            differences = rebuilding.compare_own(self._store)
        else:
            differences = rebuilding.compare(self._store, self._read_model(call.body.name), self._published)
        return {
            "differences": [
                {
                    "table": found.table,
                    "key": _readable(found.key),
                    "live": _readable(found.live),
                    "folded": _readable(found.folded),
                }
                for found in differences
            ]
        }

    def _rebuild_projection(self, batch: Sequence[Call[calls.RebuildProjection]]) -> list[Outcome]:
        return [{"rows": self._rebuild(self._read_model(call.body.name))} for call in batch]

    def _rebuild(self, model: rebuilding.Model) -> int:
        progress = self._running.rebuilds[model.name] = rebuilding.Progress()
        try:
            return rebuilding.rebuild(self._store, model, progress, self._published)
        finally:
            self._running.rebuilds.pop(model.name, None)

    def _published(self, source: str, after: int, limit: int) -> list[Message]:
        return self._running.read_log(source, after, limit)[1]

    def _read_model(self, name: str) -> rebuilding.Model:
        for model in self._service.read_models:
            if model.name == name:
                return model
        raise NotFound(f"Le service {self._service.name} n’a pas de modèle de lecture « {name} ».")

    def _stream(self, connection: Connection, call: Call[calls.Stream]) -> dict[str, Any]:
        """The events of a stream as stored; sealed personal data stay sealed."""
        try:
            stream = UUID(call.body.stream_id)
        except ValueError:
            raise NotFound(f"« {call.body.stream_id} » n’est pas l’identifiant d’un flux.") from None
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
                for row in self._store.log.stored(connection, stream, MAX_STREAM_EVENTS)
            ]
        }

    # Health

    def _health(self, _call: Call[calls.Health]) -> dict[str, Any]:
        return {"service": self._service.name, "trouble": self._running.health()}


def _readable(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """A row for people: values that JSON does not have become text."""
    if row is None:
        return None
    readable: dict[str, Any] = orjson.loads(orjson.dumps({str(name): row[name] for name in row}, default=str))
    return readable
