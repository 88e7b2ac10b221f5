"""Payout on the bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.payout.bootstrap import build
from shared.eventstore import Message
from shared.eventstore.outcomes import Call
from shared.hosting import Hosted, takes_commands, takes_messages, takes_queries


class PayoutService:
    """Prices of validated bookings, batches, transfers, and the proof that everything adds up."""

    name = "payout"
    build = staticmethod(build)
    payout = Hosted()

    @takes_commands
    def decide(self, calls: Sequence[Call[Any]]) -> Any:
        return self.payout.decide(calls)

    @takes_queries
    def answer(self, calls: Sequence[Call[Any]]) -> Any:
        return self.payout.answer(calls)

    @takes_messages("booking", "catalog", "identity")
    def react(self, source: str, messages: Sequence[Message]) -> None:
        self.payout.react(source, messages)
