"""Bookings, as a young person sees them."""

from __future__ import annotations

from typing import Annotated, Any

from marshmallow import Schema, fields

from services.gateway.web.schemas.shapes import page_of
from shared.contracts.calls.booking import STATUSES
from shared.contracts.calls.contract import Data
from shared.contracts.calls.types import Id
from shared.contracts.fields import Flag, Instant, Number, Price, Whole
from shared.kernel.identifiers import MAX_NUMBER


class Places(Whole):
    """The offer decides how many are too many: a number larger than every JSON reader keeps exact becomes the largest
    exact one."""

    def __init__(self) -> None:
        super().__init__(1, MAX_NUMBER, metadata={"description": "1, or 2 where the offer is duo."})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        return min(super()._deserialize(value, attr, data, **options), MAX_NUMBER)


class NewBooking(Data):
    stock_id: Id
    quantity: Annotated[int, Places()]


class BookedVenue(Schema):
    venueId = Number(required=True)
    name = fields.String(required=True)
    address = fields.String(allow_none=True)
    city = fields.String(allow_none=True)
    postalCode = fields.String(allow_none=True)


class BookedOffer(Schema):
    offerId = Number(required=True)
    name = fields.String(required=True)
    subcategory = fields.String(required=True)
    isDigital = Flag(required=True)
    url = fields.String(allow_none=True)
    withdrawalDetails = fields.String(allow_none=True)
    venue = fields.Nested(BookedVenue, required=True)


class BookedStock(Schema):
    stockId = Number(required=True)
    priceCents = Price(required=True)
    beginningAt = Instant(required=True, allow_none=True)


class Booking(Schema):
    bookingId = Number(required=True)
    countermark = fields.String(required=True, metadata={"pattern": "^[A-Z0-9]{6}$"})
    qrCode = fields.String(allow_none=True, metadata={"description": "The text of the QR code, while it may be shown."})
    activationCode = fields.String(allow_none=True)
    completedUrl = fields.String(allow_none=True)
    status = fields.String(required=True, metadata={"enum": list(STATUSES)})
    quantity = Whole(1, 2, required=True)
    unitPriceCents = Price(required=True)
    totalCents = Price(required=True)
    bookedAt = Instant(required=True)
    cancellationLimitAt = Instant(required=True, allow_none=True)
    expiresAt = Instant(required=True, allow_none=True)
    usedAt = Instant(required=True, allow_none=True)
    cancelledAt = Instant(required=True, allow_none=True)
    cancellationReason = fields.String(required=True, allow_none=True)
    reimbursedAt = Instant(allow_none=True)
    stock = fields.Nested(BookedStock, required=True)
    offer = fields.Nested(BookedOffer, required=True)
    version = Whole(0, 2**53 - 1)


Bookings = page_of(Booking, "Bookings")
