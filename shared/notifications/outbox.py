"""Transactional outbox: notifications are written in the transaction of their events, and sent after its commit.

Delivery is at least once: a process may die between a delivery and the record of it; the notification is then sent
again when its lease expires, with the same identifier. A notification that was sent or given up keeps its identifier
only: name, address and tokens are removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from shared.eventstore import Store, Transaction
from shared.eventstore.sql import BigNumber, Instant, Json, among, insert_ignore, partial_index
from shared.kernel.time import Clock, RealClock
from shared.notifications.messages import Notification, identifier, restore
from shared.notifications.transports import DeliveryFailed, DeliveryRefused, Envelope, Transports

BATCH = 50
"""Sent per run, at most."""
MAX_DUE = 2 * BATCH
LEASE = timedelta(seconds=45)
"""How long a process may hold a notification before another one sends it. Less than the minute within which everything
that a crash interrupted must be done."""
MIN_BACKOFF = timedelta(seconds=1)
MAX_BACKOFF = timedelta(minutes=15)
MAX_ATTEMPTS = 30
"""About six hours of an absent mail server; then the notification is given up, and counted."""
MAX_PROMPT_ATTEMPTS = 3
"""A notification that has failed so often no longer counts as open work: the platform comes to rest without the mail
server."""
RECORDED_AT_ONCE = 25
"""Results per transaction: as many notifications may be sent twice when a process dies before its commit."""
DEDUPLICATED_FOR = timedelta(days=30)
"""How long the identifier of a sent notification prevents a repeat."""

SENT: dict[str, Any] = {"state": "sent", "recipient": None, "content": None, "error": None}

metadata = sa.MetaData()

notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
    sa.Column("identifier", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text),  # null once it is sent or given up, like the content
    sa.Column("content", Json),
    sa.Column("written_at", Instant, nullable=False),  # the platform's clock
    sa.Column("state", sa.Text, nullable=False),  # waiting, sent, given-up
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False),  # the machine's clock, like all retries
    sa.Column("error", sa.Text),
    partial_index(
        "notifications_waiting",
        "due_at",
        "id",
        where="state = 'waiting'",
    ),
)


def create_v1(op: Any) -> None:
    """Makes the table; called by the first migration of each service that has an outbox. Frozen once released."""
    metadata.create_all(op.get_bind())


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt at a delivery; ``failure`` has the columns to store, None when it arrived."""

    number: int
    attempt: int
    failure: dict[str, Any] | None


