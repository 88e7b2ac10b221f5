"""Correlation and causation ids: propagated from the HTTP request to the last consumer, stored with every event."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    correlation_id: str
    causation_id: str


_cause: ContextVar[Cause | None] = ContextVar("cause", default=None)


def current_cause() -> Cause:
    """The current cause, or a new one where nothing is the cause (a timer)."""
    cause = _cause.get()
    if cause is None:
        fresh = uuid.uuid4().hex
        cause = Cause(correlation_id=fresh, causation_id=fresh)
    return cause


@contextmanager
def caused_by(correlation_id: str, causation_id: str) -> Iterator[None]:
    """Everything within the block is logged and stored with this cause."""
    token = _cause.set(Cause(correlation_id, causation_id))
    try:
        yield
    finally:
        _cause.reset(token)


def add_correlation_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: adds the current correlation id to a line."""
    cause = _cause.get()
    if cause is not None:
        event.setdefault("correlation_id", cause.correlation_id)
    return event


_position: ContextVar[list[int] | None] = ContextVar("position", default=None)


def note_position(position: int) -> None:
    """Called by the store after a commit that published messages."""
    seen = _position.get()
    if seen is not None:
        seen.append(position)


@contextmanager
def noting_positions() -> Iterator[list[int]]:
    """Collects the published positions of all commits within the block, for which a later read may have to wait."""
    seen: list[int] = []
    token = _position.set(seen)
    try:
        yield seen
    finally:
        _position.reset(token)
