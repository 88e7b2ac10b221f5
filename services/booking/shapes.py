"""The JSON of a booking, one shape for every answer (the shapes that clients rely on stand in the OpenAPI document)."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from services.booking.domain import rules
from services.booking.domain.booking import Booking, Status, validation_due
from shared.kernel.time import instant_text


def booking_shape(row: Any, place: Any, now: datetime) -> dict[str, Any]:
    """``row`` is of ``bookings``; ``place`` has the present facts of its offer and venue (None: not known yet)."""
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


def row_of(booking: Booking) -> SimpleNamespace:
    """The row that ``bookings`` holds for it, said by the booking itself: for an answer without reading again."""
    terms, waits = booking.terms, booking.status == Status.CONFIRMED
    expires = rules.expires_at(terms.subcategory, booking.booked_at, terms.beginning_at) if waits else None
    given_back_at = booking.invalidated_at
    return SimpleNamespace(
        booking_id=booking.booking_id,
        person_id=booking.person_id,
        stock_id=terms.stock_id,
        offer_id=terms.offer_id,
        venue_id=terms.venue_id,
        offerer_id=terms.offerer_id,
        establishment=terms.establishment,
        subcategory=terms.subcategory,
        offer_name=terms.offer_name,
        is_digital=terms.is_digital,
        is_permanent=rules.is_permanent(terms.subcategory),
        quantity=terms.quantity,
        unit_price=terms.unit_price,
        countermark=booking.countermark,
        attempt=booking.attempt,
        status=str(booking.status),
        booked_at=booking.booked_at,
        beginning_at=terms.beginning_at,
        cancellation_limit_at=booking.cancellation_limit_at,
        expires_at=expires,
        expiry_due=rules.expiry_run(expires, earliest=given_back_at) if expires else None,
        validation_due=validation_due(terms.beginning_at, given_back_at) if waits else None,
        warning_due=rules.warning_run(terms.subcategory, booking.booked_at, given_back_at) if expires else None,
        used_at=booking.used_at,
        cancelled_at=booking.cancelled_at,
        cancellation_reason=booking.cancellation_reason,
        batch_id=booking.batch_id,
        reimbursed_at=booking.reimbursed_at,
        activation_code=booking.activation_code,
    )


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
    """An offer's address may hold places for what is known when it is booked (domain.md §3.2). That for the person's
    e-mail, ``{email}``, is filled where the booking is shown: no such address is kept here."""
    if url is None:
        return None
    return url.replace("{token}", row.countermark).replace("{offerId}", str(row.offer_id))


def _qr_code(row: Any, now: datetime) -> str | None:
    """None for what was used or cancelled, and once the event is past (domain.md §4.1)."""
    past = row.beginning_at is not None and row.beginning_at < now
    return None if row.status != Status.CONFIRMED or past else rules.qr_text(row.countermark)
