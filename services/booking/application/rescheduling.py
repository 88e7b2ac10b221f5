"""An event gets another date."""

from __future__ import annotations

from services.booking.application.loading import load
from services.booking.application.stocks import stock_of
from services.booking.storage import bookings
from services.booking.storage.stocks import LockedStocks
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant, parse_optional_instant


def reschedule(tx: Transaction, message: Message) -> None:
    """All bookings of the stock get new limits; a postponed event undoes their validations."""
    stock_id = message.data["stockId"]
    LockedStocks.of(tx, [stock_id])  # a transaction that confirms a booking of it waits, and reads the new date
    stock, begins = stock_of(tx, message), parse_instant(message.data["beginningAt"])
    stock.reschedule(message.occurred_at, begins, parse_optional_instant(message.data["bookingLimitAt"]))
    moved = load(tx, bookings.uncancelled_of_stock(tx.connection, stock_id))
    for booking in moved:
        booking.move(message.occurred_at, begins)
    tx.save(stock, *moved)
