"""Catalog's messages: venues, offers, stocks, and the passing of event dates.

Instants are text in UTC, money integer cents. Every key is present; ``allow_none`` marks those that may be null. A
published version never changes: a change is published as a new version, next to the old one.
"""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema, fields, validate

from shared.contracts.fields import Count, Degrees, Flag, Instant, Money, Number
from shared.contracts.subcategories import SUBCATEGORIES


class AccessibilityV1(Schema):
    """The disabilities for which a venue is equipped."""

    audio = Flag(required=True)
    mental = Flag(required=True)
    motor = Flag(required=True)
    visual = Flag(required=True)


class VenueV1(Schema):
    """A whole venue. ``establishment`` is the SIRET, or ``venue-<venueId>``; a digital venue has no place."""

    venueId = Number(required=True)
    offererId = Number(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["siret", "comment", "digital"]))
    name = fields.String(required=True)
    siret = fields.String(required=True, allow_none=True, validate=validate.Length(equal=14))
    comment = fields.String(required=True, allow_none=True)
    establishment = fields.String(required=True)
    address = fields.String(required=True, allow_none=True)
    postalCode = fields.String(required=True, allow_none=True)
    city = fields.String(required=True, allow_none=True)
    lat = Degrees(required=True, allow_none=True)
    lon = Degrees(required=True, allow_none=True)
    bookingEmail = fields.String(required=True, allow_none=True)
    venueType = fields.String(required=True)
    accessibility = fields.Nested(AccessibilityV1, required=True, allow_none=True)
    departmentCode = fields.String(required=True, allow_none=True)
    timezone = fields.String(required=True)


class OfferV1(Schema):
    """A whole offer, without its stocks. ``publishedAt`` is when the public could first see it."""

    offerId = Number(required=True)
    venueId = Number(required=True)
    offererId = Number(required=True)
    name = fields.String(required=True)
    subcategory = fields.String(required=True, validate=validate.OneOf(list(SUBCATEGORIES)))
    description = fields.String(required=True)
    isDuo = Flag(required=True)
    isDigital = Flag(required=True)
    url = fields.String(required=True, allow_none=True)
    durationMinutes = Count(required=True, allow_none=True)
    withdrawalDetails = fields.String(required=True, allow_none=True)
    bookingEmail = fields.String(required=True, allow_none=True)
    tags = fields.List(fields.String(), required=True)
    publishedAt = Instant(required=True)


class OfferWithdrawnV1(Schema):
    """The public no longer sees the offer, until it is published again."""

    offerId = Number(required=True)
    reason = fields.String(required=True, validate=validate.OneOf(["deactivated", "rejected", "in-review"]))


class StockAddedV1(Schema):
    """A new stock. ``quantity`` null: unlimited; with activation codes it is their number."""

    stockId = Number(required=True)
    offerId = Number(required=True)
    venueId = Number(required=True)
    offererId = Number(required=True)
    priceCents = Money(required=True)
    quantity = Count(required=True, allow_none=True)
    beginningAt = Instant(required=True, allow_none=True)
    bookingLimitAt = Instant(required=True, allow_none=True)
    activationCodes = fields.List(fields.String(), required=True)
    addedAt = Instant(required=True)


class StockChangedV1(Schema):
    """Another price or booking limit; bookings that exist keep their price."""

    stockId = Number(required=True)
    offerId = Number(required=True)
    priceCents = Money(required=True)
    bookingLimitAt = Instant(required=True, allow_none=True)


class EventRescheduledV1(Schema):
    """The event was moved."""

    stockId = Number(required=True)
    offerId = Number(required=True)
    beginningAt = Instant(required=True)
    previousBeginningAt = Instant(required=True)
    bookingLimitAt = Instant(required=True)


class StockWithdrawnV1(Schema):
    """The stock can no longer be booked; booking cancels its unused bookings."""

    stockId = Number(required=True)
    offerId = Number(required=True)
    withdrawnAt = Instant(required=True)


class EventDateElapsedV1(Schema):
    """The event has started; published once per stock and start, as of that instant."""

    stockId = Number(required=True)
    offerId = Number(required=True)
    venueId = Number(required=True)
    beginningAt = Instant(required=True)


MESSAGES: Mapping[tuple[str, int], type[Schema]] = {
    ("VenueOpened", 1): VenueV1,
    ("VenueChanged", 1): VenueV1,
    ("OfferPublished", 1): OfferV1,
    ("OfferChanged", 1): OfferV1,
    ("OfferWithdrawn", 1): OfferWithdrawnV1,
    ("StockAdded", 1): StockAddedV1,
    ("StockChanged", 1): StockChangedV1,
    ("EventRescheduled", 1): EventRescheduledV1,
    ("StockWithdrawn", 1): StockWithdrawnV1,
    ("EventDateElapsed", 1): EventDateElapsedV1,
}
"""The schema of each message by (name, version)."""
