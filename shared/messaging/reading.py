"""Parses what arrives over the bus.

A body that cannot be parsed (a foreign sender, a faulty release) is logged, counted and skipped, so that it blocks
nothing. Nothing is lost: the source's log has every message, and the caller of a call gets a time-out.
"""

from __future__ import annotations

from typing import Any

import orjson
import structlog

from shared.eventstore import Message
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.observability import metrics

log = structlog.get_logger()
_MALFORMED = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What parsing raises on a malformed value; orjson's own error is a ValueError."""


class Unreadable(Exception):
    """The body is no batch of messages, or of calls."""


def read_messages(body: bytes) -> list[Message]:
    """A batch of messages, as the source sent it. Raises Unreadable if any of them is malformed."""
    return [_message(wire) for wire in _batch(body)]


def read_calls(body: bytes) -> list[Call[Any] | None]:
    """A batch of calls in order, None in place of each malformed one: the others are answered. Raises Unreadable."""
    return [_call(wire) for wire in _batch(body)]


def skip(service: str, queue: str, error: Exception) -> None:
    """Logs and counts a body that could not be parsed."""
    metrics.unreadable.labels(service, queue).inc()
    log.error("unreadable body skipped", service=service, queue=queue, error=str(error)[:300])


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
        raise Unreadable("not a message: a field of its envelope has the wrong type")
    if not isinstance(message.data, dict):
        raise Unreadable("not a message: its data are no object")
    if message.older:
        _check_older(message)
    return message


def _check_older(message: Message) -> None:
    if not all(type(older.number) is int and isinstance(older.data, dict) for older in message.older):
        raise Unreadable("not a message: an older version is no number, or its data are no object")
    numbers = [version.number for version in message.versions]
    if numbers != sorted(set(numbers), reverse=True):
        raise Unreadable("not a message: its versions do not go down from the newest")


def _call(wire: Any) -> Call[Any] | None:
    try:
        caller = None if wire["caller"] is None else Caller.from_wire(wire["caller"])
        call: Call[Any] = Call(wire["name"], wire["data"], wire["key"], caller, wire["correlationId"])
    except _MALFORMED:
        return None
    well_formed = isinstance(call.name, str) and isinstance(call.data, dict) and isinstance(call.correlation_id, str)
    return call if well_formed and isinstance(call.key, str | None) else None
