"""A ``Bus`` without a broker, for services that are built in one process but not run: calls go to them directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import orjson

from shared.eventstore.context import current_cause
from shared.eventstore.outcomes import Call
from shared.kernel.errors import DomainError
from shared.messaging.answering import command_envelope, query_envelope
from shared.messaging.bus import Answer, Bus, CallOptions, refusal
from shared.runtime.process import Process


class DirectBus(Bus):
    """Arguments and results pass through JSON, as on the wire.

    ``processes`` may be filled later: services need a bus to be built.
    """

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._processes = processes

    def send_command(self, service: str, name: str, data: dict[str, Any], **options: Unpack[CallOptions]) -> Answer:
        call = _call(name, data, options)
        envelope = as_json(command_envelope(self._processes[service].decide([call])[0]))
        if "refused" in envelope:
            raise refusal(envelope)
        return Answer(envelope["result"], envelope["position"], envelope["replayed"])

    def send_commands(
        self, service: str, name: str, data: Sequence[dict[str, Any]], *, timeout: float | None = None
    ) -> list[Answer | DomainError]:
        return [self._answer(service, name, item) for item in data]

    def send_query(self, service: str, name: str, data: dict[str, Any], **options: Unpack[CallOptions]) -> Any:
        envelope = as_json(query_envelope(self._processes[service].answer([_call(name, data, options)])[0]))
        if "refused" in envelope:
            raise refusal(envelope)
        return envelope["result"]

    def _answer(self, service: str, name: str, data: dict[str, Any]) -> Answer | DomainError:
        try:
            return self.send_command(service, name, data)
        except DomainError as refused:
            return refused


def _call(name: str, data: dict[str, Any], options: CallOptions) -> Call[Any]:
    correlation_id = current_cause().correlation_id
    return Call(name, as_json(data), options.get("key"), options.get("caller"), correlation_id)


def as_json(value: Any) -> Any:
    """The value as a receiver decodes it."""
    return orjson.loads(orjson.dumps(value))
