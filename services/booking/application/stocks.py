"""Stocks: catalog's messages describe them, and its command sets their quantity."""

from __future__ import annotations

from typing import Any

from services.booking.application.cancelling import cancel_all, load
from services.booking.domain import errors
from services.booking.domain.booking import Reason
from services.booking.domain.stock import Stock
from services.booking.storage import bookings as stored
from services.booking.storage.places import Shelf
from shared.contracts.calls import booking as calls
from shared.eventstore import Message, Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents
from shared.kernel.time import parse_instant, parse_optional_instant


def open_stock(tx: Transaction, message: Message) -> None:
    data = message.data
    stock = Stock.open(
        message.occurred_at,
        stock_id=data["stockId"],
        offer_id=data["offerId"],
        venue_id=data["venueId"],
        offerer_id=data["offererId"],
        price=Cents(data["priceCents"]),
        quantity=data["quantity"],
        beginning_at=parse_optional_instant(data["beginningAt"]),
        booking_limit_at=parse_optional_instant(data["bookingLimitAt"]),
        activation_codes=data["activationCodes"],
    )
    tx.save(stock)


def change_stock(tx: Transaction, message: Message) -> None:
    """A new price or limit applies to later bookings; existing bookings keep their price (domain.md §3.1)."""
    stock = _stock(tx, message)
    stock.reprice(
        message.occurred_at, Cents(message.data["priceCents"]), parse_optional_instant(message.data["bookingLimitAt"])
    )
    tx.save(stock)


def reschedule(tx: Transaction, message: Message) -> None:
    """The event moved: all its bookings get new limits, and validations are taken back when it was postponed."""
    stock_id = message.data["stockId"]
    Shelf.of(tx, [stock_id])  # this lock makes a concurrent confirmation wait, and see the new date
    stock, begins = _stock(tx, message), parse_instant(message.data["beginningAt"])
    stock.reschedule(message.occurred_at, begins, parse_optional_instant(message.data["bookingLimitAt"]))
    bookings = load(tx, stored.standing_of_stock(tx.connection, stock_id))
    for booking in bookings:
        booking.move(message.occurred_at, begins)
    tx.save(stock, *bookings)


def withdraw_stock(tx: Transaction, message: Message) -> None:
    """The stock cannot be booked any more; its unused bookings are cancelled (domain.md §3.1)."""
    stock_id = message.data["stockId"]
    Shelf.of(tx, [stock_id])
    stock = _stock(tx, message)
    stock.withdraw(message.occurred_at)
    tx.save(stock)
    tx.flush()
    cancel_all(tx, load(tx, stored.unused_of_stock(tx.connection, stock_id)), Reason.OFFERER)


def set_quantity(tx: Transaction, call: Call[calls.SetQuantity]) -> dict[str, Any]:
    """Raises a refusal for fewer places than are taken; UnknownStock."""
    stock_id, quantity = call.body.stock_id, call.body.quantity
    held = Shelf.of(tx, [stock_id]).get(stock_id)
    stock = tx.get(Stock, stream_id("stock", stock_id))
    if held is None or stock is None:
        raise errors.UnknownStock
    stock.change_quantity(tx.now, quantity, taken=held.row.taken, booked=held.row.booked)
    tx.save(stock)
    return {"remaining": None if quantity is None else quantity - held.row.booked}


def _stock(tx: Transaction, message: Message) -> Stock:
    stock = tx.get(Stock, stream_id("stock", message.data["stockId"]))
    assert stock is not None, "catalog publishes StockAdded before any other message about a stock"
    return stock
