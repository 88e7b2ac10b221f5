"""One command or one query to the service that owns the fact, on behalf of the caller of the request."""

from __future__ import annotations

import time
from typing import Any

from flask import g

from services.gateway.consistency import wait_until_shown
from services.gateway.web.gate import Gate, gate
from shared.contracts.calls.contract import Command, Query
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.messaging.bus import Answer

COMMAND_SECONDS = 10.0
QUERY_SECONDS = 10.0
MIN_SECONDS = 1.0
"""For the call itself, however long the gateway has waited before it."""


def send(command: Command, *, to: str = "", batched: bool = False, seconds: float = COMMAND_SECONDS) -> Any:
    """The result of a command, once the services that must know of it do. Raises the owner's refusal."""
    key = g.idempotency_key
    try:
        answer = deliver(gate(), command, caller=g.caller, key=key, to=to, batched=batched, seconds=seconds)
    except DomainError as refusal:
        g.replayed = getattr(refusal, "replayed", False)
        raise
    g.replayed = answer.replayed
    return answer.result


def ask(query: Query, *, to: str = "", batched: bool = False, seconds: float = QUERY_SECONDS) -> Any:
    """The answer to a query, which shows what the caller wrote before. Raises the owner's refusal."""
    return inquire(gate(), query, caller=g.caller, to=to, batched=batched, seconds=seconds)


def inquire(
    here: Gate,
    query: Query,
    *,
    caller: Caller | None,
    to: str = "",
    batched: bool = False,
    seconds: float = QUERY_SECONDS,
) -> Any:
    """``ask``, outside a request of the framework."""
    service = query.SERVICE or to
    left = _wait_for_owed(here, service, seconds)
    return here.bus.query(query, to=to, caller=caller, timeout=left, batched=batched)


def deliver(
    here: Gate,
    command: Command,
    *,
    caller: Caller | None,
    key: str | None,
    to: str = "",
    batched: bool = False,
    seconds: float = COMMAND_SECONDS,
) -> Answer:
    """``send``, outside a request of the framework."""
    service = command.SERVICE or to
    left = _wait_for_owed(here, service, seconds)
    with here.open_requests.hold(caller.name() if caller else "", key):
        answer = here.bus.command(command, to=to, key=key, caller=caller, timeout=left, batched=batched)
        wait_until_shown(here.bus, service, command.NAME, answer.position)
        here.owed.note(service, command.NAME, answer.position, answer.result)
        return answer


def _wait_for_owed(here: Gate, service: str, seconds: float) -> float:
    """Waits until the service shows earlier writes; returns what is left of the caller's time."""
    begun = time.monotonic()
    here.owed.wait_for(service)
    return max(MIN_SECONDS, seconds - (time.monotonic() - begun))
