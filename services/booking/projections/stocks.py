"""Stocks and the counts of their places."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa

from services.booking.domain import rules
from services.booking.domain.booking import Booking, Terms
from services.booking.domain.stock import Stock
from services.booking.storage import tables
from shared.eventstore import sql
from shared.projections import Projection, Rows, on


class _Stocks(Rows):
    """The counts that events change, stock by stock. Other columns are written at once."""

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
