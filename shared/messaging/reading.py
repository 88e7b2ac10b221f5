"""What came over the bus, read.

Whoever sends what cannot be read (a stranger, another version, a broken hand) holds nobody up: it is told of, counted
and passed over. Nothing is lost by that: of messages the source's log has all, of calls somebody waits for the answer.
"""

from __future__ import annotations

from typing import Any

import orjson
import structlog

from shared.eventstore import Message
from shared.eventstore.outcomes import Call, Caller
from shared.observability import metrics

log = structlog.get_logger()
_MALFORMED = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What taking apart raises when it is not what it should be; JSON's own errors are among them."""


class Unreadable(Exception):
    """It is no batch of messages, or of calls."""


def read_messages(body: bytes) -> list[Message]:
    """A batch, as the source sent it. Raises Unreadable when one of them is no message."""
    return [_message(wire) for wire in _batch(body)]


def read_calls(body: bytes) -> list[Call[Any] | None]:
    """A batch, in order; None for what is no call: its neighbours are decided. Raises Unreadable."""
    return [_call(wire) for wire in _batch(body)]


def pass_over(service: str, queue: str, error: Exception) -> None:
    """Tells of what could not be read."""
    metrics.unreadable.labels(service, queue).inc()
    log.error("not readable, passed over", service=service, queue=queue, error=str(error)[:300])


def _batch(body: bytes) -> list[Any]:
    try:
        wires = orjson.loads(body)
    except _MALFORMED as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(wires, list):
        raise Unreadable(f"not a list but a {type(wires).__name__}")
    return wires


def _message(wire: Any) -> Message:
    try:
        message = Message.from_wire(wire)
    except _MALFORMED as error:
        raise Unreadable(f"not a message: {error!r}") from error
    texts = (message.id, message.name, message.stream, message.epoch, message.causation_id, message.correlation_id)
    numbers = (message.version, message.stream_version, message.position, message.previous)
    if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
        raise Unreadable("not a message: its envelope holds something else")
    if not isinstance(message.data, dict):
        raise Unreadable("not a message: its data are no object")
    return message


def _call(wire: Any) -> Call[Any] | None:
    try:
        caller = Caller.from_wire(wire["caller"]) if wire["caller"] else None
        call: Call[Any] = Call(wire["name"], wire["data"], wire["key"], caller, wire["correlationId"])
    except _MALFORMED:
        return None
    known = isinstance(call.name, str) and isinstance(call.data, dict) and isinstance(call.correlation_id, str)
    return call if known and isinstance(call.key, str | None) else None
