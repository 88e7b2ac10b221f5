"""What falls due by itself: dated bookings are validated, undated ones expire. In bounded transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.application.cancelling import Cancelling, cancel_all, load
from services.booking.domain import rules
from services.booking.domain.booking import Booking, Means, Reason, Status
from services.booking.storage import bookings as stored
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError, Invalid
from shared.kernel.time import parse_instant

AT_ONCE = 500
"""Bookings per transaction (domain.md §4.6)."""


class Due:
    def __init__(self, store: Store, cancelling: Cancelling) -> None:
        self._store, self._cancelling = store, cancelling

    def next_validation(self, connection: sa.Connection) -> datetime | None:
        """Just after start + 48 h: at 48 h exactly, not yet (decision 31)."""
        due = stored.first_validation(connection)
        return due and due + rules.TICK

    def validate(self, now: datetime) -> None:
        """Validates what fell due before ``now``; ``usedAt`` is start + 48 h, however late this runs (decision 5)."""
        self._in_parts(lambda tx: _validate(tx, now))

    def next_expiry(self, connection: sa.Connection) -> datetime | None:
        return stored.first_expiry(connection)

    def expire(self, now: datetime) -> None:
        """Cancels what the runs up to ``now`` take, and gives the credits back at once."""

        def part(tx: Transaction) -> list[Booking]:
            return cancel_all(tx, load(tx, stored.to_expire(tx.connection, now, AT_ONCE)), Reason.EXPIRED)

        self._in_parts(part, after=self._cancelling.release)

    def validate_due(self, call: Call) -> Outcome:
        """``{until}`` → ``{position}``: the published position at which everything due before ``until`` is told."""
        try:
            until = _until(call.data)
        except DomainError as refusal:
            return refusal
        self.validate(min(until, self._store.clock.now()))
        return {"position": self._store.published_head()}

    def _in_parts(
        self,
        part: Callable[[Transaction], list[Booking]],
        after: Callable[[Sequence[Booking]], None] | None = None,
    ) -> None:
        """Ends because each part takes what it found out of what is due."""
        while done := self._store.run(part):
            if after is not None:
                after(done)


def _validate(tx: Transaction, now: datetime) -> list[Booking]:
    bookings = load(tx, stored.to_validate(tx.connection, now, AT_ONCE))
    for booking in bookings:
        assert booking.beginning_at is not None and booking.status == Status.CONFIRMED
        booking.validate(booking.beginning_at + rules.AUTOMATIC_VALIDATION, Means.AUTOMATIC)
    tx.save(*bookings)
    return bookings


def _until(data: dict[str, Any]) -> datetime:
    try:
        return parse_instant(data["until"])
    except (KeyError, TypeError, ValueError):
        raise Invalid(errors={"until": ["Not an instant."]}) from None
