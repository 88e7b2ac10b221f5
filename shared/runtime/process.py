"""A service in this process, with its calls: its own, and those that every service answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.eventstore.outcomes import Call
from shared.kernel.time import Clock
from shared.messaging.answering import Answered, Commands, Queries
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
from shared.runtime.platform_calls import PlatformCalls
from shared.runtime.running import RunningService
from shared.runtime.service import Service


class Process(RunningService):
    """A running service that answers calls."""

    def __init__(self, service: Service, clock: Clock, bus: Bus) -> None:
        super().__init__(service, clock, bus)
        platform = PlatformCalls(self)
        self.commands = Commands(self.store, {**service.commands, **by_name(platform.commands())})
        self.queries = Queries(self.store, {**service.queries, **by_name(platform.queries())})

    def decide(self, calls: Sequence[Call[Any]]) -> list[Answered]:
        """The outcome of each command of a batch, in order."""
        return self.commands.decide(calls)

    def answer(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """The answer to each query of a batch, in order."""
        return self.queries.answer(calls)
