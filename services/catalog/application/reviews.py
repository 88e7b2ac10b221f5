"""The decisions of staff on offers."""

from __future__ import annotations

from typing import Any

from services.catalog.application import access
from services.catalog.application.offers import saved
from shared.contracts.calls import catalog as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call


def approve_offer(tx: Transaction, call: Call[calls.ApproveOffer]) -> dict[str, Any]:
    """Answers with the whole offer. Raises NotFound, OfferNotInReview."""
    offer = access.own_offer(tx, call.caller, call.body.offer_id)
    offer.approve(tx.now)
    return saved(tx, offer)


def reject_offer(tx: Transaction, call: Call[calls.RejectOffer]) -> dict[str, Any]:
    """Answers with the whole offer. Raises NotFound, OfferNotInReview."""
    offer = access.own_offer(tx, call.caller, call.body.offer_id)
    offer.reject(tx.now, call.body.reason)
    return saved(tx, offer)
