"""A bus between real services in one process, without a broker: ``deliver`` hands over published messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from shared.kernel.errors import OutcomePending, Unavailable
from shared.kernel.time import Clock
from shared.messaging.bus import Answer, CallOptions
from shared.runtime.direct_bus import DirectBus, as_json
from shared.runtime.process import Process
from shared.runtime.service import Service

Handlers = Mapping[tuple[str, str], Any]
"""(service, call name) → function of (data, caller) that answers or raises a DomainError."""


class BusDouble(DirectBus):
    """The ``Bus`` port for tests.

    ``add(service)`` registers real services; ``handlers`` answers in place of the services that a test does not build.
    ``away`` has the names of services that do not answer.
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

    def send_command(self, service: str, name: str, data: dict[str, Any], **options: Unpack[CallOptions]) -> Answer:
        if service in self.away:
            raise OutcomePending("no answer in time")
        if (service, name) in self.handlers:
            return Answer(self._handle(service, name, data, options), None, False)
        return super().send_command(service, name, data, **options)

    def send_query(self, service: str, name: str, data: dict[str, Any], **options: Unpack[CallOptions]) -> Any:
        if service in self.away:
            raise Unavailable("no answer in time")
        if (service, name) in self.handlers:
            return self._handle(service, name, data, options)
        if service not in self.processes and name == "log":
            return {"epoch": "none", "messages": []}
        return super().send_query(service, name, data, **options)

    def _handle(self, service: str, name: str, data: dict[str, Any], options: CallOptions) -> Any:
        return self.handlers[service, name](as_json(data), options.get("caller"))

    def deliver(self) -> int:
        """Delivers published messages to their consumers until none is left. Returns the number delivered."""
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
