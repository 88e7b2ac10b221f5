"""Wire-compatible shapes of partners' ticketing software (domain.md §5.2)."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.web.fields import Flag, WholeNumber, number


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
    offerId = number(required=True)
    publicOfferId = fields.String(required=True)
    offerName = fields.String(required=True)
    offerType = fields.String(required=True, metadata={"enum": ["BIEN", "EVENEMENT"]})
    phoneNumber = fields.String(required=True, metadata={"description": "Always empty."})
    price = fields.Float(required=True, metadata={"description": "Euros, of one place, as booked."})
    quantity = WholeNumber(1, 2, required=True)
    theater = fields.Dict(required=True)
    userName = fields.String(required=True)
    venueAddress = fields.String(required=True, allow_none=True)
    venueDepartmentCode = fields.String(required=True, allow_none=True)
    venueName = fields.String(required=True)


class DeskError(Schema):
    """``{"key": ["message"]}`` with one of these keys."""

    auth = fields.List(fields.String())
    user = fields.List(fields.String())
    payment = fields.List(fields.String())
    booking = fields.List(fields.String())
    booking_cancelled = fields.List(fields.String())
    global_ = fields.List(fields.String(), data_key="global", attribute="global")
