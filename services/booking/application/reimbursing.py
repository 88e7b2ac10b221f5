"""Payout puts validations into batches and reimburses them."""

from __future__ import annotations

from services.booking.application.loading import load
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant


def enter_batch(tx: Transaction, message: Message) -> None:
    """From now on neither the desk nor the person can undo it (decision 11)."""
    data = message.data
    for booking in load(tx, [data["bookingId"]]):
        booking.enter_batch(message.occurred_at, data["batchId"], data["lineId"])
        tx.save(booking)


def reimburse(tx: Transaction, message: Message) -> None:
    data = message.data
    for booking in load(tx, [data["bookingId"]]):
        booking.reimburse(parse_instant(data["at"]), data["batchId"])
        tx.save(booking)
