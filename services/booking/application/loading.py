"""Loads bookings by number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.booking.domain.booking import Booking
from services.booking.storage import stocks
from shared.eventstore import Transaction
from shared.kernel.identifiers import stream_id


def load(tx: Transaction, numbers: Iterable[int]) -> list[Booking]:
    """The bookings with these numbers, in the same order."""
    streams = [stream_id("booking", number) for number in numbers]
    loaded = tx.get_many(Booking, streams)
    return [loaded[stream] for stream in streams if stream in loaded]


def load_to_cancel(tx: Transaction, numbers: Sequence[int]) -> list[Booking]:
    """``load``, after locking their stocks."""
    if numbers:
        stocks.lock_of_bookings(tx.connection, numbers)
    return load(tx, numbers)
