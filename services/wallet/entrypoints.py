"""Wallet on the bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.wallet.bootstrap import build
from shared.eventstore import Message
from shared.eventstore.outcomes import Call
from shared.hosting import Hosted, takes_commands, takes_messages, takes_queries


class WalletService:
    """Young people's credits: granted, reserved, spent, released, lapsed."""

    name = "wallet"
    build = staticmethod(build)
    wallet = Hosted()

    @takes_commands
    def decide(self, calls: Sequence[Call[Any]]) -> Any:
        return self.wallet.decide(calls)

    @takes_queries
    def answer(self, calls: Sequence[Call[Any]]) -> Any:
        return self.wallet.answer(calls)

    @takes_messages("identity", "booking")
    def react(self, source: str, messages: Sequence[Message]) -> None:
        self.wallet.react(source, messages)
