"""Offers as anyone may see them, and reference data."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validates_schema

from services.gateway.web.fields import (
    Decimal,
    Flag,
    Moment,
    Strict,
    Text,
    WholeNumber,
    cents,
    cursor,
    limit,
    number,
    one_of,
)
from shared.contracts.subcategories import CATEGORIES, SUBCATEGORIES
from shared.kernel.money import MAX_CENTS

OFFER_STATUSES = ("draft", "pending", "rejected", "inactive", "expired", "sold-out", "active")


class Search(Strict):
    q = Text(1, 200)
    lat = Decimal(-90, 90, in_query=True)
    lon = Decimal(-180, 180, in_query=True)
    radiusKm = Decimal(0, 1000, in_query=True)
    category = one_of(*CATEGORIES)
    subcategory = one_of(*SUBCATEGORIES)
    kind = one_of("event", "thing", "digital")
    isFree = Flag(in_query=True)
    isDuo = Flag(in_query=True)
    priceMinCents = WholeNumber(0, int(MAX_CENTS), in_query=True)
    priceMaxCents = WholeNumber(0, int(MAX_CENTS), in_query=True)
    from_ = Moment(data_key="from", attribute="from")
    to = Moment()
    tag = Text(1, 100)
    sort = one_of("relevance", "distance", "soonest", "newest", "price")
    cursor = cursor()
    limit = limit()

    @validates_schema
    def place_is_whole(self, data: dict[str, object], **_: object) -> None:
        if ("lat" in data) != ("lon" in data):
            raise ValidationError("Give lat and lon together.", "lat" if "lon" in data else "lon")
        if "lat" not in data and ("radiusKm" in data or data.get("sort") == "distance"):
            raise ValidationError("This needs lat and lon.", "lat")


class OfferVenue(Schema):
    venueId = number(required=True)
    name = fields.String(required=True)
    address = fields.String(required=True, allow_none=True)
    city = fields.String(required=True, allow_none=True)
    postalCode = fields.String(required=True, allow_none=True)
    departmentCode = fields.String(allow_none=True)
    timezone = fields.String(allow_none=True)
    venueType = fields.String(allow_none=True)
    accessibility = fields.Dict(allow_none=True)
    lat = fields.Float(required=True, allow_none=True)
    lon = fields.Float(required=True, allow_none=True)


class OfferStock(Schema):
    stockId = number(required=True)
    priceCents = cents(required=True)
    beginningAt = Moment(required=True, allow_none=True)
    bookingLimitAt = Moment(required=True, allow_none=True)
    remaining = WholeNumber(0, 10**9, required=True, allow_none=True, metadata={"description": "null: no limit."})
    cancellationLimitAt = Moment(
        required=True, allow_none=True, metadata={"description": "What it would be if it were booked now."}
    )
    bookable = Flag(required=True)


class PublicOffer(Schema):
    offerId = number(required=True)
    name = fields.String(required=True)
    description = fields.String()
    subcategory = fields.String(required=True, metadata={"enum": list(SUBCATEGORIES)})
    category = fields.String(required=True, metadata={"enum": list(CATEGORIES)})
    searchGroup = fields.String(allow_none=True)
    kind = fields.String(required=True, metadata={"enum": ["event", "thing", "digital"]})
    isDuo = Flag(required=True)
    isDigital = Flag(required=True)
    url = fields.String(allow_none=True)
    durationMinutes = fields.Integer(allow_none=True)
    withdrawalDetails = fields.String(allow_none=True)
    tags = fields.List(fields.String())
    venue = fields.Nested(OfferVenue, required=True)
    distanceKm = fields.Float(allow_none=True)
    stocks = fields.List(fields.Nested(OfferStock), required=True)
    minPriceCents = cents(required=True, allow_none=True)
    publishedAt = Moment(allow_none=True)
    status = fields.String(required=True, metadata={"enum": list(OFFER_STATUSES)})


class PublicOffers(Schema):
    items = fields.List(fields.Nested(PublicOffer), required=True)
    nextCursor = fields.String(required=True, allow_none=True)


class SubcategoryItem(Schema):
    id = fields.String(required=True)
    category = fields.String(required=True)
    label = fields.String(required=True)
    appLabel = fields.String(required=True)
    searchGroup = fields.String(required=True)
    homeGroup = fields.String(required=True)
    isEvent = Flag(required=True)
    platform = fields.String(required=True, metadata={"enum": ["ONLINE", "OFFLINE", "ONLINE_OR_OFFLINE"]})
    isDigitalDeposit = Flag(required=True)
    isPhysicalDeposit = Flag(required=True)
    reimbursement = fields.String(required=True, metadata={"enum": ["STANDARD", "BOOK", "NOT_REIMBURSED"]})
    canExpire = Flag(required=True)
    canBeDuo = Flag(required=True)
    isSelectable = Flag(required=True)


class CategoryItem(Schema):
    id = fields.String(required=True)
    label = fields.String(required=True)
    isSelectable = Flag(required=True)


class LabelItem(Schema):
    id = fields.String(required=True)
    label = fields.String(required=True, allow_none=True)


class Subcategories(Schema):
    items = fields.List(fields.Nested(SubcategoryItem), required=True)
    categories = fields.List(fields.Nested(CategoryItem), required=True)
    searchGroups = fields.List(fields.Nested(LabelItem), required=True)
    homeLabels = fields.List(fields.Nested(LabelItem), required=True)


class Settings(Schema):
    now = Moment(required=True, metadata={"description": "The platform's clock."})
    accountCreationMinimumAge = fields.Integer(required=True)
    depositAmountCents = cents(required=True, metadata={"description": "The credit granted at 18 today."})
    venueTypes = fields.List(fields.String(), required=True)
    maxFavourites = fields.Integer(required=True)
    maxBodyBytes = fields.Integer(required=True)
