"""Booking's messages: bookings, countermarks and the remaining quantities of stocks.

``attempt`` numbers the reservations of a booking's credit; (bookingId, attempt) identifies one in wallet.
``stockRemaining`` and ``remaining`` are null for a stock without a limit.
"""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from shared.contracts.fields import Count, Flag, Instant, Money, Number

MEANS = ("desk", "api", "automatic", "activation-code", "restored")
REASONS = ("BENEFICIARY", "OFFERER", "EXPIRED", "FRAUD", "BACKOFFICE")


class BookingCreatedV1(Schema):
    """The credit is reserved and the countermark assigned. ``totalCents`` = ``unitPriceCents`` × ``quantity``; neither
    price ever changes."""

    bookingId = Number(required=True)
    attempt = Number(required=True)
    personId = Number(required=True)
    stockId = Number(required=True)
    offerId = Number(required=True)
    venueId = Number(required=True)
    offererId = Number(required=True)
    establishment = fields.String(required=True)
    subcategory = fields.String(required=True)
    offerName = fields.String(required=True)
    isDigital = Flag(required=True)
    quantity = Number(required=True)
    unitPriceCents = Money(required=True)
    totalCents = Money(required=True)
    bookedAt = Instant(required=True)
    beginningAt = Instant(required=True, allow_none=True)
    cancellationLimitAt = Instant(required=True, allow_none=True)
    stockRemaining = Count(required=True, allow_none=True)


class BookingCancelledV1(Schema):
    bookingId = Number(required=True)
    attempt = Number(required=True)
    personId = Number(required=True)
    stockId = Number(required=True)
    offerId = Number(required=True)
    venueId = Number(required=True)
    quantity = Number(required=True)
    totalCents = Money(required=True)
    reason = fields.String(required=True, validate=validate.OneOf(REASONS))
    cancelledAt = Instant(required=True)
    stockRemaining = Count(required=True, allow_none=True)


class CountermarkValidatedV1(Schema):
    """Used at ``usedAt``, which decides the year and the scale of its reimbursement."""

    bookingId = Number(required=True)
    attempt = Number(required=True)
    personId = Number(required=True)
    stockId = Number(required=True)
    offerId = Number(required=True)
    offerName = fields.String(required=True)
    venueId = Number(required=True)
    offererId = Number(required=True)
    establishment = fields.String(required=True)
    subcategory = fields.String(required=True)
    countermark = fields.String(required=True)
    quantity = Number(required=True)
    unitPriceCents = Money(required=True)
    totalCents = Money(required=True)
    bookedAt = Instant(required=True)
    beginningAt = Instant(required=True, allow_none=True)
    usedAt = Instant(required=True)
    by = fields.String(required=True, validate=validate.OneOf(MEANS))


class CountermarkInvalidatedV1(Schema):
    """A validation was undone; ``usedAt`` is that of the validation."""

    bookingId = Number(required=True)
    attempt = Number(required=True)
    personId = Number(required=True)
    venueId = Number(required=True)
    establishment = fields.String(required=True)
    totalCents = Money(required=True)
    usedAt = Instant(required=True)
    invalidatedAt = Instant(required=True)


class BookingRestoredV1(Schema):
    """A cancelled booking is valid again, under a new ``attempt``."""

    bookingId = Number(required=True)
    attempt = Number(required=True)
    personId = Number(required=True)
    stockId = Number(required=True)
    quantity = Number(required=True)
    totalCents = Money(required=True)
    restoredAt = Instant(required=True)
    stockRemaining = Count(required=True, allow_none=True)


class StockSoldOutV1(Schema):
    stockId = Number(required=True)
    offerId = Number(required=True)
    remaining = Count(required=True)


class StockAvailableV1(Schema):
    """A stock that was sold out can be booked again, or its remaining quantity was changed."""

    stockId = Number(required=True)
    offerId = Number(required=True)
    remaining = Count(required=True, allow_none=True)


MESSAGES: dict[tuple[str, int], type[Schema]] = {
    ("BookingCreated", 1): BookingCreatedV1,
    ("BookingCancelled", 1): BookingCancelledV1,
    ("CountermarkValidated", 1): CountermarkValidatedV1,
    ("CountermarkInvalidated", 1): CountermarkInvalidatedV1,
    ("BookingRestored", 1): BookingRestoredV1,
    ("StockSoldOut", 1): StockSoldOutV1,
    ("StockAvailable", 1): StockAvailableV1,
}
