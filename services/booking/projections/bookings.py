"""Bookings and their states.

Written in bulk: the events of a transaction become one statement per set of columns, however many bookings they change.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from services.booking.domain import rules
from services.booking.domain.booking import Booking, Terms
from services.booking.domain.states import Status
from services.booking.storage import tables
from shared.eventstore import sql
from shared.projections import Projection, Rows, on

Columns = dict[str, Any]


def _waiting(booked_at: datetime, terms: Terms, invalidated_at: datetime | None = None) -> Columns:
    """The columns of a booking that waits for its use: when it expires or is validated automatically."""
    expires = rules.expires_at(terms.subcategory, booked_at, terms.beginning_at)
    return {
        "expires_at": expires,
        "expiry_due": rules.expiry_run(expires, earliest=invalidated_at) if expires else None,
        "validation_due": rules.validation_due(terms.beginning_at, invalidated_at),
        "warning_due": rules.warning_run(terms.subcategory, booked_at, invalidated_at) if expires else None,
    }


_NOTHING_DUE: Columns = {"expires_at": None, "expiry_due": None, "validation_due": None, "warning_due": None}


def _confirmed(facts: Booking.Confirmed | Booking) -> Columns:
    """The row of a booking when it is confirmed, from that event or from the aggregate."""
    terms = facts.terms
    return {
        "booking_id": facts.booking_id,
        "person_id": facts.person_id,
        "stock_id": terms.stock_id,
        "offer_id": terms.offer_id,
        "venue_id": terms.venue_id,
        "offerer_id": terms.offerer_id,
        "establishment": terms.establishment,
        "subcategory": terms.subcategory,
        "offer_name": terms.offer_name,
        "is_digital": terms.is_digital,
        "is_permanent": rules.is_permanent(terms.subcategory),
        "quantity": terms.quantity,
        "unit_price": terms.unit_price,
        "countermark": facts.countermark,
        "attempt": facts.attempt,
        "status": str(Status.CONFIRMED),
        "booked_at": facts.booked_at,
        "beginning_at": terms.beginning_at,
        "cancellation_limit_at": facts.cancellation_limit_at,
        "used_at": None,
        "cancelled_at": None,
        "cancellation_reason": None,
        "batch_id": None,
        "reimbursed_at": None,
        "activation_code": facts.activation_code,
        **_waiting(facts.booked_at, terms),
    }


def row_of(booking: Booking) -> SimpleNamespace:
    """The row of a booking in its present state, for an answer that does not read the row again."""
    waits = booking.status == Status.CONFIRMED
    changes: Columns = {
        "status": str(booking.status),
        "used_at": booking.used_at,
        "cancelled_at": booking.cancelled_at,
        "cancellation_reason": booking.cancellation_reason,
        "batch_id": booking.batch_id,
        "reimbursed_at": booking.reimbursed_at,
    }
    due = _waiting(booking.booked_at, booking.terms, booking.invalidated_at) if waits else _NOTHING_DUE
    return SimpleNamespace(**_confirmed(booking) | changes | due)


def _validated(event: Booking.Validated) -> Columns:
    return {"status": str(Status.USED), "used_at": event.used_at, **_NOTHING_DUE}


def _invalidated(event: Booking.Invalidated) -> Columns:
    return {"status": str(Status.CONFIRMED), "used_at": None, **_waiting(event.booked_at, event.terms, event.timestamp)}


def _cancelled(event: Booking.Cancelled) -> Columns:
    how = {"cancelled_at": event.timestamp, "cancellation_reason": event.reason}
    return {"status": str(Status.CANCELLED), **how, **_NOTHING_DUE}


def _restored(event: Booking.Restored) -> Columns:
    how = {"cancelled_at": None, "cancellation_reason": None}
    return {"status": str(Status.CONFIRMED), **how, **_waiting(event.booked_at, event.terms)}


def _restore_requested(event: Booking.RestoreRequested) -> Columns:
    return {"attempt": event.attempt}


def _moved(event: Booking.Moved) -> Columns:
    begins = event.terms.beginning_at
    columns: Columns = {"beginning_at": begins, "cancellation_limit_at": event.cancellation_limit_at}
    return columns | {"validation_due": rules.validation_due(begins)} if event.is_waiting else columns


def _expiry_approached(_event: Booking.ExpiryApproached) -> Columns:
    return {"warning_due": None}


def _entered_batch(event: Booking.EnteredBatch) -> Columns:
    return {"batch_id": event.batch_id}


def _reimbursed(event: Booking.Reimbursed) -> Columns:
    return {"status": str(Status.REIMBURSED), "reimbursed_at": event.timestamp}


_CHANGES: dict[type, Callable[[Any], Columns]] = {
    Booking.Confirmed: _confirmed,
    Booking.Validated: _validated,
    Booking.Invalidated: _invalidated,
    Booking.Cancelled: _cancelled,
    Booking.RestoreRequested: _restore_requested,
    Booking.Restored: _restored,
    Booking.Moved: _moved,
    Booking.ExpiryApproached: _expiry_approached,
    Booking.EnteredBatch: _entered_batch,
    Booking.Reimbursed: _reimbursed,
}


class _Changes(Rows):
    """The columns that events change, booking by booking."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._changes: dict[int, Columns] = {}

    def add(self, booking_id: int, columns: Columns) -> None:
        self._changes.setdefault(booking_id, {}).update(columns)

    def write(self) -> None:
        new = [columns for columns in self._changes.values() if "person_id" in columns]
        sql.insert_many(self.connection, tables.bookings, sorted(new, key=lambda row: row["booking_id"]))
        changed = (
            {"booking_id": number, **columns} for number, columns in self._changes.items() if "person_id" not in columns
        )
        sql.update_many(self.connection, tables.bookings, "booking_id", changed)


class Bookings(Projection):
    """In which state is a booking? Read by its person, the desk, the recap and the timers."""

    name = "bookings"
    version = 2
    tables = (tables.bookings,)
    rows = _Changes

    @on(*_CHANGES)
    def changed(self, rows: _Changes, event: Booking.Event) -> None:
        rows.add(event.booking_id, _CHANGES[type(event)](event))
