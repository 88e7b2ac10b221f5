"""Offers as anyone may see them, and reference data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from marshmallow import Schema, fields

from services.gateway.projections.catalogue.queries import KINDS, SORTS
from services.gateway.web.schemas.shapes import page_of
from shared.contracts.calls.contract import Data
from shared.contracts.calls.types import Amount, NextPage, PageSize
from shared.contracts.fields import DateTime, Decimal, Degrees, Flag, Instant, Number, OneOf, Price, Text, Whole
from shared.contracts.subcategories import CATEGORIES, SUBCATEGORIES
from shared.kernel.errors import Invalid

OFFER_STATUSES = ("draft", "pending", "rejected", "inactive", "expired", "sold-out", "active")


class Search(Data):
    q: Annotated[str, Text(1, 200)] | None = None
    lat: Annotated[float, Degrees(90)] | None = None
    lon: Annotated[float, Degrees()] | None = None
    radius_km: Annotated[float, Decimal(0, 1000)] | None = None
    category: Annotated[str, OneOf(CATEGORIES)] | None = None
    subcategory: Annotated[str, OneOf(SUBCATEGORIES)] | None = None
    kind: Annotated[str, OneOf(KINDS)] | None = None
    is_free: bool | None = None
    is_duo: bool | None = None
    price_min_cents: Amount | None = None
    price_max_cents: Amount | None = None
    from_: Annotated[datetime, DateTime()] | None = None
    to: Annotated[datetime, DateTime()] | None = None
    tag: Annotated[str, Text(1, 100)] | None = None
    sort: Annotated[str, OneOf(SORTS)] | None = None
    cursor: NextPage | None = None
    limit: PageSize | None = None

    def check(self) -> None:
        if (self.lat is None) != (self.lon is None):
            raise Invalid(errors={"lon" if self.lon is None else "lat": ["Donnez lat et lon ensemble."]})
        if self.lat is None and (self.radius_km is not None or self.sort == "distance"):
            raise Invalid(errors={"lat": ["Donnez aussi lat et lon."]})


class OfferVenue(Schema):
    venueId = Number(required=True)
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
    stockId = Number(required=True)
    priceCents = Price(required=True)
    beginningAt = Instant(required=True, allow_none=True)
    bookingLimitAt = Instant(required=True, allow_none=True)
    remaining = Whole(0, 10**9, required=True, allow_none=True, metadata={"description": "null: no limit."})
    cancellationLimitAt = Instant(
        required=True, allow_none=True, metadata={"description": "What it would be if it were booked now."}
    )
    bookable = Flag(required=True)


class PublicOffer(Schema):
    offerId = Number(required=True)
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
    minPriceCents = Price(required=True, allow_none=True)
    publishedAt = Instant(allow_none=True)
    status = fields.String(required=True, metadata={"enum": list(OFFER_STATUSES)})


PublicOffers = page_of(PublicOffer, "PublicOffers")


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
    now = Instant(required=True, metadata={"description": "The platform's clock."})
    accountCreationMinimumAge = fields.Integer(required=True)
    depositAmountCents = Price(required=True, metadata={"description": "The credit granted at 18 today."})
    venueTypes = fields.List(fields.String(), required=True)
    maxFavourites = fields.Integer(required=True)
    maxBodyBytes = fields.Integer(required=True)
