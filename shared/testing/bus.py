"""A bus between real services in one process, without a broker: calls are answered at once, messages go when told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from shared.eventstore.context import current_cause
from shared.eventstore.outcomes import Call, Caller
from shared.kernel.errors import DomainError, OutcomePending, Unavailable
from shared.kernel.time import Clock
from shared.messaging.answering import command_envelope, query_envelope
from shared.messaging.bus import Answer, refusal
from shared.runtime.process import Process
from shared.runtime.service import Service

Handlers = Mapping[tuple[str, str], Any]
"""(service, call name) → function of (data, caller) that answers or raises a DomainError."""


class BusDouble:
    """The ``Bus`` port for tests.

    ``add(service)`` takes real services; ``handlers`` answers for those that a test does not build. What crosses goes
    through JSON, as it does over the wire. ``away`` holds names of services that do not answer.
    """

    def __init__(self, handlers: Handlers | None = None) -> None:
        self.processes: dict[str, Process] = {}
        self.handlers = dict(handlers or {})
        self.away: set[str] = set()

    def add(self, service: Service, clock: Clock) -> Process:
        process = self.processes[service.name] = Process(service, clock, self)
        for consumer in process.consumers.values():
            consumer.start()
        return process

    def command(
        self,
        service: str,
        name: str,
        data: dict[str, Any],
        *,
        key: str | None = None,
        caller: Caller | None = None,
        timeout: float | None = None,
        batched: bool = False,
    ) -> Answer:
        if service in self.away:
            raise OutcomePending("no answer in time")
        call = self._call(name, data, key, caller)
        if (service, name) in self.handlers:
            return Answer(self.handlers[service, name](call.data, caller), None, False)
        envelope = command_envelope(self.processes[service].decide([call])[0])
        envelope = orjson.loads(orjson.dumps(envelope))
        if "refused" in envelope:
            raise refusal(envelope)
        return Answer(envelope["result"], envelope["position"], envelope["replayed"])

    def commands(
        self, service: str, name: str, data: Sequence[dict[str, Any]], *, timeout: float | None = None
    ) -> list[Answer | DomainError]:
        return [self._answer(service, name, item) for item in data]

    def _answer(self, service: str, name: str, data: dict[str, Any]) -> Answer | DomainError:
        try:
            return self.command(service, name, data, batched=True)
        except DomainError as error:
            return error

    def query(
        self,
        service: str,
        name: str,
        data: dict[str, Any],
        *,
        caller: Caller | None = None,
        timeout: float | None = None,
        batched: bool = False,
    ) -> Any:
        if service in self.away:
            raise Unavailable("no answer in time")
        call = self._call(name, data, None, caller)
        if (service, name) in self.handlers:
            return self.handlers[service, name](call.data, caller)
        if service not in self.processes and name == "log":
            return {"epoch": "none", "messages": []}
        envelope = query_envelope(self.processes[service].answer([call])[0])
        envelope = orjson.loads(orjson.dumps(envelope))
        if "refused" in envelope:
            raise refusal(envelope)
        return envelope["result"]

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

    @staticmethod
    def _call(name: str, data: dict[str, Any], key: str | None, caller: Caller | None) -> Call:
        return Call(name, orjson.loads(orjson.dumps(data)), key, caller, current_cause().correlation_id)


__all__ = ["BusDouble"]
