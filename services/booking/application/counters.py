"""The counters of venues on the home page of their structures."""

from __future__ import annotations

from services.booking.application.access import visible_venues
from services.booking.storage import counters
from shared.contracts.calls import booking as calls
from shared.eventstore import Connection
from shared.eventstore.outcomes import Call
from shared.kernel.time import Clock


class Counters:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def counters(self, connection: Connection, call: Call[calls.Counters]) -> dict[str, dict[str, int]]:
        venue_ids, now = visible_venues(connection, call.caller, call.body.venue_ids), self._clock.now()
        counts = counters.counts_of_venues(connection, venue_ids, now)
        sold_out = counters.sold_out_offers(connection, venue_ids, now)
        return {
            str(venue_id): {
                "ongoingBookings": int(counts[venue_id].ongoing) if venue_id in counts else 0,
                "validatedBookings": int(counts[venue_id].validated) if venue_id in counts else 0,
                "soldOutOffers": sold_out.get(venue_id, 0),
            }
            for venue_id in venue_ids
        }
