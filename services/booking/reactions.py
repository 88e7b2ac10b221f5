"""Which message leads to which use case."""

from __future__ import annotations

from services.booking.application import standing, stocks
from services.booking.storage import tables
from shared.messaging.reactions import Reaction
from shared.projections.followed import Followed

_TOLD: dict[tuple[str, str], Reaction] = {
    ("catalog", "VenueOpened"): standing.venue,
    ("catalog", "VenueChanged"): standing.venue,
    ("catalog", "OfferPublished"): standing.offer,
    ("catalog", "OfferChanged"): standing.offer,
    ("catalog", "OfferWithdrawn"): standing.offer_withdrawn,
    ("identity", "OffererRegistered"): standing.offerer_registered,
    ("identity", "OffererValidated"): standing.offerer_validated,
    ("identity", "OffererRejected"): standing.offerer_shut,
    ("identity", "OffererClosed"): standing.offerer_shut,
    ("identity", "BeneficiaryActivated"): standing.activated,
    ("identity", "BeneficiarySuspended"): standing.suspended,
    ("identity", "BeneficiaryUnsuspended"): standing.unsuspended,
    ("identity", "PersonErased"): standing.erased,
    ("identity", "ProAttached"): standing.attached,
    ("identity", "ProDetached"): standing.detached,
}
REACTIONS: dict[tuple[str, str], Reaction] = {
    **_TOLD,
    ("catalog", "StockAdded"): stocks.open_stock,
    ("catalog", "StockChanged"): stocks.change_stock,
    ("catalog", "EventRescheduled"): stocks.reschedule,
    ("catalog", "StockWithdrawn"): stocks.withdraw_stock,
    ("payout", "BookingEnteredBatch"): standing.entered_batch,
    ("payout", "BookingReimbursed"): standing.reimbursed,
}
FOLLOWED = Followed(
    "told",
    1,
    [tables.offers, tables.venues, tables.shut_offerers, tables.persons, tables.attachments],
    _TOLD,
)
"""What they said of offers, venues and people."""
