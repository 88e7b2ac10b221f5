"""The ``Bus`` port between services of one process that nothing runs: a call is answered at once, as JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from shared.eventstore.context import current_cause
from shared.eventstore.outcomes import Call, Caller
from shared.kernel.errors import DomainError
from shared.messaging.answering import command_envelope, query_envelope
from shared.messaging.bus import Answer, refusal
from shared.runtime.process import Process


class DirectBus:
    """``processes`` may be filled after the bus is made: services are built with it."""

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._processes = processes

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
        call = Call(name, as_json(data), key, caller, current_cause().correlation_id)
        envelope = as_json(command_envelope(self._processes[service].decide([call])[0]))
        if "refused" in envelope:
            raise refusal(envelope)
        return Answer(envelope["result"], envelope["position"], envelope["replayed"])

    def commands(
        self, service: str, name: str, data: Sequence[dict[str, Any]], *, timeout: float | None = None
    ) -> list[Answer | DomainError]:
        return [self._answer(service, name, item) for item in data]

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
        call = Call(name, as_json(data), None, caller, current_cause().correlation_id)
        envelope = as_json(query_envelope(self._processes[service].answer([call])[0]))
        if "refused" in envelope:
            raise refusal(envelope)
        return envelope["result"]

    def _answer(self, service: str, name: str, data: dict[str, Any]) -> Answer | DomainError:
        try:
            return self.command(service, name, data)
        except DomainError as refused:
            return refused


def as_json(value: Any) -> Any:
    """What arrives when this is sent over the wire."""
    return orjson.loads(orjson.dumps(value))
