"""Which message leads to which use case."""

from __future__ import annotations

from services.payout.application import learning
from services.payout.application.pricing import Pricing
from services.payout.storage import tables
from shared.messaging.reactions import Reaction
from shared.projections.followed import Followed


def reactions(pricing: Pricing) -> dict[tuple[str, str], Reaction]:
    return {
        ("booking", "CountermarkValidated"): pricing.validated,
        ("booking", "CountermarkInvalidated"): pricing.invalidated,
        ("booking", "BookingCancelled"): pricing.cancelled,
        **LEARNING,
    }


LEARNING: dict[tuple[str, str], Reaction] = {
    ("catalog", "VenueOpened"): learning.venue_told,
    ("catalog", "VenueChanged"): learning.venue_told,
    ("catalog", "EventRescheduled"): learning.event_rescheduled,
    ("identity", "OffererRegistered"): learning.offerer_registered,
    ("identity", "OffererRejected"): learning.offerer_closed,
    ("identity", "OffererClosed"): learning.offerer_closed,
    ("identity", "ProAttached"): learning.pro_attached,
    ("identity", "ProDetached"): learning.pro_detached,
    ("identity", "BeneficiarySuspended"): learning.account_suspended,
    ("identity", "BeneficiaryUnsuspended"): learning.account_unsuspended,
}
FOLLOWED = Followed(
    "told",
    2,
    [
        tables.venues,
        tables.offerers,
        tables.moved_events,
        tables.closed_offerers,
        tables.attachments,
        tables.suspended_accounts,
    ],
    LEARNING,
)
"""What they said of venues, structures and who works for them."""
