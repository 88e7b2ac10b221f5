"""The queries of structures and staff. A status depends on the present instant, so the clock is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.catalog.answers import stock_answer, venue_answer, whole_offer, whole_offers
from services.catalog.application.access import check_visible, visible_offerers
from services.catalog.refusals import no_offer, no_stock, no_venue
from services.catalog.storage import offerers, offers, stocks, venues
from shared.contracts.calls import catalog as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore import Connection, Row
from shared.eventstore.outcomes import Call
from shared.kernel.errors import NotFound
from shared.kernel.time import Clock


class Reading:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def venue(self, connection: Connection, call: Call[calls.Venue]) -> dict[str, Any]:
        """Raises NotFound."""
        row = _visible(connection, call, venues.by_number(connection, call.body.venue_id), no_venue())
        status = offerers.statuses(connection, [row.offerer_id])[row.offerer_id]
        return venue_answer(row.facts, row.version, status)

    def venues(self, connection: Connection, call: Call[calls.Venues]) -> dict[str, Any]:
        """``{items}``: the venues of those structures that the caller may act for."""
        wanted, visible = set(call.body.offerer_ids), visible_offerers(connection, call.caller)
        rows = venues.of_offerers(connection, sorted(wanted if visible is None else wanted & visible))
        statuses = offerers.statuses(connection, {row.offerer_id for row in rows})
        return {"items": [venue_answer(row.facts, row.version, statuses[row.offerer_id]) for row in rows]}

    def offer(self, connection: Connection, call: Call[calls.Offer]) -> dict[str, Any]:
        """Raises NotFound."""
        found = whole_offer(connection, call.body.offer_id, self._clock.now())
        check_visible(connection, call.caller, found["offererId"], no_offer())
        return found

    def offers(self, connection: Connection, call: Call[calls.Offers]) -> dict[str, Any]:
        """A page of the venue's offers, newest first. Raises NotFound."""
        venue = _visible(connection, call, venues.by_number(connection, call.body.venue_id), no_venue())
        before, limit = number_after(call.body.cursor), call.body.limit
        return self._page(connection, offers.of_venue(connection, venue.venue_id, before, limit + 1), limit)

    def stock(self, connection: Connection, call: Call[calls.Stock]) -> dict[str, Any]:
        """Raises NotFound."""
        row = _visible(connection, call, stocks.by_number(connection, call.body.stock_id), no_stock())
        return stock_answer(row, self._clock.now())

    def pending_offers(self, connection: Connection, call: Call[calls.PendingOffers]) -> dict[str, Any]:
        """A page of the offers that await a decision of staff, oldest first."""
        after, limit = number_after(call.body.cursor), call.body.limit
        return self._page(connection, offers.in_review(connection, after or 0, limit + 1), limit)

    def counters(self, connection: Connection, call: Call[calls.Counters]) -> dict[str, Any]:
        """``{"<venueId>": {activeOffers}}``, for every venue of the query."""
        active = offers.count_active(connection, call.body.venue_ids, self._clock.now())
        return {str(venue_id): {"activeOffers": active.get(venue_id, 0)} for venue_id in call.body.venue_ids}

    def _page(self, connection: Connection, rows: Sequence[Row[Any]], limit: int) -> dict[str, Any]:
        """``rows`` has one row more than the page if there is a next page."""
        items = whole_offers(connection, rows[:limit], self._clock.now())
        return {"items": items, "nextCursor": str(rows[limit - 1].offer_id) if len(rows) > limit else None}


def _visible(connection: Connection, call: Call[Any], row: Row[Any] | None, hidden: NotFound) -> Row[Any]:
    """The row of a resource that the caller sees. Raises ``hidden``."""
    if row is None:
        raise hidden
    check_visible(connection, call.caller, row.offerer_id, hidden)
    return row
