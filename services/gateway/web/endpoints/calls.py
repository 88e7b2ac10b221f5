"""Sends a command or a query to the service that owns the fact, on behalf of the caller of the request."""

from __future__ import annotations

import time
from typing import Any

from flask import g

from services.gateway.application.consistency import wait_until_shown
from services.gateway.ports import Ports, current_ports
from shared.contracts.calls.contract import Command, Query
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.messaging.bus import Answer

DEFAULT_SECONDS = 10.0
MIN_SECONDS = 1.0
"""For the call itself, however long the wait before it took."""


def send(command: Command, *, to: str = "", batched: bool = False, seconds: float = DEFAULT_SECONDS) -> Any:
    """The result of a command, once the services that show it have handled it. Raises the owner's refusal."""
    key = g.idempotency_key
    try:
        answer = send_as(current_ports(), command, caller=g.caller, key=key, to=to, batched=batched, seconds=seconds)
    except DomainError as refusal:
        g.replayed = getattr(refusal, "replayed", False)
        raise
    g.replayed = answer.replayed
    return answer.result


def ask(query: Query, *, to: str = "", batched: bool = False, seconds: float = DEFAULT_SECONDS) -> Any:
    """The answer to a query, which shows the caller's earlier writes. Raises the owner's refusal."""
    return ask_as(current_ports(), query, caller=g.caller, to=to, batched=batched, seconds=seconds)


def ask_as(
    ports: Ports,
    query: Query,
    *,
    caller: Caller | None,
    to: str = "",
    batched: bool = False,
    seconds: float = DEFAULT_SECONDS,
) -> Any:
    """``ask`` outside a request of Flask."""
    service = query.SERVICE or to
    left = _wait_for_writes(ports, service, seconds)
    return ports.bus.query(query, to=to, caller=caller, timeout=left, batched=batched)


def send_as(
    ports: Ports,
    command: Command,
    *,
    caller: Caller | None,
    key: str | None,
    to: str = "",
    batched: bool = False,
    seconds: float = DEFAULT_SECONDS,
) -> Answer:
    """``send`` outside a request of Flask."""
    service = command.SERVICE or to
    left = _wait_for_writes(ports, service, seconds)
    with ports.open_requests.hold(caller.name() if caller else "", key):
        answer = ports.bus.command(command, to=to, key=key, caller=caller, timeout=left, batched=batched)
        wait_until_shown(ports.bus, service, command.NAME, answer.position)
        ports.pending_writes.note(service, command.NAME, answer.position, answer.result)
        return answer


def _wait_for_writes(ports: Ports, service: str, seconds: float) -> float:
    """Waits until the service shows earlier writes; returns the seconds that are left for the call."""
    begun = time.monotonic()
    ports.pending_writes.wait_for(service)
    return max(MIN_SECONDS, seconds - (time.monotonic() - begun))
