"""Booking's figures for reconciliation, folded from its log and never read from read models."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from services.booking.domain.booking import Booking
from shared.contracts.calls import booking as calls
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.time import paris_day

MAX_CONTRADICTIONS = 100
_KINDS = (
    Booking.Requested,
    Booking.Rejected,
    Booking.Confirmed,
    Booking.Validated,
    Booking.Invalidated,
    Booking.Cancelled,
    Booking.Moved,
    Booking.RestoreRequested,
    Booking.RestoreRejected,
    Booking.Restored,
)
"""The events that carry the terms of a booking."""


@dataclass(slots=True)
class Fold:
    """Validations up to a position, and contradictions up to the end of the log."""

    days: Counter[str] = field(default_factory=Counter)
    validated: dict[int, int] = field(default_factory=dict)
    totals: dict[int, int] = field(default_factory=dict)
    contradictions: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Bookings whose events disagree about the amount, which never changes: (later, first)."""

    def validate(self, event: Any) -> None:
        """A validation counts on the civil day of its use; an invalidation subtracts it from that day."""
        day = paris_day(event.used_at).isoformat()
        if isinstance(event, Booking.Validated):
            self.days[day] += event.terms.total
            self.validated[event.booking_id] = event.terms.total
        else:
            self.days[day] -= event.terms.total
            del self.validated[event.booking_id]

    def compare(self, event: Any) -> None:
        first = self.totals.setdefault(event.booking_id, event.terms.total)
        if event.terms.total != first:
            self.contradictions[event.booking_id] = event.terms.total, first


class Ledger:
    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, connection: Connection, call: Call[calls.Ledger]) -> dict[str, Any]:
        """Validated cents per civil day of use in Paris and per booking, and the bookings whose events contradict each
        other."""
        head = self._store.log.head(connection)
        position = head if call.body.position is None else min(call.body.position, head)
        fold = Fold()
        for at, _recorded, event in self._store.log.events(connection, until=head, kinds=_KINDS):
            fold.compare(event)
            if at <= position and isinstance(event, Booking.Validated | Booking.Invalidated):
                fold.validate(event)
        return {
            "position": position,
            "days": {day: {"validated": amount} for day, amount in sorted(fold.days.items())},
            "totals": {"validated": sum(fold.validated.values())},
            "bookings": {str(number): amount for number, amount in sorted(fold.validated.items())},
            "contradictions": [
                {"stream": f"booking {number}", "bookings": [number], "detail": f"costs {later}, and {first} before"}
                for number, (later, first) in list(fold.contradictions.items())[:MAX_CONTRADICTIONS]
            ],
        }
