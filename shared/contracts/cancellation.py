"""The cancellation limit of a dated booking. It is shared, so that the catalogue can show the limit that booking will
apply."""

from __future__ import annotations

from datetime import datetime, timedelta

BEFORE_EVENT = timedelta(hours=48)
"""At the latest this long before the start (in force since 2020-11-19, domain.md R15)."""

AFTER_BOOKING = timedelta(hours=48)
"""At the latest this long after booking, or after the event was moved (in force since 2020-11-03)."""


def cancellation_limit(beginning_at: datetime, base: datetime) -> datetime:
    """The last instant at which a booking for ``beginning_at`` can be cancelled.

    ``base`` is when it was booked, or when its event was last moved. The limit is never before ``base``: a late booking
    is final at once. Bookings without a date have no limit.
    """
    return max(min(beginning_at - BEFORE_EVENT, base + AFTER_BOOKING), base)
