"""A person's bookings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.booking import answers, refusals
from services.booking.storage import bookings
from shared.contracts.calls import booking as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore import Connection
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.time import Clock


class OwnBookings:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def booking(
        self, connection: Connection, batch: Sequence[Call[calls.Booking]]
    ) -> list[dict[str, Any] | DomainError]:
        rows = bookings.by_numbers(connection, [call.body.booking_id for call in batch])
        now = self._clock.now()
        return [_own(rows.get(call.body.booking_id), call.caller, now) for call in batch]

    def bookings(self, connection: Connection, call: Call[calls.Bookings]) -> dict[str, Any]:
        query, now = call.body, self._clock.now()
        found = bookings.of_person(
            connection,
            call.caller.account_id if call.caller else 0,
            now,
            status=query.status,
            before=number_after(query.cursor),
            limit=query.limit + 1,
        )
        page = found[: query.limit]
        return {
            "items": [answers.booking(row, row, now) for row in page],
            "nextCursor": str(page[-1].booking_id) if len(found) > query.limit else None,
        }


def _own(row: Any, caller: Caller | None, now: datetime) -> dict[str, Any] | DomainError:
    if row is None or caller is None or row.person_id != caller.account_id:
        return refusals.UnknownBooking()
    return answers.booking(row, row, now)