class Outbox:
    """One service's notifications.

    ``write`` within a transaction, ``send_due`` as a Task (``seconds=0.2``), ``open_work`` added to the service's own.
    """

    def __init__(self, service: str, store: Store, transports: Transports, *, machine: Clock | None = None) -> None:
        self._service, self._store, self._transports = service, store, transports
        self._machine = machine or RealClock()
        self._log = structlog.get_logger().bind(service=service)

    def write(self, tx: Transaction, notification: Notification, *, key: str) -> None:
        """Sends the notification once the transaction commits, never when it rolls back.

        ``key`` names the occasion (``booking-confirmed/17/1``): the same key, kind and recipient is sent once.
        """
        self.write_all(tx, [(key, notification)])

    def write_all(self, tx: Transaction, keyed: Sequence[tuple[str, Notification]]) -> None:
        """Many in one statement, each with its key."""
        rows = [
            {
                "identifier": identifier(self._service, notification.kind, key, notification.to),
                "kind": notification.kind,
                "recipient": notification.to,
                "content": notification.content(),
                "written_at": tx.now,
                "state": "waiting",
                "attempts": 0,
                "due_at": self._machine.now(),
            }
            for key, notification in keyed
        ]
        insert_ignore(tx.connection, notifications, rows)

    def open_work(self, connection: sa.Connection) -> int:
        """How many are about to be sent; one that keeps failing is late instead."""
        table = notifications.c
        return connection.execute(
            sa.select(sa.func.count()).where(table.state == "waiting", table.attempts < MAX_PROMPT_ATTEMPTS)
        ).scalar_one()

    def has_room(self, connection: sa.Connection) -> bool:
        """Whether fewer than ``MAX_DUE`` are due: back-pressure on writers that are faster than the sending.

        Leased notifications do not count: those of a process that died must not block the others until the lease ends.
        """
        return len(connection.execute(self._due().with_only_columns(notifications.c.id).limit(MAX_DUE)).all()) < MAX_DUE

    def late(self, connection: sa.Connection) -> int:
        """How many have failed too often to count as open work: for health and metrics."""
        table = notifications.c
        return connection.execute(
            sa.select(sa.func.count()).where(table.state == "waiting", table.attempts >= MAX_PROMPT_ATTEMPTS)
        ).scalar_one()

    def send_due(self) -> None:
        """Sends the notifications that are due, the longest due first, at most ``BATCH``."""
        with self._store.reading() as connection:
            if connection.execute(self._due().limit(1)).first() is None:
                return
        taken = self._take()
        for start in range(0, len(taken), RECORDED_AT_ONCE):
            self._record(self._send(taken[start : start + RECORDED_AT_ONCE]))

    def forget(self) -> None:
        """Deletes the identifiers of notifications sent long ago; to be run as a Task."""
        table = notifications.c
        old = table.due_at < self._machine.now() - DEDUPLICATED_FOR
        with self._store.transaction() as tx:
            tx.connection.execute(notifications.delete().where(table.state != "waiting", old))

    def withdraw(self, tx: Transaction, recipient: str) -> None:
        """Gives up the notifications that wait for a recipient: the person is being erased."""
        table = notifications.c
        tx.connection.execute(
            notifications.update()
            .where(table.state == "waiting", table.recipient == recipient)
            .values(state="given-up", recipient=None, content=None, error="withdrawn")
        )

    def _due(self) -> sa.Select[Any]:
        table = notifications.c
        waiting = sa.select(notifications).where(table.state == "waiting", table.due_at <= self._machine.now())
        return waiting.order_by(table.due_at, table.id)

    def _take(self) -> list[sa.Row[Any]]:
        """Leases the notifications that are due: another process skips them while this one sends."""
        with self._store.transaction() as tx:
            # ignored by SQLite, whose transactions exclude each other
            rows = list(tx.connection.execute(self._due().limit(BATCH).with_for_update(skip_locked=True)))
            leased = {"attempts": notifications.c.attempts + 1, "due_at": self._machine.now() + LEASE}
            _change(tx, among(notifications.c.id, [row.id for row in rows]), leased)
        return rows

    def _send(self, rows: Sequence[sa.Row[Any]]) -> list[Sent]:
        sent = []
        for kind in sorted({row.kind for row in rows}):
            of_kind = [row for row in rows if row.kind == kind]
            envelopes = [
                Envelope(row.identifier, row.written_at, restore(kind, row.recipient, row.content)) for row in of_kind
            ]
            outcomes = self._transports[kind].deliver_all(envelopes)
            sent += [self._attempted(row, error) for row, error in zip(of_kind, outcomes, strict=True)]
        return sent

    def _attempted(self, row: sa.Row[Any], error: Exception | None) -> Sent:
        attempt = row.attempts + 1
        if error is None:
            return Sent(row.id, attempt, None)
        if not isinstance(error, DeliveryFailed):
            self._log.error("notification not sent", identifier=row.identifier, kind=row.kind, exc_info=error)
            error = DeliveryFailed(type(error).__name__)
        return Sent(row.id, attempt, self._failed(row, attempt, error))

    def _failed(self, row: sa.Row[Any], attempt: int, error: DeliveryFailed) -> dict[str, Any]:
        final = isinstance(error, DeliveryRefused) or attempt >= MAX_ATTEMPTS
        # the server's answer may quote the recipient's address: it is not kept once the notification is given up
        if final:
            self._log.warning("notification given up", identifier=row.identifier, kind=row.kind, attempts=attempt)
            return {"state": "given-up", "recipient": None, "content": None, "error": type(error).__name__}
        self._log.info("notification delayed", identifier=row.identifier, kind=row.kind, attempts=attempt)
        return {"due_at": self._machine.now() + backoff(attempt), "error": str(error)[:500]}

    def _record(self, tried: Sequence[Sent]) -> None:
        """Stores the results. Guarded by the attempt number: a process that outlived its lease changes nothing."""
        table = notifications.c
        with self._store.transaction() as tx:
            for attempt in sorted({one.attempt for one in tried}):
                sent = [one.number for one in tried if one.attempt == attempt and one.failure is None]
                _change(tx, sa.and_(among(table.id, sent), table.attempts == attempt), SENT)
            for one in tried:
                if one.failure is not None:
                    _change(tx, sa.and_(table.id == one.number, table.attempts == one.attempt), one.failure)


def _change(tx: Transaction, which: sa.ColumnElement[bool], values: dict[str, Any]) -> None:
    waiting = notifications.c.state == "waiting"
    tx.connection.execute(notifications.update().where(waiting, which).values(**values))


def backoff(attempt: int) -> timedelta:
    """Exponential back-off: doubles from one second up to a quarter of an hour."""
    doubled: timedelta = MIN_BACKOFF * (1 << min(attempt - 1, 20))
    return min(doubled, MAX_BACKOFF)
