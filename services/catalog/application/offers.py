"""Creating offers, changing them, showing and hiding them."""

from __future__ import annotations

from typing import Any

from services.catalog.answers import whole_offer
from services.catalog.application import access
from services.catalog.domain.offers import Offer
from shared.contracts.calls import catalog as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call


def create_offer(tx: Transaction, call: Call[calls.CreateOffer]) -> dict[str, Any]:
    """Answers with the whole offer, a draft. Raises NotFound, OffererClosed, Invalid."""
    venue = access.own_venue(tx, call.caller, call.body.venue_id)
    access.open_offerer(tx.connection, venue.facts.offerer_id)
    fields = _without_repeated_tags(call.body.values(calls.OfferFields))
    return saved(tx, Offer.draft(tx.now, tx.next_number("offer"), venue.facts, fields))


def change_offer(tx: Transaction, call: Call[calls.ChangeOffer]) -> dict[str, Any]:
    """Answers with the whole offer.

    Raises NotFound, OffererClosed, PreconditionFailed, OfferInReview, OfferRejected, Invalid.
    """
    offer = access.own_offer(tx, call.caller, call.body.offer_id)
    access.open_offerer(tx.connection, offer.facts.offerer_id)
    access.check_version(offer, call.body.if_match)
    offer.change(tx.now, _without_repeated_tags(call.body.changes()))
    return saved(tx, offer)


def activate_offer(tx: Transaction, call: Call[calls.ActivateOffer]) -> dict[str, Any]:
    """Answers with the whole offer.

    Raises NotFound, OffererClosed, PreconditionFailed, OfferNotPublished, OfferInReview, OfferRejected.
    """
    offer = access.own_offer(tx, call.caller, call.body.offer_id)
    access.open_offerer(tx.connection, offer.facts.offerer_id)
    access.check_version(offer, call.body.if_match)
    offer.activate(tx.now)
    return saved(tx, offer)


def deactivate_offer(tx: Transaction, call: Call[calls.DeactivateOffer]) -> dict[str, Any]:
    """Answers with the whole offer. A closed structure may still do this: it only takes something away.

    Raises NotFound, PreconditionFailed, OfferNotPublished, OfferInReview, OfferRejected.
    """
    offer = access.own_offer(tx, call.caller, call.body.offer_id)
    access.check_version(offer, call.body.if_match)
    offer.deactivate(tx.now)
    return saved(tx, offer)


def saved(tx: Transaction, offer: Offer) -> dict[str, Any]:
    """Saves the offer; returns its answer as this transaction leaves it."""
    tx.save(offer)
    tx.flush()
    return whole_offer(tx.connection, offer.facts.offer_id, tx.now)


def _without_repeated_tags(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "tags": tuple(dict.fromkeys(fields["tags"]))} if "tags" in fields else fields
