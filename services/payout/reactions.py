"""Which message, in which version, leads to which use case."""

from __future__ import annotations

from services.payout.application import learning
from services.payout.application.pricing import Pricing
from services.payout.storage import tables
from shared.messaging.reactions import Reactions
from shared.projections.followed import Followed


def reactions(pricing: Pricing) -> Reactions:
    return Reactions(
        {
            ("booking", "CountermarkValidated", 1): pricing.validated,
            ("booking", "CountermarkInvalidated", 1): pricing.invalidated,
            ("booking", "BookingCancelled", 1): pricing.cancelled,
            **LEARNING,
        }
    )


LEARNING = Reactions(
    {
        ("catalog", "VenueOpened", 1): learning.venue_told,
        ("catalog", "VenueChanged", 1): learning.venue_told,
        ("catalog", "EventRescheduled", 1): learning.event_rescheduled,
        ("identity", "OffererRegistered", 1): learning.offerer_registered,
        ("identity", "OffererRejected", 1): learning.offerer_closed,
        ("identity", "OffererClosed", 1): learning.offerer_closed,
        ("identity", "ProAttached", 1): learning.pro_attached,
        ("identity", "ProDetached", 1): learning.pro_detached,
        ("identity", "BeneficiarySuspended", 1): learning.account_suspended,
        ("identity", "BeneficiaryUnsuspended", 1): learning.account_unsuspended,
    }
)
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
"""Venues, structures and their people, as catalog and identity publish them."""
