"""What cultural actors send and see: structures, venues, offers, stocks, bank details, reimbursements."""

from __future__ import annotations

from typing import Annotated

from marshmallow import Schema, fields

from services.gateway.web.schemas.bodies import UploadedFile
from services.gateway.web.schemas.catalogue import OFFER_STATUSES
from services.gateway.web.schemas.shapes import page_of
from shared.contracts.calls.booking import MAX_RECAP_BOOKINGS, RecapFilters
from shared.contracts.calls.catalog import MAX_CODES, MAX_QUANTITY
from shared.contracts.calls.contract import Data
from shared.contracts.calls.payout import DOCUMENT_KINDS, MAX_DOCUMENT_BYTES
from shared.contracts.calls.types import Id, NextPage
from shared.contracts.fields import Flag, Instant, Money, Number, OneOf, Price, Whole

LINE_STATUSES = ("waiting", "no-bank-details", "in-batch", "carried-forward", "sent", "rejected")


class Counters(Schema):
    activeOffers = fields.Integer(required=True)
    ongoingBookings = fields.Integer(required=True)
    validatedBookings = fields.Integer(required=True)
    soldOutOffers = fields.Integer(required=True)


class Venue(Schema):
    venueId = Number(required=True)
    offererId = Number(required=True)
    kind = fields.String(metadata={"enum": ["siret", "comment", "digital"]})
    status = fields.String(
        required=True,
        metadata={
            "enum": ["pending", "open", "closed"],
            "description": "That of its structure: awaiting validation, validated, rejected or closed.",
        },
    )
    name = fields.String(required=True)
    siret = fields.String(required=True, allow_none=True)
    comment = fields.String(allow_none=True)
    establishment = fields.String(metadata={"description": "The SIRET, or `venue-<venueId>`."})
    address = fields.String(allow_none=True)
    postalCode = fields.String(allow_none=True)
    city = fields.String(allow_none=True)
    lat = fields.Float(allow_none=True)
    lon = fields.Float(allow_none=True)
    bookingEmail = fields.String(allow_none=True)
    venueType = fields.String()
    accessibility = fields.Dict(allow_none=True)
    departmentCode = fields.String(allow_none=True)
    timezone = fields.String()
    version = Whole(0, 2**53 - 1)


class VenueWithCounters(Venue):
    counters = fields.Nested(Counters, required=True)


class Offerer(Schema):
    offererId = Number(required=True)
    siren = fields.String(required=True)
    name = fields.String(required=True)
    address = fields.String(allow_none=True)
    postalCode = fields.String(allow_none=True)
    city = fields.String(allow_none=True)
    status = fields.String(required=True, metadata={"enum": ["pending", "validated", "rejected", "closed"]})
    registeredAt = Instant(allow_none=True)
    attachment = fields.String(required=True, metadata={"enum": ["pending", "approved"]})
    venues = fields.List(fields.Nested(VenueWithCounters), required=True)


Offerers = page_of(Offerer, "Offerers")


class Stock(Schema):
    stockId = Number(required=True)
    offerId = Number(required=True)
    status = fields.String(required=True)
    priceCents = Price(required=True)
    quantity = Whole(0, MAX_QUANTITY, required=True, allow_none=True)
    beginningAt = Instant(required=True, allow_none=True)
    bookingLimitAt = Instant(required=True, allow_none=True)
    venueId = Number()
    activationCodes = Whole(0, MAX_CODES, metadata={"description": "How many codes were given."})
    version = Whole(0, 2**53 - 1)


class Offer(Schema):
    offerId = Number(required=True)
    venueId = Number(required=True)
    offererId = Number()
    name = fields.String(required=True)
    subcategory = fields.String(required=True)
    category = fields.String()
    kind = fields.String()
    description = fields.String(allow_none=True)
    isDuo = Flag(required=True)
    isDigital = Flag()
    url = fields.String(allow_none=True)
    durationMinutes = fields.Integer(allow_none=True)
    withdrawalDetails = fields.String(allow_none=True)
    bookingEmail = fields.String(allow_none=True)
    tags = fields.List(fields.String())
    status = fields.String(required=True, metadata={"enum": list(OFFER_STATUSES)})
    review = fields.Dict(allow_none=True, metadata={"description": "What staff look at, or decided."})
    stocks = fields.List(fields.Nested(Stock), required=True)
    publishedAt = Instant(allow_none=True)
    version = Whole(0, 2**53 - 1)


