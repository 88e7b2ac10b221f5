"""The timers: dated bookings are validated automatically, undated ones expire, and people are warned of an expiry and
reminded of their event. All of it in bounded transactions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.booking.application.cancelling import Cancelling, cancel_all
from services.booking.application.loading import load, load_to_cancel
from services.booking.domain import rules
from services.booking.domain.booking import Booking
from services.booking.domain.states import Means, Reason, Status
from services.booking.domain.stock import Stock
from services.booking.storage import due
from shared.contracts.calls import booking as calls
from shared.eventstore import Connection, Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.identifiers import stream_id

BATCH = 500
"""Bookings per transaction (domain.md §4.6)."""


class Due:
    def __init__(self, store: Store, cancelling: Cancelling) -> None:
        self._store, self._cancelling = store, cancelling

    def next_validation(self, connection: Connection) -> datetime | None:
        """Just after start + 48 h; at 48 h exactly a booking is not due yet (decision 31)."""
        first = due.first_validation(connection)
        return first and first + rules.TICK

    def validate(self, now: datetime) -> None:
        """Validates what fell due before ``now``; ``usedAt`` is start + 48 h, however late this runs (decision 5)."""
        self._in_batches(lambda tx: _validate(tx, now))

    def next_expiry(self, connection: Connection) -> datetime | None:
        return due.first_expiry(connection)

    def expire(self, now: datetime) -> None:
        """Cancels the bookings that expire with the nightly runs up to ``now``, and releases their credits at once."""

        def batch(tx: Transaction) -> list[Booking]:
            expired = cancel_all(tx, load_to_cancel(tx, due.to_expire(tx.connection, now, BATCH)), Reason.EXPIRED)
            tx.after_commit(lambda: self._cancelling.release(expired))
            return expired

        self._in_batches(batch)

    def next_warning(self, connection: Connection) -> datetime | None:
        return due.first_warning(connection)

    def warn(self, now: datetime) -> None:
        """Records whose expiry is near. The mails are written from the log, once each."""
        self._in_batches(lambda tx: _warn(tx, now))

    def next_eve(self, connection: Connection) -> datetime | None:
        return due.first_eve(connection)

    def remind(self, now: datetime) -> None:
        """Records which events are tomorrow. The reminders are written from the log, once each."""
        self._in_batches(lambda tx: _remind(tx, now))

    def validate_due(self, call: Call[calls.ValidateDue]) -> Outcome:
        self.validate(min(call.body.until, self._store.clock.now()))
        return {"position": self._store.published_head()}

    def _in_batches(self, batch: Callable[[Transaction], list[Any]]) -> None:
        """Ends because the bookings of a batch are not due any more afterwards."""
        while self._store.run(batch):
            pass


def _validate(tx: Transaction, now: datetime) -> list[Booking]:
    bookings = load(tx, due.to_validate(tx.connection, now, BATCH))
    for booking in bookings:
        assert booking.beginning_at is not None and booking.status == Status.CONFIRMED
        booking.validate(booking.beginning_at + rules.AUTOMATIC_VALIDATION, Means.AUTOMATIC)
    tx.save(*bookings)
    return bookings


def _warn(tx: Transaction, now: datetime) -> list[Booking]:
    bookings = load(tx, due.to_warn(tx.connection, now, BATCH))
    for booking in bookings:
        booking.approach_expiry(tx.now)
    tx.save(*bookings)
    return bookings


def _remind(tx: Transaction, now: datetime) -> list[Stock]:
    streams = [stream_id("stock", number) for number in due.stocks_on_eve(tx.connection, now, BATCH)]
    stocks = list(tx.get_many(Stock, streams).values())
    for stock in stocks:
        stock.reach_eve(tx.now)
    tx.save(*stocks)
    return stocks
