"""Wire-compatible shapes of partners' ticketing software (domain.md §5.2)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from marshmallow import Schema, fields

from shared.contracts.calls.booking import MAX_OFFER_BOOKINGS, STATUSES
from shared.contracts.calls.contract import Data
from shared.contracts.calls.types import Id
from shared.contracts.fields import DateTime, Day, Flag, Instant, Number, OneOf, Whole

PARTNER_STATUSES = tuple(status.upper() for status in STATUSES)


class DeskBooking(Schema):
    bookingId = fields.String(required=True, metadata={"description": "The booking's number in base 32."})
    dateOfBirth = fields.String(required=True, metadata={"description": "Always empty."})
    datetime = fields.String(
        required=True, metadata={"description": "Start of the event in UTC; empty without a date."}
    )
    ean13 = fields.String(required=True, allow_none=True)
    email = fields.String(required=True)
    formula = fields.String(required=True, metadata={"enum": ["", "PLACE", "ABO"]})
    isUsed = Flag(required=True)
    offerId = Number(required=True)
    publicOfferId = fields.String(required=True)
    offerName = fields.String(required=True)
    offerType = fields.String(required=True, metadata={"enum": ["BIEN", "EVENEMENT"]})
    phoneNumber = fields.String(required=True, metadata={"description": "Always empty."})
    price = fields.Float(required=True, metadata={"description": "Euros, of one place, as booked."})
    quantity = Whole(1, 2, required=True)
    theater = fields.Dict(required=True)
    userName = fields.String(required=True)
    venueAddress = fields.String(required=True, allow_none=True)
    venueDepartmentCode = fields.String(required=True, allow_none=True)
    venueName = fields.String(required=True)


class OfferBookingsQuery(Data):
    offer_id: Id
    first_index: (
        Annotated[int, Number(metadata={"description": "The number from which the page begins; 1 by default."})] | None
    ) = None
    limit: Annotated[int, Whole(1, MAX_OFFER_BOOKINGS)] | None = None
    stock_id: Id | None = None
    status: Annotated[str, OneOf(PARTNER_STATUSES)] | None = None
    beginning_datetime: Annotated[datetime, DateTime(metadata={"description": "The start of the event."})] | None = None


class OfferBooking(Schema):
    id = Number(required=True)
    quantity = Whole(1, 2, required=True)
    creationDate = Instant(required=True)
    confirmationDate = Instant(
        required=True, allow_none=True, metadata={"description": "Until when a dated booking may be cancelled."}
    )
    price = fields.Float(required=True, metadata={"description": "Euros, of one place, as booked."})
    status = fields.String(required=True, metadata={"enum": list(PARTNER_STATUSES)})
    offerId = Number(required=True)
    stockId = Number(required=True)
    priceCategoryId = Number(required=True, allow_none=True, metadata={"description": "Always null."})
    priceCategoryLabel = fields.String(required=True, allow_none=True, metadata={"description": "Always null."})
    offerName = fields.String(required=True)
    offerEan = fields.String(required=True, allow_none=True)
    venueId = Number(required=True)
    venueName = fields.String(required=True)
    venueAddress = fields.String(required=True, allow_none=True)
    venueDepartementCode = fields.String(required=True, allow_none=True)
    userEmail = fields.String(required=True)
    userPhoneNumber = fields.String(required=True, allow_none=True)
    userFirstName = fields.String(required=True)
    userLastName = fields.String(required=True)
    userBirthDate = Day(required=True, allow_none=True, metadata={"description": "Always null."})
    userPostalCode = fields.String(required=True, allow_none=True, metadata={"description": "Always null."})


class OfferBookings(Schema):
    bookings = fields.List(fields.Nested(OfferBooking), required=True)


class DeskError(Schema):
    """``{"key": ["message"]}`` with one of these keys."""

    auth = fields.List(fields.String())
    user = fields.List(fields.String())
    payment = fields.List(fields.String())
    booking = fields.List(fields.String())
    offer = fields.List(fields.String())
    booking_cancelled = fields.List(fields.String())
    global_ = fields.List(fields.String(), data_key="global", attribute="global")
