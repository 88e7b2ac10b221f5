"""Stocks as catalog describes them, and their quantity, which catalog changes by a command."""

from __future__ import annotations

from typing import Any

from services.booking import refusals
from services.booking.domain.stock import Stock
from services.booking.storage.stocks import LockedStocks
from shared.contracts.calls import booking as calls
from shared.eventstore import Message, Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents
from shared.kernel.time import parse_optional_instant


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
    """Another price or booking limit for later bookings; existing ones keep their price (domain.md §3.1)."""
    stock = stock_of(tx, message)
    limit = parse_optional_instant(message.data["bookingLimitAt"])
    stock.reprice(message.occurred_at, Cents(message.data["priceCents"]), limit)
    tx.save(stock)


def set_quantity(tx: Transaction, call: Call[calls.SetQuantity]) -> dict[str, Any]:
    """Refuses a quantity that would oversell the stock."""
    stock_id, quantity = call.body.stock_id, call.body.quantity
    locked = LockedStocks.of(tx, [stock_id]).get(stock_id)
    stock = tx.get(Stock, stream_id("stock", stock_id))
    if locked is None or stock is None:
        raise refusals.UnknownStock
    stock.change_quantity(tx.now, quantity, taken=locked.row.taken, booked=locked.row.booked)
    tx.save(stock)
    return {"remaining": None if quantity is None else quantity - locked.row.booked}


def stock_of(tx: Transaction, message: Message) -> Stock:
    stock = tx.get(Stock, stream_id("stock", message.data["stockId"]))
    assert stock is not None, "StockAdded comes before every other message about a stock"
    return stock
