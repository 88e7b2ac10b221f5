"""Transactions of a service: rows first, the log last.

A log is totally ordered: positions are assigned under the log's lock, which is held until the commit. A reader that has
seen position *n* never sees a smaller one later. Positions may have gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from eventsourcing.domain import Aggregate

from shared.eventstore.context import Cause, current_cause, note_position
from shared.eventstore.database import Database
from shared.eventstore.errors import Conflict, translated
from shared.eventstore.log import Log
from shared.eventstore.mapper import EventMapper
from shared.eventstore.outcomes import Call, Outcome, Outcomes
from shared.eventstore.projection import Projection
from shared.eventstore.publication import Message, Publication
from shared.eventstore.waiting import READ_SECONDS, limit_answers
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.time import Clock

A = TypeVar("A", bound=Aggregate)
T = TypeVar("T")

MAX_ATTEMPTS = 8

_NEXT = sa.text(
    "INSERT INTO numbers (kind, value) VALUES (:kind, :count)"
    " ON CONFLICT (kind) DO UPDATE SET value = numbers.value + excluded.value RETURNING value"
)


class Transaction:
    """A transaction, made by ``Store.transaction``."""

    def __init__(self, store: Store, connection: sa.Connection) -> None:
        self.store = store
        self.connection = connection
        self.now: datetime = store.clock.now()
        self.position: int | None = None
        self.outcomes = Outcomes(self.connection, self.now)
        self.attempt = 1
        """How often ``Store.run`` has begun this work, conflicts included."""
        self.locals: dict[type, Any] = {}
        """Transaction-local objects of the service, by type."""
        self.to_do_after_commit: list[Callable[[], None]] = []
        self._before_flush: list[Callable[[], None]] = []
        self._known: dict[UUID, Aggregate | None] = {}
        self._unprojected: list[Any] = []
        self._unlogged: list[tuple[Any, Cause]] = []

    def get(self, kind: type[A], identifier: UUID) -> A | None:
        """The aggregate, or None if its stream is empty. The same object each time (identity map)."""
        return self.get_many(kind, [identifier]).get(identifier)

    def get_many(self, kind: type[A], identifiers: Iterable[UUID]) -> dict[UUID, A]:
        """The aggregates that exist, loaded by one statement."""
        wanted = list(dict.fromkeys(identifiers))
        unread = [identifier for identifier in wanted if identifier not in self._known]
        if unread:
            self._known.update(dict.fromkeys(unread))
            for event in self.store.log.streams(self.connection, unread):
                self._known[event.originator_id] = event.mutate(self._known[event.originator_id])
        found: dict[UUID, A] = {}
        for identifier in wanted:
            aggregate = self._known[identifier]
            if aggregate is not None:
                if not isinstance(aggregate, kind):
                    raise TypeError(f"{identifier} is a {type(aggregate).__name__}, not a {kind.__name__}")
                found[identifier] = aggregate
        return found

    def save(self, *aggregates: Aggregate) -> None:
        """Collects the pending events of the aggregates. May be called again, for later ones."""
        for aggregate in aggregates:
            self._known[aggregate.id] = aggregate
            events = aggregate.collect_events()
            self._unprojected.extend(events)
            cause = current_cause()
            self._unlogged.extend((event, cause) for event in events)

    def next_number(self, kind: str, count: int = 1) -> int:
        """The first of ``count`` new consecutive positive numbers of a kind."""
        last: int = self.connection.execute(_NEXT, {"kind": kind, "count": count}).scalar_one()
        return last - count + 1

    def change(self, statement: sa.Executable, values: dict[str, Any]) -> int:
        """Carries out a statement; returns how many rows it changed."""
        return int(self.connection.execute(statement, values).rowcount)

    def before_flush(self, write: Callable[[], None]) -> None:
        """Has ``write`` called once, by the next flush, so that one statement writes the rows of many decisions."""
        self._before_flush.append(write)

    def after_commit(self, work: Callable[[], None]) -> None:
        """``work`` is called once the transaction has committed, outside of it; never after a rollback."""
        self.to_do_after_commit.append(work)

    def flush(self) -> None:
        """Folds the saved events into the read models, to be read within this transaction."""
        waiting, self._before_flush = self._before_flush, []
        for write in waiting:
            write()
        events, self._unprojected = self._unprojected, []
        for projection in self.store.projections:
            projection.apply(self.connection, events)

    def finish(self) -> None:
        """Writes the rows, then the log: its lock is held for one round trip, which appends and commits."""
        self.flush()
        if self._unlogged:
            self.position = self.store.log.append(self.connection, self._unlogged, self.store.clock.now())


class Store:
    """One service's database: its log, its read models, its outcomes.

    ``on_commit`` functions are called after each commit that published messages (they wake the relay), ``on_write``
    functions after each transaction (they wake the tasks).
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        clock: Clock,
        aggregates: Sequence[type[Aggregate]],
        publication: Publication,
        projections: Sequence[Projection] = (),
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.projections = tuple(projections)
        self.publication = publication
        self.mapper = EventMapper(aggregates)
        self.log = Log(self.mapper, publication)
        self.on_commit: list[Callable[[], None]] = []
        self.on_write: list[Callable[[], None]] = []
        self._database = Database(engine)

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits at the end; rolls back on any exception. Raises Conflict or StoreUnavailable."""
        with translated(), self._database.writing() as connection:
            tx = Transaction(self, connection)
            yield tx
            tx.finish()
        if tx.position is not None:
            note_position(tx.position)
            for wake in self.on_commit:
                wake()
        for wake in self.on_write:
            wake()
        for work in tx.to_do_after_commit:
            work()

    def change(self, statement: sa.Executable, values: dict[str, Any]) -> int:
        """Carries out one statement in a new transaction; returns the number of changed rows."""
        if self._database.has_one_writer:
            with self.transaction() as tx:
                return tx.change(statement, values)
        with translated(), self._database.reading() as connection:
            return int(connection.execute(statement, values).rowcount)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for quick queries: on PostgreSQL each statement has a snapshot of its own (READ COMMITTED).

        Raises StoreUnavailable if one takes longer than READ_SECONDS: its caller's time-out is over by then.
        """
        with translated(), self._database.reading() as connection:
            if not self._database.has_one_writer:
                limit_answers(connection, READ_SECONDS)
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection whose statements share one snapshot (REPEATABLE READ), for sums that must add up."""
        with translated(), self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` in a transaction, and again in a new one after a conflict: ``Transaction.attempt`` counts.

        Raises Conflict when the last attempt fails too.
        """
        attempt = 1
        while True:
            try:
                with self.transaction() as tx:
                    tx.attempt = attempt
                    result = work(tx)
                return result
            except Conflict:
                if attempt == MAX_ATTEMPTS:
                    raise
                attempt += 1

    def decide(self, call: Call[Any], work: Callable[[Transaction], Outcome]) -> Outcome:
        """Runs ``work`` like ``run`` and stores its outcome under the call's key in the same transaction.

        A refusal that ``work`` raises undoes what it wrote, and is stored in a transaction of its own. A key that was
        answered before gets the stored outcome. Raises Unavailable, which is never stored, and Conflict.
        """
        try:
            return self.run(lambda tx: tx.outcomes.stored_or_new(call, lambda: work(tx)))
        except Unavailable:
            raise
        except DomainError as refusal:
            return self.record(call, refusal)

    def record(self, call: Call[Any], outcome: Outcome) -> Outcome:
        """Stores an outcome under the call's key in a transaction of its own; returns the first one stored."""
        return self.run(lambda tx: tx.outcomes.stored_or_new(call, lambda: outcome))

    def epoch(self) -> str:
        """The name of the present history. It changes with a restore, perhaps by another process."""
        with self.reading() as connection:
            return self.log.epoch(connection)

    def messages(self, after: int, limit: int) -> list[Message]:
        """The messages that were published after a position, in order, at most ``limit``."""
        with self.reading() as connection:
            return self.log.messages(connection, after, limit)

    def unsent(self, limit: int) -> tuple[int, list[Message]]:
        """The relay's position and the messages after it, at most ``limit``.

        One statement reads both: the relay of another process may move the position at any time.
        """
        with self.reading() as connection:
            return self.log.unsent(connection, limit)

    def published_head(self) -> int:
        """The last published position, or 0."""
        with self.reading() as connection:
            return self.log.published_head(connection)
