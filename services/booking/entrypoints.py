"""Booking on the bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.booking.bootstrap import build
from shared.eventstore import Message
from shared.eventstore.outcomes import Call
from shared.hosting import Hosted, takes_commands, takes_messages, takes_queries


class BookingService:
    """Bookings and countermarks, and how many of a stock are left."""

    name = "booking"
    build = staticmethod(build)
    booking = Hosted()

    @takes_commands
    def decide(self, calls: Sequence[Call[Any]]) -> Any:
        return self.booking.decide(calls)

    @takes_queries
    def answer(self, calls: Sequence[Call[Any]]) -> Any:
        return self.booking.answer(calls)

    @takes_messages("catalog", "identity", "payout")
    def react(self, source: str, messages: Sequence[Message]) -> None:
        self.booking.react(source, messages)
