"""Read models, folded from booking's own log.

``bookings`` is folded in bulk: the events of a transaction become one statement per set of columns, however many
bookings they change. The use cases write the guards (places, live bookings, countermarks, open requests) themselves,
in the transaction that decides; their handlers serve comparisons and rebuilds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from services.booking.domain import rules
from services.booking.domain.booking import Asked, Booking, Status, Terms, validation_due
from services.booking.domain.stock import Stock
from services.booking.storage import tables
from shared.eventstore import sql
from shared.eventstore.outcomes import Call, Caller
from shared.projections import Projection, Rows, on

Columns = dict[str, Any]


def call_of(asked: Asked) -> Call[Any]:
    """The command under whose key a request's outcome is stored."""
    caller = None if asked.account_id is None else Caller(asked.account_id)
    return Call(asked.name, asked.data, asked.key, caller)


def open_request(booking_id: int, asked: Asked) -> Columns:
    call = call_of(asked)
    return {"booking_id": booking_id, "owner": call.owner(), "key": call.key, "fingerprint": call.fingerprint()}


def _waiting(booked_at: datetime, terms: Terms, invalidated_at: datetime | None = None) -> Columns:
    """When an unused booking expires, or is validated automatically."""
    expires = rules.expires_at(terms.subcategory, booked_at, terms.beginning_at)
    return {
        "expires_at": expires,
        "expiry_due": rules.expiry_run(expires, earliest=invalidated_at) if expires else None,
        "validation_due": validation_due(terms.beginning_at, invalidated_at),
        "warning_due": rules.warning_run(terms.subcategory, booked_at, invalidated_at) if expires else None,
    }


_NOTHING_DUE: Columns = {"expires_at": None, "expiry_due": None, "validation_due": None, "warning_due": None}


def _confirmed(facts: Booking.Confirmed | Booking) -> Columns:
    """The row of a booking when it is confirmed, from that event or from the booking itself."""
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
    """The row of a booking as it stands in memory, for an answer that does not read it again."""
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
    return columns | {"validation_due": validation_due(begins)} if event.is_waiting else columns


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
    """In which state is a booking? Asked by its owner, the desk, the recap and the timers."""

    name = "bookings"
    version = 2
    tables = (tables.bookings,)
    rows = _Changes

    @on(*_CHANGES)
    def changed(self, rows: _Changes, event: Booking.Event) -> None:
        rows.add(event.booking_id, _CHANGES[type(event)](event))


