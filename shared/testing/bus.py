"""A bus between real services in one process, without a broker: calls are answered at once, messages go when told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.kernel.errors import OutcomePending, Unavailable
from shared.kernel.time import Clock
from shared.messaging.bus import Answer
from shared.runtime.direct_bus import DirectBus, as_json
from shared.runtime.process import Process
from shared.runtime.service import Service

Handlers = Mapping[tuple[str, str], Any]
"""(service, call name) → function of (data, caller) that answers or raises a DomainError."""


class BusDouble(DirectBus):
    """The ``Bus`` port for tests.

    ``add(service)`` takes real services; ``handlers`` answers for those that a test does not build. ``away`` holds
    names of services that do not answer.
    """

    def __init__(self, handlers: Handlers | None = None) -> None:
        self.processes: dict[str, Process] = {}
        super().__init__(self.processes)
        self.handlers = dict(handlers or {})
        self.away: set[str] = set()

    def add(self, service: Service, clock: Clock) -> Process:
        process = self.processes[service.name] = Process(service, clock, self)
        for consumer in process.consumers.values():
            consumer.start()
        return process

    def command(self, service: str, name: str, data: dict[str, Any], **options: Any) -> Answer:
        if service in self.away:
            raise OutcomePending("no answer in time")
        if (service, name) in self.handlers:
            return Answer(self._played(service, name, data, options), None, False)
        return super().command(service, name, data, **options)

    def query(self, service: str, name: str, data: dict[str, Any], **options: Any) -> Any:
        if service in self.away:
            raise Unavailable("no answer in time")
        if (service, name) in self.handlers:
            return self._played(service, name, data, options)
        if service not in self.processes and name == "log":
            return {"epoch": "none", "messages": []}
        return super().query(service, name, data, **options)

    def _played(self, service: str, name: str, data: dict[str, Any], options: dict[str, Any]) -> Any:
        return self.handlers[service, name](as_json(data), options.get("caller"))

    def deliver(self) -> int:
        """Hands every published message to its consumers until nothing is left; gives how many there were."""
        total = 0
        while handled := sum(
            process.catch_up(source)
            for process in self.processes.values()
            for source in process.consumers
            if source in self.processes and source not in self.away
        ):
            total += handled
        return total


__all__ = ["BusDouble"]
