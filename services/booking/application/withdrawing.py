"""Stocks and offers are withdrawn: they cannot be booked any more."""

from __future__ import annotations

from services.booking.application.cancelling import cancel_all
from services.booking.application.loading import load, load_to_cancel
from services.booking.application.stocks import stock_of
from services.booking.domain.states import Reason
from services.booking.storage import bookings, references, stocks
from services.booking.storage.stocks import LockedStocks
from shared.eventstore import Message, Transaction

REJECTED = "rejected"


def withdraw_stock(tx: Transaction, message: Message) -> None:
    """Cancels its unused bookings (domain.md §3.1)."""
    stock_id = message.data["stockId"]
    LockedStocks.of(tx, [stock_id])
    stock = stock_of(tx, message)
    stock.withdraw(message.occurred_at)
    tx.save(stock)
    tx.flush()
    cancel_all(tx, load(tx, bookings.unused_of_stock(tx.connection, stock_id)), Reason.OFFERER)


def withdraw_offer(tx: Transaction, message: Message) -> None:
    """Cancels the unused bookings of an offer that staff rejected (domain.md §3.2)."""
    offer_id = message.data["offerId"]
    stocks.lock_of_offer(tx.connection, offer_id)
    references.unpublish_offer(tx.connection, offer_id)
    if message.data["reason"] == REJECTED:
        cancel_all(tx, load_to_cancel(tx, bookings.unused_of_offer(tx.connection, offer_id)), Reason.FRAUD)
