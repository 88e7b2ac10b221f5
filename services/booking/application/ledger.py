"""Sums folded from the log itself, never from read models, and the rows that differ from what the log says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.domain.booking import Booking
from services.booking.projections import Columns, changed_columns
from services.booking.storage.tables import bookings, stocks
from shared.contracts.calls import booking as calls
from shared.eventstore import Store
from shared.eventstore.outcomes import Call
from shared.kernel.time import instant_text, paris_day

MOST_DIFFERENCES = 100
_TAKES = (Booking.Requested, Booking.RestoreRequested)
_BOOKS = (Booking.Confirmed, Booking.Restored)
_KINDS = (
    *_TAKES,
    *_BOOKS,
    Booking.Rejected,
    Booking.RestoreRejected,
    Booking.Validated,
    Booking.Invalidated,
    Booking.Cancelled,
    Booking.Moved,
    Booking.ExpiryApproached,
    Booking.EnteredBatch,
    Booking.Reimbursed,
)


@dataclass(slots=True)
class Fold:
    """What the log says of validations (up to a position) and of rows (up to its end)."""

    days: Counter[str] = field(default_factory=Counter)
    validated: dict[int, int] = field(default_factory=dict)
    rows: dict[int, Columns] = field(default_factory=dict)
    taken: Counter[int] = field(default_factory=Counter)
    booked: Counter[int] = field(default_factory=Counter)
    totals: dict[int, int] = field(default_factory=dict)
    torn: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Bookings whose own events disagree about the amount, which is frozen when they are made."""

    def sum_up(self, event: Any) -> None:
        """A validation counts on the civil day of its use; taking it back takes it from that day."""
        if isinstance(event, Booking.Validated):
            self.days[paris_day(event.used_at).isoformat()] += event.terms.total
            self.validated[event.booking_id] = event.terms.total
        elif isinstance(event, Booking.Invalidated):
            self.days[paris_day(event.used_at).isoformat()] -= event.terms.total
            del self.validated[event.booking_id]

    def follow(self, event: Any) -> None:
        self._compare(event)
        columns = changed_columns(event)
        if columns:
            self.rows.setdefault(event.booking_id, {}).update(columns)
        if isinstance(event, _TAKES):
            self.taken[event.terms.stock_id] += event.terms.quantity
        elif isinstance(event, _BOOKS):
            self.booked[event.terms.stock_id] += event.terms.quantity
        elif isinstance(event, Booking.Rejected | Booking.RestoreRejected):
            self.taken[event.terms.stock_id] -= event.terms.quantity
        elif isinstance(event, Booking.Cancelled):
            self.taken[event.terms.stock_id] -= event.terms.quantity
            self.booked[event.terms.stock_id] -= event.terms.quantity

    def _compare(self, event: Any) -> None:
        if terms := getattr(event, "terms", None):
            frozen = self.totals.setdefault(event.booking_id, terms.total)
            if terms.total != frozen:
                self.torn[event.booking_id] = (terms.total, frozen)


class Ledger:
    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, connection: sa.Connection, call: Call[calls.Ledger]) -> dict[str, Any]:
        """``{position?}`` (the log's end when left out) → what was validated up to there, per civil day of use in Paris
        and per booking, in cents, and the rows that differ from the fold of the whole log."""
        head = self._store.log.head(connection)
        position = head if call.body.position is None else min(call.body.position, head)
        fold = Fold()
        for at, _recorded, event in self._store.log.events(connection, until=head, kinds=_KINDS):
            fold.follow(event)
            if at <= position:
                fold.sum_up(event)
        return {
            "position": position,
            "days": {day: {"validated": amount} for day, amount in sorted(fold.days.items())},
            "totals": {"validated": sum(fold.validated.values())},
            "bookings": {str(number): amount for number, amount in sorted(fold.validated.items())},
            "rowDifferences": list(_first(_differences(connection, fold))),
        }


def _first(found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for _, difference in zip(range(MOST_DIFFERENCES), found, strict=False):
        yield difference


def _differences(connection: sa.Connection, fold: Fold) -> Iterator[dict[str, Any]]:
    for number, (later, first) in fold.torn.items():
        yield {"table": "stored_events", "bookingId": number, "column": "unit_price", "row": later, "fold": first}
    unseen = dict(fold.rows)
    for row in connection.execute(sa.select(bookings).order_by(bookings.c.booking_id)).mappings():
        expected = unseen.pop(row["booking_id"], None)
        yield from _of_row("bookings", {"bookingId": row["booking_id"]}, dict(row), expected)
    for number in unseen:
        yield {"table": "bookings", "bookingId": number, "column": None, "row": None, "fold": "a booking"}
    for row in connection.execute(sa.select(stocks).order_by(stocks.c.stock_id)).mappings():
        stock_id = row["stock_id"]
        counts = {"taken": fold.taken[stock_id], "booked": fold.booked[stock_id]}
        yield from _of_row("stocks", {"stockId": stock_id}, {name: row[name] for name in counts}, counts)


def _of_row(table: str, which: Columns, row: Columns, expected: Columns | None) -> Iterator[dict[str, Any]]:
    if expected is None:
        yield {"table": table, **which, "column": None, "row": "a booking", "fold": None}
        return
    for column, value in row.items():
        if value != expected.get(column):
            yield {
                "table": table,
                **which,
                "column": column,
                "row": _plain(value),
                "fold": _plain(expected.get(column)),
            }


def _plain(value: Any) -> Any:
    return instant_text(value) if isinstance(value, datetime) else value
