"""The catalogue on the bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.catalog.bootstrap import build
from shared.eventstore import Message
from shared.eventstore.outcomes import Call
from shared.hosting import Hosted, takes_commands, takes_messages, takes_queries


class CatalogService:
    """Venues, offers, stocks as described, and the passing of event dates."""

    name = "catalog"
    build = staticmethod(build)
    catalog = Hosted()

    @takes_commands
    def decide(self, calls: Sequence[Call]) -> Any:
        return self.catalog.decide(calls)

    @takes_queries
    def answer(self, calls: Sequence[Call]) -> Any:
        return self.catalog.answer(calls)

    @takes_messages("identity", "booking")
    def react(self, source: str, messages: Sequence[Message]) -> None:
        self.catalog.react(source, messages)
