"""Translates booking's events to the messages that it publishes."""

from __future__ import annotations

from typing import Any

from services.booking.domain.booking import Booking
from services.booking.domain.stock import Stock
from shared.eventstore import Publication
from shared.kernel.time import instant_text

publication = Publication("booking")


@publication.publishes(Booking.Confirmed, "BookingCreated")
def booking_created(event: Booking.Confirmed) -> dict[str, Any]:
    terms = event.terms
    return {
        "bookingId": event.booking_id,
        "attempt": event.attempt,
        "personId": event.person_id,
        "stockId": terms.stock_id,
        "offerId": terms.offer_id,
        "venueId": terms.venue_id,
        "offererId": terms.offerer_id,
        "establishment": terms.establishment,
        "subcategory": terms.subcategory,
        "offerName": terms.offer_name,
        "isDigital": terms.is_digital,
        "quantity": terms.quantity,
        "unitPriceCents": terms.unit_price,
        "totalCents": terms.total,
        "bookedAt": instant_text(event.booked_at),
        "beginningAt": instant_text(terms.beginning_at),
        "cancellationLimitAt": instant_text(event.cancellation_limit_at),
        "stockRemaining": event.stock_remaining,
    }


@publication.publishes(Booking.Cancelled, "BookingCancelled")
def booking_cancelled(event: Booking.Cancelled) -> dict[str, Any]:
    terms = event.terms
    return {
        "bookingId": event.booking_id,
        "attempt": event.attempt,
        "personId": event.person_id,
        "stockId": terms.stock_id,
        "offerId": terms.offer_id,
        "venueId": terms.venue_id,
        "quantity": terms.quantity,
        "totalCents": terms.total,
        "reason": event.reason,
        "cancelledAt": instant_text(event.timestamp),
        "stockRemaining": event.stock_remaining,
    }


@publication.publishes(Booking.Validated, "CountermarkValidated")
def countermark_validated(event: Booking.Validated) -> dict[str, Any]:
    terms = event.terms
    return {
        "bookingId": event.booking_id,
        "attempt": event.attempt,
        "personId": event.person_id,
        "stockId": terms.stock_id,
        "offerId": terms.offer_id,
        "offerName": terms.offer_name,
        "venueId": terms.venue_id,
        "offererId": terms.offerer_id,
        "establishment": terms.establishment,
        "subcategory": terms.subcategory,
        "countermark": event.countermark,
        "quantity": terms.quantity,
        "unitPriceCents": terms.unit_price,
        "totalCents": terms.total,
        "bookedAt": instant_text(event.booked_at),
        "beginningAt": instant_text(terms.beginning_at),
        "usedAt": instant_text(event.used_at),
        "by": event.by,
    }


@publication.publishes(Booking.Invalidated, "CountermarkInvalidated")
def countermark_invalidated(event: Booking.Invalidated) -> dict[str, Any]:
    return {
        "bookingId": event.booking_id,
        "attempt": event.attempt,
        "personId": event.person_id,
        "venueId": event.terms.venue_id,
        "establishment": event.terms.establishment,
        "totalCents": event.terms.total,
        "usedAt": instant_text(event.used_at),
        "invalidatedAt": instant_text(event.timestamp),
    }


@publication.publishes(Booking.Restored, "BookingRestored")
def booking_restored(event: Booking.Restored) -> dict[str, Any]:
    return {
        "bookingId": event.booking_id,
        "attempt": event.attempt,
        "personId": event.person_id,
        "stockId": event.terms.stock_id,
        "quantity": event.terms.quantity,
        "totalCents": event.terms.total,
        "restoredAt": instant_text(event.timestamp),
        "stockRemaining": event.stock_remaining,
    }


@publication.publishes(Stock.SoldOut, "StockSoldOut")
def stock_sold_out(event: Stock.SoldOut) -> dict[str, Any]:
    return {"stockId": event.stock_id, "offerId": event.offer_id, "remaining": 0}


@publication.publishes(Stock.Available, "StockAvailable")
def stock_available(event: Stock.Available) -> dict[str, Any]:
    return {"stockId": event.stock_id, "offerId": event.offer_id, "remaining": event.remaining}
