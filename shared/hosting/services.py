"""What every nameko service class has in common: it brings calls and messages to the process of its service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from shared.eventstore import Message
from shared.eventstore.outcomes import Call
from shared.hosting.calls import takes_commands, takes_queries
from shared.hosting.feeds import takes_messages
from shared.hosting.hosted import Hosted


class HostedService:
    """A subclass names its service, and gives ``build`` of its bootstrap as a static method."""

    name: ClassVar[str]
    process = Hosted()

    @takes_commands
    def decide(self, calls: Sequence[Call[Any]]) -> Any:
        return self.process.decide(calls)

    @takes_queries
    def answer(self, calls: Sequence[Call[Any]]) -> Any:
        return self.process.answer(calls)


def messages_from(*sources: str) -> Callable[..., None]:
    """The entrypoint of a service that reacts to messages of other services."""

    @takes_messages(*sources)
    def react(self: Any, source: str, messages: Sequence[Message]) -> None:
        self.process.react(source, messages)

    reaction: Callable[..., None] = react
    return reaction
