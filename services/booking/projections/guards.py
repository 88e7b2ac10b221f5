"""What keeps bookings unique: claims of offers, countermarks, open requests."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.booking.domain.booking import Booking
from services.booking.storage import tables
from services.booking.storage.open_requests import request_row
from shared.eventstore import sql
from shared.projections import Projection, Rows, on

Columns = dict[str, Any]


class _Guarded(Rows):
    """Claims of offers, countermarks and open requests that events add and remove."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._live: dict[int, Columns] = {}
        self._open: dict[int, Columns] = {}
        self._marks: list[Columns] = []
        self._answered: set[int] = set()
        self._ended: set[int] = set()

    def request(self, booking_id: int, live: Columns, request: Columns) -> None:
        self._live[booking_id], self._open[booking_id] = live, request

    def assign(self, booking_id: int, countermark: str) -> None:
        self._marks.append({"countermark": countermark, "booking_id": booking_id})

    def answer(self, booking_id: int) -> None:
        if self._open.pop(booking_id, None) is None:
            self._answered.add(booking_id)

    def end(self, booking_id: int) -> None:
        """The booking is rejected or cancelled."""
        self.answer(booking_id)
        if self._live.pop(booking_id, None) is None:
            self._ended.add(booking_id)

    def write(self) -> None:
        sql.delete_many(self.connection, tables.live_bookings, "booking_id", self._ended)
        sql.delete_many(self.connection, tables.open_requests, "booking_id", self._answered)
        sql.insert_many(self.connection, tables.live_bookings, list(self._live.values()))
        sql.insert_many(self.connection, tables.open_requests, list(self._open.values()))
        sql.insert_many(self.connection, tables.countermarks, self._marks)


class Guards(Projection):
    """Who has a live booking of which offer, which booking has a countermark, and which requests are open?"""

    name = "guards"
    version = 1
    tables = (tables.live_bookings, tables.countermarks, tables.open_requests)
    rows = _Guarded

    @on(Booking.Requested, Booking.RestoreRequested, live=False)
    def requested(self, rows: _Guarded, event: Booking.Requested | Booking.RestoreRequested) -> None:
        live = {"person_id": event.person_id, "offer_id": event.terms.offer_id, "booking_id": event.booking_id}
        rows.request(event.booking_id, live, request_row(event.booking_id, event.asked))

    @on(Booking.Confirmed, live=False)
    def confirmed(self, rows: _Guarded, event: Booking.Confirmed) -> None:
        rows.assign(event.booking_id, event.countermark)
        rows.answer(event.booking_id)

    @on(Booking.Restored, live=False)
    def restored(self, rows: _Guarded, event: Booking.Restored) -> None:
        rows.answer(event.booking_id)

    @on(Booking.Rejected, Booking.RestoreRejected, Booking.Cancelled, live=False)
    def ended(self, rows: _Guarded, event: Booking.Rejected | Booking.RestoreRejected | Booking.Cancelled) -> None:
        rows.end(event.booking_id)
