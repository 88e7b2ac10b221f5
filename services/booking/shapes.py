"""The JSON of a booking: one shape for every answer. The OpenAPI document describes it for clients."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.booking.domain import rules
from services.booking.domain.booking import Status
from shared.kernel.time import instant_text


def booking_shape(row: Any, place: Any, now: datetime) -> dict[str, Any]:
    """``row``: of ``bookings``, or ``row_of`` a booking. ``place``: the present facts of its offer and venue; None when
    they are not known yet."""
    return {
        "bookingId": row.booking_id,
        "countermark": row.countermark,
        "status": str(row.status),
        "quantity": row.quantity,
        "unitPriceCents": row.unit_price,
        "totalCents": row.unit_price * row.quantity,
        "bookedAt": instant_text(row.booked_at),
        "cancellationLimitAt": instant_text(row.cancellation_limit_at),
        "expiresAt": instant_text(row.expires_at),
        "usedAt": instant_text(row.used_at),
        "cancelledAt": instant_text(row.cancelled_at),
        "cancellationReason": row.cancellation_reason,
        "reimbursedAt": instant_text(row.reimbursed_at),
        "activationCode": row.activation_code,
        "completedUrl": place and completed_url(place.url, row),
        "qrCode": _qr_code(row, now),
        "stock": {
            "stockId": row.stock_id,
            "priceCents": row.unit_price,
            "beginningAt": instant_text(row.beginning_at),
        },
        "offer": _offer(row, place),
    }


def _offer(row: Any, place: Any) -> dict[str, Any]:
    return {
        "offerId": row.offer_id,
        "name": row.offer_name,
        "subcategory": row.subcategory,
        "isDigital": row.is_digital,
        "url": place and place.url,
        "withdrawalDetails": place and place.withdrawal_details,
        "venue": {
            "venueId": row.venue_id,
            "name": place and place.venue_name,
            "address": place and place.address,
            "city": place and place.city,
            "postalCode": place and place.postal_code,
        },
    }


def completed_url(url: str | None, row: Any) -> str | None:
    """Fills the placeholders of an offer's address (domain.md §3.2). ``{email}`` stays: booking stores no address of a
    person, so whoever shows the address fills it."""
    if url is None:
        return None
    return url.replace("{token}", row.countermark).replace("{offerId}", str(row.offer_id))


def _qr_code(row: Any, now: datetime) -> str | None:
    """None for a used or cancelled booking, and after its event (domain.md §4.1)."""
    past = row.beginning_at is not None and row.beginning_at < now
    return None if row.status != Status.CONFIRMED or past else rules.qr_text(row.countermark)
