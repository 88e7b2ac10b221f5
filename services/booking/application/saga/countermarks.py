"""Draws countermarks that are unique for ever."""

from __future__ import annotations

from collections.abc import Sequence

from services.booking.domain import rules
from services.booking.domain.booking import Booking
from services.booking.storage import countermarks
from services.booking.storage.open_requests import call_of
from shared.eventstore import Transaction
from shared.kernel.randomness import Randomness

MAX_DRAWS = 100
"""Draws for one booking. With 30 million of 729 million countermarks taken, one draw in 24 is taken already."""


class Countermarks:
    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness

    def draw(self, tx: Transaction, bookings: Sequence[Booking]) -> dict[int, str]:
        """A countermark for each booking, by its number."""
        drawn: dict[int, str] = {}
        waiting = {booking.booking_id: booking for booking in bookings}
        for attempt in range(MAX_DRAWS):
            if not waiting:
                return drawn
            wanted: dict[str, int] = {}
            for number, booking in waiting.items():
                wanted.setdefault(self._draw(booking, attempt), number)
            for mark in countermarks.assign(tx.connection, wanted):
                drawn[wanted[mark]] = mark
                del waiting[wanted[mark]]
        raise RuntimeError(f"no free countermark in {MAX_DRAWS} draws")

    def _draw(self, booking: Booking, attempt: int) -> str:
        """With a seed, the same command draws the same countermark."""
        command = booking.command
        purpose = (call_of(command).owner(), command.key) if command.key else (booking.booking_id,)
        return rules.draw_countermark(self._randomness.draw("countermark", *purpose, attempt))
