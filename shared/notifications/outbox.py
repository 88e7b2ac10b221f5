"""Transactional outbox: notifications are written in the transaction of their events, and sent after its commit.

Delivery is at least once: a process may die between a delivery and the record of it; the notification is then sent
again when its lease expires, with the same identifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog

from shared.eventstore import Connection, Row, Store, Transaction
from shared.kernel.time import Clock, RealClock
from shared.notifications import storage
from shared.notifications.messages import Notification, identifier, restore
from shared.notifications.storage import Attempt
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
                "due_at": self._machine.now(),
            }
            for key, notification in keyed
        ]
        storage.add(tx.connection, rows)

    def open_work(self, connection: Connection) -> int:
        """How many are about to be sent; one that keeps failing no longer counts."""
        return storage.count_waiting(connection, MAX_PROMPT_ATTEMPTS)

    def has_room(self, connection: Connection) -> bool:
        """Whether fewer than ``MAX_DUE`` are due: back-pressure on writers that are faster than the sending.

        Leased notifications do not count: those of a process that died must not block the others until the lease ends.
        """
        return storage.count_due(connection, self._machine.now(), MAX_DUE) < MAX_DUE

    def send_due(self) -> None:
        """Sends the notifications that are due, the longest due first, at most ``BATCH``."""
        with self._store.reading() as connection:
            if not storage.count_due(connection, self._machine.now(), 1):
                return
        taken = self._take()
        for start in range(0, len(taken), RECORDED_AT_ONCE):
            attempts = self._send(taken[start : start + RECORDED_AT_ONCE])
            with self._store.transaction() as tx:
                storage.record(tx.connection, attempts)

    def forget(self) -> None:
        """Deletes the identifiers of notifications sent long ago; to be run as a Task."""
        with self._store.transaction() as tx:
            storage.delete_done(tx.connection, self._machine.now() - DEDUPLICATED_FOR)

    def withdraw(self, tx: Transaction, recipient: str) -> None:
        """Gives up the notifications that wait for a recipient: the person is being erased."""
        storage.withdraw(tx.connection, recipient)

    def _take(self) -> list[Row[Any]]:
        with self._store.transaction() as tx:
            now = self._machine.now()
            return storage.lease(tx.connection, now, now + LEASE, BATCH)

    def _send(self, rows: Sequence[Row[Any]]) -> list[Attempt]:
        attempts = []
        for kind in sorted({row.kind for row in rows}):
            of_kind = [row for row in rows if row.kind == kind]
            envelopes = [
                Envelope(row.identifier, row.written_at, restore(kind, row.recipient, row.content)) for row in of_kind
            ]
            outcomes = self._transports[kind].deliver_all(envelopes)
            attempts += [self._attempted(row, error) for row, error in zip(of_kind, outcomes, strict=True)]
        return attempts

    def _attempted(self, row: Row[Any], error: Exception | None) -> Attempt:
        number = row.attempts + 1
        if error is None:
            return Attempt(row.id, number)
        if not isinstance(error, DeliveryFailed):
            self._log.error("notification not sent", identifier=row.identifier, kind=row.kind, exc_info=error)
            error = DeliveryFailed(type(error).__name__)
        if isinstance(error, DeliveryRefused) or number >= MAX_ATTEMPTS:
            self._log.warning("notification given up", identifier=row.identifier, kind=row.kind, attempts=number)
            # the server's answer may quote the recipient's address: it is not kept
            return Attempt(row.id, number, type(error).__name__)
        self._log.info("notification delayed", identifier=row.identifier, kind=row.kind, attempts=number)
        return Attempt(row.id, number, str(error)[:500], self._machine.now() + backoff(number))


def backoff(attempt: int) -> timedelta:
    """Exponential back-off: doubles from one second up to a quarter of an hour."""
    doubled: timedelta = MIN_BACKOFF * (1 << min(attempt - 1, 20))
    return min(doubled, MAX_BACKOFF)
