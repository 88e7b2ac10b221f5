"""The JSON of booking's answers. ``row``: of ``bookings``; ``now`` decides what a time means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.booking.domain import rules
from services.booking.domain.states import Status
from shared.kernel.time import instant_text


def booking(row: Any, place: Any, now: datetime) -> dict[str, Any]:
    """One booking, the same for every caller. ``row`` may be ``row_of`` a booking. ``place``: the present facts of its
    offer and venue; None while booking does not know them."""
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


def booking_with_person(row: Any, now: datetime) -> dict[str, Any]:
    """For the desk and partners, who are shown the person. ``row``: with the facts of its offer and venue."""
    return booking(row, row, now) | {"personId": row.person_id}


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
    """Fills the placeholders of an offer's address (domain.md §3.2), except ``{email}``: booking stores no address of a
    person, and the gateway and the mails fill that one."""
    if url is None:
        return None
    return url.replace("{token}", row.countermark).replace("{offerId}", str(row.offer_id))


def _qr_code(row: Any, now: datetime) -> str | None:
    """None for a used or cancelled booking, and after its event (domain.md §4.1)."""
    past = row.beginning_at is not None and row.beginning_at < now
    return None if row.status != Status.CONFIRMED or past else rules.qr_text(row.countermark)


def recap_rows(row: Any, person: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    """A booking in the recap of its venue: one row for each place (domain.md §6.1). ``person``: from identity."""
    shown = {
        "bookingId": row.booking_id,
        "stockId": row.stock_id,
        "offerId": row.offer_id,
        "offerName": row.offer_name,
        "venueId": row.venue_id,
        "venueName": row.venue_name,
        "timezone": row.timezone,
        "beginningAt": instant_text(row.beginning_at),
        "firstName": person["firstName"],
        "lastName": person["lastName"],
        "email": person["email"],
        "phoneNumber": person["phoneNumber"],
        "countermark": None if _is_masked(row) else row.countermark,
        "bookedAt": instant_text(row.booked_at),
        "usedAt": instant_text(row.used_at),
        "reimbursedAt": instant_text(row.reimbursed_at),
        "unitPriceCents": row.unit_price,
        "isDuo": row.quantity > 1,
        "status": _recap_status(row, now),
        "statusHistory": _history(row, now),
    }
    return [shown] * row.quantity


def _is_masked(row: Any) -> bool:
    """So that nobody validates it without the young person (domain.md §6.1)."""
    return row.beginning_at is None and row.status == Status.CONFIRMED


def _is_final(row: Any, now: datetime) -> bool:
    return row.cancellation_limit_at is not None and row.cancellation_limit_at <= now


def _recap_status(row: Any, now: datetime) -> str:
    """reimbursed > cancelled > validated > confirmed > booked."""
    if row.status == Status.CONFIRMED:
        return "confirmed" if _is_final(row, now) else "booked"
    return {Status.USED: "validated"}.get(row.status, str(row.status))


def _history(row: Any, now: datetime) -> list[dict[str, Any]]:
    steps = [("booked", row.booked_at)]
    if row.cancelled_at is not None:
        return _dated([*steps, ("cancelled", row.cancelled_at)])
    if _is_final(row, now):
        steps.append(("confirmed", row.cancellation_limit_at))
    steps += [("validated", row.used_at), ("reimbursed", row.reimbursed_at)]
    return _dated(steps)


def _dated(steps: list[tuple[str, datetime | None]]) -> list[dict[str, Any]]:
    return [{"status": status, "date": instant_text(at)} for status, at in steps if at is not None]
