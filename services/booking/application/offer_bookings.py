"""The bookings of an offer, for partners' software."""

from __future__ import annotations

from typing import Any

from services.booking import answers, refusals
from services.booking.storage import bookings, references
from services.booking.storage.access import Access
from shared.contracts.calls import booking as calls
from shared.eventstore import Connection
from shared.eventstore.outcomes import Call
from shared.kernel.time import Clock


class OfferBookings:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def of_offer(self, connection: Connection, call: Call[calls.OfferBookings]) -> dict[str, Any]:
        """For accounts and API keys of the offer's structure only."""
        query = call.body
        offerer_id = references.offerer_of(connection, query.offer_id)
        if offerer_id is None:
            raise refusals.UnknownOffer
        if not Access(connection, [call.caller]).allows(call.caller, offerer_id):
            raise refusals.NotYourOffer
        now = self._clock.now()
        rows = bookings.of_offer(
            connection,
            query.offer_id,
            first=query.first_index,
            limit=query.limit,
            stock_id=query.stock_id,
            status=query.status,
            beginning_at=query.beginning_at,
        )
        return {"items": [answers.booking_with_person(row, now) for row in rows]}