class BankDetails(Schema):
    bankDetailsId = Number(required=True)
    status = fields.String(required=True, metadata={"enum": ["pending", "accepted", "rejected"]})
    offererId = Number(allow_none=True)
    venueId = Number(allow_none=True)
    iban = fields.String(allow_none=True)
    bic = fields.String(allow_none=True)
    holder = fields.String(allow_none=True)
    submittedAt = Instant(allow_none=True)
    decidedAt = Instant(allow_none=True)
    reason = fields.String(allow_none=True)
    version = Whole(0, 2**53 - 1)


class NewDocument(Data):
    kind: Annotated[str, OneOf(DOCUMENT_KINDS)]
    file: Annotated[
        bytes, UploadedFile(MAX_DOCUMENT_BYTES, metadata={"description": "PDF, PNG or JPEG, at most 10 MB."})
    ]


class Document(Schema):
    documentId = Number(required=True)
    bankDetailsId = Number(required=True)
    kind = fields.String(required=True, metadata={"enum": list(DOCUMENT_KINDS)})
    mediaType = fields.String(required=True, metadata={"description": "As the file's own bytes say."})
    size = Whole(1, MAX_DOCUMENT_BYTES, required=True, metadata={"description": "In bytes."})
    sha256 = fields.String(required=True)
    addedAt = Instant(required=True)


Documents = page_of(Document, "Documents")


class NewApiKey(Schema):
    key = fields.String(required=True, metadata={"description": "Shown this once; only a digest of it is kept."})
    prefix = fields.String(required=True)


class ApiKeyItem(Schema):
    prefix = fields.String(required=True)
    createdAt = Instant(required=True)


ApiKeys = page_of(ApiKeyItem, "ApiKeys")


Offers = page_of(Offer, "Offers")


class RecapFileQuery(RecapFilters):
    venue_id: Id | None = None


class RecapQuery(RecapFileQuery):
    cursor: NextPage | None = None
    limit: Annotated[int, Whole(1, MAX_RECAP_BOOKINGS)] | None = None


class ReimbursementLine(Schema):
    lineId = Number(required=True)
    corrects = Number(allow_none=True)
    offerId = Number(allow_none=True)
    quantity = fields.Integer()
    bookingId = Number(required=True, allow_none=True)
    countermark = fields.String(required=True, allow_none=True)
    establishment = fields.String(required=True)
    venueId = Number(allow_none=True)
    venueName = fields.String(required=True, allow_none=True)
    offerName = fields.String(required=True, allow_none=True)
    usedAt = Instant(required=True, allow_none=True)
    amountCents = Money(required=True)
    revenueCents = Money(required=True, allow_none=True)
    rate = fields.String(required=True, allow_none=True)
    rule = fields.String(required=True, allow_none=True)
    reimbursedCents = Money(required=True)
    contributionCents = Money(allow_none=True)
    status = fields.String(required=True, metadata={"enum": list(LINE_STATUSES)})
    batchId = Number(required=True, allow_none=True)


Reimbursements = page_of(ReimbursementLine, "Reimbursements")


class RecapStep(Schema):
    status = fields.String(required=True)
    date = Instant(required=True)


class RecapRow(Schema):
    """One place of a booking: a duo is two rows."""

    bookingId = Number(required=True)
    stockId = Number()
    offerId = Number()
    offerName = fields.String(required=True)
    venueId = Number()
    venueName = fields.String(allow_none=True)
    timezone = fields.String(allow_none=True)
    beginningAt = Instant(allow_none=True)
    firstName = fields.String(required=True)
    lastName = fields.String(required=True)
    email = fields.String(required=True)
    phoneNumber = fields.String(allow_none=True)
    bookedAt = Instant(required=True)
    countermark = fields.String(required=True, allow_none=True)
    status = fields.String(
        required=True, metadata={"enum": ["booked", "confirmed", "validated", "cancelled", "reimbursed"]}
    )
    statusHistory = fields.List(fields.Nested(RecapStep), required=True)
    isDuo = Flag(required=True)
    unitPriceCents = Price(required=True)
    usedAt = Instant(allow_none=True)
    reimbursedAt = Instant(allow_none=True)


class Recap(Schema):
    """``total`` counts places: a duo is two."""

    items = fields.List(fields.Nested(RecapRow), required=True)
    total = fields.Integer(required=True)
    nextCursor = fields.String(required=True, allow_none=True)