class _Stocks(Rows):
    """The counts that events change, stock by stock; everything else is written at once."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._taken: Counter[int] = Counter()
        self._booked: Counter[int] = Counter()

    def count(self, terms: Terms, *, taken: int = 0, booked: int = 0) -> None:
        """Adds ``taken`` and ``booked`` times the places of a booking."""
        self._taken[terms.stock_id] += taken * terms.quantity
        self._booked[terms.stock_id] += booked * terms.quantity

    def set(self, stock_id: int, **columns: Any) -> None:
        self.connection.execute(tables.stocks.update().where(tables.stocks.c.stock_id == stock_id).values(**columns))

    def write(self) -> None:
        if not self._taken:
            return
        stocks = tables.stocks.c
        self.connection.execute(
            tables.stocks.update()
            .where(stocks.stock_id == sa.bindparam("stock"))
            .values(
                taken=stocks.taken + sa.bindparam("more_taken"), booked=stocks.booked + sa.bindparam("more_booked")
            ),
            [
                {"stock": number, "more_taken": taken, "more_booked": self._booked[number]}
                for number, taken in sorted(self._taken.items())
            ],
        )


class Places(Projection):
    """How many places of a stock are left, at which price and until when?"""

    name = "places"
    version = 2
    tables = (tables.stocks, tables.activation_codes)
    rows = _Stocks

    @on(Stock.Opened)
    def opened(self, rows: _Stocks, event: Stock.Opened) -> None:
        row = {
            "stock_id": event.stock_id,
            "offer_id": event.offer_id,
            "venue_id": event.venue_id,
            "offerer_id": event.offerer_id,
            "price": event.price,
            "quantity": len(event.activation_codes) if event.activation_codes else event.quantity,
            "taken": 0,
            "booked": 0,
            "beginning_at": event.beginning_at,
            "booking_limit_at": event.booking_limit_at,
            "with_codes": bool(event.activation_codes),
            "is_withdrawn": False,
            "eve_due": rules.eve_run(event.beginning_at, event.timestamp),
        }
        sql.insert_many(rows.connection, tables.stocks, [row])
        codes = enumerate(event.activation_codes, start=1)
        sql.insert_many(
            rows.connection,
            tables.activation_codes,
            [{"stock_id": event.stock_id, "rank": rank, "code": code, "booking_id": None} for rank, code in codes],
        )

    @on(Stock.Repriced)
    def repriced(self, rows: _Stocks, event: Stock.Repriced) -> None:
        rows.set(event.stock_id, price=event.price, booking_limit_at=event.booking_limit_at)

    @on(Stock.QuantityChanged)
    def quantity_changed(self, rows: _Stocks, event: Stock.QuantityChanged) -> None:
        rows.set(event.stock_id, quantity=event.quantity)

    @on(Stock.Rescheduled)
    def rescheduled(self, rows: _Stocks, event: Stock.Rescheduled) -> None:
        eve_due = rules.eve_run(event.beginning_at, event.timestamp)
        dates = {"beginning_at": event.beginning_at, "booking_limit_at": event.booking_limit_at}
        rows.set(event.stock_id, **dates, eve_due=eve_due)

    @on(Stock.Withdrawn)
    def withdrawn(self, rows: _Stocks, event: Stock.Withdrawn) -> None:
        rows.set(event.stock_id, is_withdrawn=True, eve_due=None)

    @on(Stock.EveReached)
    def eve_reached(self, rows: _Stocks, event: Stock.EveReached) -> None:
        rows.set(event.stock_id, eve_due=None)

    @on(Booking.Requested, live=False)
    def requested(self, rows: _Stocks, event: Booking.Requested) -> None:
        rows.count(event.terms, taken=1)
        if event.activation_code is not None:
            codes = tables.activation_codes
            which = (codes.c.stock_id == event.terms.stock_id) & (codes.c.code == event.activation_code)
            free = sa.select(sa.func.min(codes.c.rank)).where(which, codes.c.booking_id.is_(None)).scalar_subquery()
            statement = codes.update().where(codes.c.stock_id == event.terms.stock_id, codes.c.rank == free)
            rows.connection.execute(statement.values(booking_id=event.booking_id))

    @on(Booking.RestoreRequested, live=False)
    def restore_requested(self, rows: _Stocks, event: Booking.RestoreRequested) -> None:
        rows.count(event.terms, taken=1)

    @on(Booking.Confirmed, Booking.Restored, live=False)
    def booked(self, rows: _Stocks, event: Booking.Confirmed | Booking.Restored) -> None:
        rows.count(event.terms, booked=1)

    @on(Booking.Rejected, live=False)
    def rejected(self, rows: _Stocks, event: Booking.Rejected) -> None:
        rows.count(event.terms, taken=-1)
        codes = tables.activation_codes
        given = codes.c.booking_id == event.booking_id
        rows.connection.execute(codes.update().where(given).values(booking_id=None))

    @on(Booking.RestoreRejected, live=False)
    def restore_rejected(self, rows: _Stocks, event: Booking.RestoreRejected) -> None:
        rows.count(event.terms, taken=-1)

    @on(Booking.Cancelled, live=False)
    def cancelled(self, rows: _Stocks, event: Booking.Cancelled) -> None:
        rows.count(event.terms, taken=-1, booked=-1)


class _Guarded(Rows):
    """What bookings claim for themselves: a person's offer, a countermark, an open request."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._live: dict[int, Columns] = {}
        self._open: dict[int, Columns] = {}
        self._marks: list[Columns] = []
        self._closed: set[int] = set()
        self._ended: set[int] = set()

    def request(self, booking_id: int, live: Columns, request: Columns) -> None:
        self._live[booking_id], self._open[booking_id] = live, request

    def claim(self, booking_id: int, countermark: str) -> None:
        self._marks.append({"countermark": countermark, "booking_id": booking_id})

    def close(self, booking_id: int) -> None:
        """Its request is answered."""
        if self._open.pop(booking_id, None) is None:
            self._closed.add(booking_id)

    def end(self, booking_id: int) -> None:
        """It is rejected or cancelled."""
        self.close(booking_id)
        if self._live.pop(booking_id, None) is None:
            self._ended.add(booking_id)

    def write(self) -> None:
        sql.delete_many(self.connection, tables.live_bookings, "booking_id", self._ended)
        sql.delete_many(self.connection, tables.open_requests, "booking_id", self._closed)
        sql.insert_many(self.connection, tables.live_bookings, list(self._live.values()))
        sql.insert_many(self.connection, tables.open_requests, list(self._open.values()))
        sql.insert_many(self.connection, tables.countermarks, self._marks)


class Guards(Projection):
    """Who has a live booking of which offer, whose is a countermark, and which requests are open?"""

    name = "guards"
    version = 1
    tables = (tables.live_bookings, tables.countermarks, tables.open_requests)
    rows = _Guarded

    @on(Booking.Requested, Booking.RestoreRequested, live=False)
    def requested(self, rows: _Guarded, event: Booking.Requested | Booking.RestoreRequested) -> None:
        live = {"person_id": event.person_id, "offer_id": event.terms.offer_id, "booking_id": event.booking_id}
        rows.request(event.booking_id, live, open_request(event.booking_id, event.asked))

    @on(Booking.Confirmed, live=False)
    def confirmed(self, rows: _Guarded, event: Booking.Confirmed) -> None:
        rows.claim(event.booking_id, event.countermark)
        rows.close(event.booking_id)

    @on(Booking.Restored, live=False)
    def restored(self, rows: _Guarded, event: Booking.Restored) -> None:
        rows.close(event.booking_id)

    @on(Booking.Rejected, Booking.RestoreRejected, Booking.Cancelled, live=False)
    def ended(self, rows: _Guarded, event: Booking.Rejected | Booking.RestoreRejected | Booking.Cancelled) -> None:
        rows.end(event.booking_id)


def projections() -> list[Projection]:
    return [Bookings(), Places(), Guards()]
