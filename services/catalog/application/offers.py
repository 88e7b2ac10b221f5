"""Creating, changing, showing and judging offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.catalog import storage
from services.catalog.application import access, views
from services.catalog.domain.offers import Offer
from services.catalog.requests import Decision, OfferBody, changing, expected_version, number, numbers, opening, page
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Caller
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import stream_id
from shared.kernel.time import Clock

_BODY = OfferBody()
_DECISION = Decision()


def create_offer(tx: Transaction, call: Call) -> dict[str, Any]:
    """``venueId`` and the body → the whole offer, a draft. Raises NotFound, OffererClosed, Invalid."""
    venue = access.own_venue(tx, call.caller, number(call.data, "venueId"))
    access.open_offerer(tx.connection, venue.facts.offerer_id)
    body = opening(_BODY, call.data, "venueId")
    return _saved(tx, Offer.draft(tx.now, tx.next_number("offer"), venue.facts, body))


def change_offer(tx: Transaction, call: Call) -> dict[str, Any]:
    """``offerId``, ``ifMatch?`` and the changes → the whole offer.

    Raises NotFound, OffererClosed, PreconditionFailed, OfferInReview, OfferRejected, Invalid.
    """
    offer = own_offer(tx, call.caller, number(call.data, "offerId"))
    access.open_offerer(tx.connection, offer.facts.offerer_id)
    access.check_version(offer, expected_version(call.data))
    offer.change(tx.now, changing(_BODY, call.data, "offerId"))
    return _saved(tx, offer)


def activate_offer(tx: Transaction, call: Call) -> dict[str, Any]:
    """``offerId`` → the whole offer.

    Raises NotFound, OffererClosed, OfferNotPublished, OfferInReview, OfferRejected.
    """
    offer = own_offer(tx, call.caller, number(call.data, "offerId"))
    access.open_offerer(tx.connection, offer.facts.offerer_id)
    return _turned(tx, call, offer, offer.activate)


def deactivate_offer(tx: Transaction, call: Call) -> dict[str, Any]:
    """``offerId`` → the whole offer. Raises NotFound, OfferNotPublished, OfferInReview, OfferRejected.

    A closed structure's too: it takes something away, as withdrawing a stock does."""
    offer = own_offer(tx, call.caller, number(call.data, "offerId"))
    return _turned(tx, call, offer, offer.deactivate)


def approve_offer(tx: Transaction, call: Call) -> dict[str, Any]:
    """``offerId``, by staff → the whole offer. Raises Forbidden, NotFound, OfferNotInReview."""
    access.check_staff(call)
    offer = _offer(tx, opening(_DECISION, call.data)["offer_id"])
    offer.approve(tx.now)
    return _saved(tx, offer)


def reject_offer(tx: Transaction, call: Call) -> dict[str, Any]:
    """``offerId`` and ``reason?``, by staff → the whole offer. Raises Forbidden, NotFound, OfferNotInReview."""
    access.check_staff(call)
    decision = opening(_DECISION, call.data)
    offer = _offer(tx, decision["offer_id"])
    offer.reject(tx.now, decision["reason"] or "")
    return _saved(tx, offer)


def own_offer(tx: Transaction, caller: Caller | None, offer_id: int) -> Offer:
    """An offer of one of the caller's structures."""
    offer = _offer(tx, offer_id)
    access.check_belongs(tx.connection, caller, offer.facts.offerer_id)
    return offer


class OfferQueries:
    """What is asked about offers; their status depends on what time it is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def offer(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``offerId`` → the whole offer. Raises NotFound."""
        found = views.offer_with_stocks(connection, number(call.data, "offerId"), self._clock.now())
        access.check_belongs(connection, call.caller, found["offererId"])
        return found

    def offers(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``venueId, cursor?, limit?`` → its offers, the newest first."""
        venue = storage.venue_row(connection, number(call.data, "venueId"))
        if venue is None:
            raise NotFound("There is no such venue.")
        access.check_belongs(connection, call.caller, venue.offerer_id)
        before, limit = page(call.data)
        return self._page(connection, storage.offer_rows(connection, venue.venue_id, before, limit + 1), limit)

    def stock(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``stockId`` → the whole stock. Raises NotFound."""
        row = storage.stock_row(connection, number(call.data, "stockId"))
        if row is None:
            raise NotFound("There is no such stock.")
        access.check_belongs(connection, call.caller, row.offerer_id)
        return views.stock_view(row, self._clock.now())

    def pending_offers(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``cursor?, limit?`` → what waits for staff, oldest first. Raises Forbidden."""
        access.check_staff(call)
        after, limit = page(call.data)
        return self._page(connection, storage.offers_in_review(connection, after or 0, limit + 1), limit)

    def _page(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]], limit: int) -> dict[str, Any]:
        """``rows``: one more than the page holds, where there are more."""
        items = views.offers_with_stocks(connection, rows[:limit], self._clock.now())
        return {"items": items, "nextCursor": str(rows[limit - 1].offer_id) if len(rows) > limit else None}

    def counters(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``venueIds`` → ``{"<venueId>": {activeOffers}}``, for every venue that was asked for."""
        venue_ids = numbers(call.data, "venueIds")
        active = storage.active_offers(connection, venue_ids, self._clock.now())
        return {str(venue_id): {"activeOffers": active.get(venue_id, 0)} for venue_id in venue_ids}


def _offer(tx: Transaction, offer_id: int) -> Offer:
    offer = tx.get(Offer, stream_id("offer", offer_id))
    if offer is None:
        raise NotFound("There is no such offer.")
    return offer


def _turned(tx: Transaction, call: Call, offer: Offer, turn: Callable[[datetime], None]) -> dict[str, Any]:
    access.check_version(offer, expected_version(call.data))
    turn(tx.now)
    return _saved(tx, offer)


def _saved(tx: Transaction, offer: Offer) -> dict[str, Any]:
    tx.save(offer)
    tx.flush()
    return views.offer_with_stocks(tx.connection, offer.facts.offer_id, tx.now)
