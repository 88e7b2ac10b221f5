"""Creating, changing, showing and judging offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.catalog import storage
from services.catalog.application import access, views
from services.catalog.domain.offers import Offer
from shared.contracts.calls import catalog as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import stream_id
from shared.kernel.time import Clock


def create_offer(tx: Transaction, call: Call[calls.CreateOffer]) -> dict[str, Any]:
    """The whole offer, a draft. Raises NotFound, OffererClosed, Invalid."""
    venue = access.own_venue(tx, call.caller, call.body.venue_id)
    access.open_offerer(tx.connection, venue.facts.offerer_id)
    fields = _with_each_tag_once(call.body.values(calls.OfferFields))
    return _saved(tx, Offer.draft(tx.now, tx.next_number("offer"), venue.facts, fields))


def change_offer(tx: Transaction, call: Call[calls.ChangeOffer]) -> dict[str, Any]:
    """The whole offer. Raises NotFound, OffererClosed, PreconditionFailed, OfferInReview, OfferRejected, Invalid."""
    offer = own_offer(tx, call.caller, call.body.offer_id)
    access.open_offerer(tx.connection, offer.facts.offerer_id)
    access.check_version(offer, call.body.if_match)
    offer.change(tx.now, _with_each_tag_once(call.body.changes()))
    return _saved(tx, offer)


def activate_offer(tx: Transaction, call: Call[calls.ActivateOffer]) -> dict[str, Any]:
    """The whole offer.

    Raises NotFound, OffererClosed, PreconditionFailed, OfferNotPublished, OfferInReview, OfferRejected.
    """
    offer = own_offer(tx, call.caller, call.body.offer_id)
    access.open_offerer(tx.connection, offer.facts.offerer_id)
    access.check_version(offer, call.body.if_match)
    offer.activate(tx.now)
    return _saved(tx, offer)


def deactivate_offer(tx: Transaction, call: Call[calls.DeactivateOffer]) -> dict[str, Any]:
    """The whole offer. A closed structure may still do this: it only takes something away.

    Raises NotFound, PreconditionFailed, OfferNotPublished, OfferInReview, OfferRejected.
    """
    offer = own_offer(tx, call.caller, call.body.offer_id)
    access.check_version(offer, call.body.if_match)
    offer.deactivate(tx.now)
    return _saved(tx, offer)


def approve_offer(tx: Transaction, call: Call[calls.ApproveOffer]) -> dict[str, Any]:
    """The whole offer. Raises NotFound, OfferNotInReview."""
    offer = _offer(tx, call.body.offer_id)
    offer.approve(tx.now)
    return _saved(tx, offer)


def reject_offer(tx: Transaction, call: Call[calls.RejectOffer]) -> dict[str, Any]:
    """The whole offer. Raises NotFound, OfferNotInReview."""
    offer = _offer(tx, call.body.offer_id)
    offer.reject(tx.now, call.body.reason)
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

    def offer(self, connection: sa.Connection, call: Call[calls.Offer]) -> dict[str, Any]:
        """The whole offer. Raises NotFound."""
        found = views.offer_with_stocks(connection, call.body.offer_id, self._clock.now())
        access.check_belongs(connection, call.caller, found["offererId"])
        return found

    def offers(self, connection: sa.Connection, call: Call[calls.Offers]) -> dict[str, Any]:
        """A page of the venue's offers, newest first. Raises NotFound."""
        venue = storage.venue_row(connection, call.body.venue_id)
        if venue is None:
            raise NotFound("There is no such venue.")
        access.check_belongs(connection, call.caller, venue.offerer_id)
        before, limit = number_after(call.body.cursor), call.body.limit
        return self._page(connection, storage.offer_rows(connection, venue.venue_id, before, limit + 1), limit)

    def stock(self, connection: sa.Connection, call: Call[calls.Stock]) -> dict[str, Any]:
        """The whole stock. Raises NotFound."""
        row = storage.stock_row(connection, call.body.stock_id)
        if row is None:
            raise NotFound("There is no such stock.")
        access.check_belongs(connection, call.caller, row.offerer_id)
        return views.stock_view(row, self._clock.now())

    def pending_offers(self, connection: sa.Connection, call: Call[calls.PendingOffers]) -> dict[str, Any]:
        """A page of the offers that await a decision of staff, oldest first."""
        after, limit = number_after(call.body.cursor), call.body.limit
        return self._page(connection, storage.offers_in_review(connection, after or 0, limit + 1), limit)

    def _page(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]], limit: int) -> dict[str, Any]:
        """``rows``: one more than the page holds, where there are more."""
        items = views.offers_with_stocks(connection, rows[:limit], self._clock.now())
        return {"items": items, "nextCursor": str(rows[limit - 1].offer_id) if len(rows) > limit else None}

    def counters(self, connection: sa.Connection, call: Call[calls.Counters]) -> dict[str, Any]:
        """``{"<venueId>": {activeOffers}}``, for every venue of the query."""
        venue_ids = list(call.body.venue_ids)
        active = storage.active_offers(connection, venue_ids, self._clock.now())
        return {str(venue_id): {"activeOffers": active.get(venue_id, 0)} for venue_id in venue_ids}


def _offer(tx: Transaction, offer_id: int) -> Offer:
    offer = tx.get(Offer, stream_id("offer", offer_id))
    if offer is None:
        raise NotFound("There is no such offer.")
    return offer


def _with_each_tag_once(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "tags": tuple(dict.fromkeys(fields["tags"]))} if "tags" in fields else fields


def _saved(tx: Transaction, offer: Offer) -> dict[str, Any]:
    tx.save(offer)
    tx.flush()
    return views.offer_with_stocks(tx.connection, offer.facts.offer_id, tx.now)
