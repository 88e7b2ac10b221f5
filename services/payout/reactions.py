"""Which message leads to which use case."""

from __future__ import annotations

from services.payout.application import learning
from services.payout.application.pricing import Pricing
from shared.messaging.reactions import Reaction


def reactions(pricing: Pricing) -> dict[tuple[str, str], Reaction]:
    return {
        ("booking", "CountermarkValidated"): pricing.validated,
        ("booking", "CountermarkInvalidated"): pricing.invalidated,
        ("booking", "BookingCancelled"): pricing.cancelled,
        ("catalog", "VenueOpened"): learning.venue_told,
        ("catalog", "VenueChanged"): learning.venue_told,
        ("catalog", "EventRescheduled"): learning.event_rescheduled,
        ("identity", "OffererRegistered"): learning.offerer_registered,
        ("identity", "OffererRejected"): learning.offerer_closed,
        ("identity", "OffererClosed"): learning.offerer_closed,
        ("identity", "ProAttached"): learning.pro_attached,
        ("identity", "ProDetached"): learning.pro_detached,
    }
