"""An example of every event of booking."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.booking.domain.booking import Booking, Command, Terms
from services.booking.domain.stock import Stock
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents

AT = datetime(2021, 11, 2, 9, tzinfo=UTC)
START = datetime(2021, 11, 10, 19, tzinfo=UTC)
STREAM = stream_id("booking", 17)
TERMS = Terms(
    stock_id=8,
    offer_id=5,
    venue_id=3,
    offerer_id=1,
    establishment="21340172200011",
    subcategory="SEANCE_CINE",
    offer_name="Le Chant du loup",
    is_digital=False,
    quantity=2,
    unit_price=Cents(12_75),
    beginning_at=START,
)
COMMAND = Command("book", "a-key", 7, {"stockId": 8, "quantity": 2})
FACTS = {"attempt": 1, "person_id": 7, "countermark": "XUUQM4", "booked_at": AT, "terms": TERMS}
REFUSED = {"terms": TERMS, "code": "insufficient-credit", "status": 409, "detail": "Crédit insuffisant."}


def of_booking(kind: type, /, **fields: Any) -> Any:
    return kind(originator_id=STREAM, originator_version=2, timestamp=AT, booking_id=17, **fields)


def of_stock(kind: type, /, **fields: Any) -> Any:
    return kind(originator_id=STREAM, originator_version=2, timestamp=AT, stock_id=8, **fields)


AGGREGATES = (Booking, Stock)
EVENTS = [
    of_booking(
        Booking.Requested,
        originator_topic="services.booking.domain.booking:Booking",
        person_id=7,
        terms=TERMS,
        asked=COMMAND,
        with_code=False,
        activation_code=None,
    ),
    of_booking(Booking.Rejected, **REFUSED),
    of_booking(
        Booking.Confirmed, **FACTS, cancellation_limit_at=AT.replace(day=4), activation_code=None, stock_remaining=98
    ),
    of_booking(Booking.Validated, **FACTS, used_at=AT.replace(day=9), by="desk"),
    of_booking(Booking.Invalidated, **FACTS, used_at=AT.replace(day=1)),
    of_booking(Booking.Cancelled, **FACTS, reason="OFFERER", comment="", stock_remaining=None),
    of_booking(Booking.RestoreRequested, attempt=2, person_id=7, terms=TERMS, asked=COMMAND),
    of_booking(Booking.RestoreRejected, **REFUSED),
    of_booking(Booking.Restored, **FACTS, stock_remaining=97),
    of_booking(Booking.Moved, terms=TERMS, cancellation_limit_at=AT.replace(day=4), is_waiting=True),
    of_booking(Booking.ExpiryApproached, expires_at=START),
    of_booking(Booking.EnteredBatch, batch_id=2, line_id=40),
    of_booking(Booking.Reimbursed, batch_id=2),
    of_stock(
        Stock.Opened,
        originator_topic="services.booking.domain.stock:Stock",
        offer_id=5,
        venue_id=3,
        offerer_id=1,
        price=Cents(12_75),
        quantity=100,
        beginning_at=START,
        booking_limit_at=START,
        activation_codes=[],
    ),
    of_stock(Stock.Repriced, price=Cents(10_00), booking_limit_at=None),
    of_stock(Stock.QuantityChanged, quantity=120),
    of_stock(Stock.Rescheduled, beginning_at=START.replace(day=12), booking_limit_at=START),
    of_stock(Stock.Withdrawn),
    of_stock(Stock.EveReached, beginning_at=START),
    of_stock(Stock.SoldOut, offer_id=5),
    of_stock(Stock.Available, offer_id=5, remaining=3),
]
