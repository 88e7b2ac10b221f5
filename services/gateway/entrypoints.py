"""The nameko service: messages for the catalogue's read model, queries about itself, and HTTP beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.gateway.bootstrap import build
from services.gateway.web.surface import ServesHttp
from shared.eventstore import Message
from shared.eventstore.outcomes import Call
from shared.hosting import Hosted, takes_commands, takes_messages, takes_queries


class GatewayService:
    """The platform's HTTP surface and the public read model of the catalogue."""

    name = "gateway"
    build = staticmethod(build)
    gateway = Hosted()
    http = ServesHttp()

    @takes_commands
    def decide(self, calls: Sequence[Call]) -> list[Any]:
        return self.gateway.decide(calls)

    @takes_queries
    def answer(self, calls: Sequence[Call]) -> list[Any]:
        return self.gateway.answer(calls)

    @takes_messages("catalog", "booking", "identity")
    def react(self, source: str, messages: Sequence[Message]) -> None:
        self.gateway.react(source, messages)
