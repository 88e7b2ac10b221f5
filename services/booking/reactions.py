"""Which message, in which version, leads to which use case."""

from __future__ import annotations

from services.booking.application import standing, stocks
from services.booking.storage import tables
from shared.messaging.reactions import Reactions
from shared.projections.followed import Followed

_FOLLOWING = Reactions(
    {
        ("catalog", "VenueOpened", 1): standing.venue,
        ("catalog", "VenueChanged", 1): standing.venue,
        ("catalog", "OfferPublished", 1): standing.offer,
        ("catalog", "OfferChanged", 1): standing.offer,
        ("catalog", "OfferWithdrawn", 1): standing.offer_withdrawn,
        ("identity", "OffererRegistered", 1): standing.offerer_registered,
        ("identity", "OffererValidated", 1): standing.offerer_validated,
        ("identity", "OffererRejected", 1): standing.offerer_shut,
        ("identity", "OffererClosed", 1): standing.offerer_shut,
        ("identity", "BeneficiaryActivated", 1): standing.activated,
        ("identity", "BeneficiarySuspended", 1): standing.suspended,
        ("identity", "BeneficiaryUnsuspended", 1): standing.unsuspended,
        ("identity", "PersonErased", 1): standing.erased,
        ("identity", "ProAttached", 1): standing.attached,
        ("identity", "ProDetached", 1): standing.detached,
    }
)
REACTIONS = Reactions(
    {
        **_FOLLOWING,
        ("catalog", "StockAdded", 1): stocks.open_stock,
        ("catalog", "StockChanged", 1): stocks.change_stock,
        ("catalog", "EventRescheduled", 1): stocks.reschedule,
        ("catalog", "StockWithdrawn", 1): stocks.withdraw_stock,
        ("payout", "BookingEnteredBatch", 1): standing.entered_batch,
        ("payout", "BookingReimbursed", 1): standing.reimbursed,
    }
)
FOLLOWED = Followed(
    "told",
    1,
    [tables.offers, tables.venues, tables.shut_offerers, tables.persons, tables.attachments],
    _FOLLOWING,
)
"""Offers, venues and people, as catalog and identity publish them."""
