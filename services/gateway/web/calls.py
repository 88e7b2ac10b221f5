"""One command or one query to the service that owns the fact, on behalf of who asks."""

from __future__ import annotations

import time
from typing import Any

from flask import g

from services.gateway.consistency import wait_until_shown
from services.gateway.web.gate import Gate, gate
from shared.eventstore.outcomes import Caller
from shared.kernel.errors import DomainError
from shared.messaging.bus import Answer

COMMAND_SECONDS = 10.0
QUERY_SECONDS = 10.0
LEAST_SECONDS = 1.0
"""For a call itself, however long something else was waited for."""


def send(
    service: str, name: str, data: dict[str, Any], *, batched: bool = False, seconds: float = COMMAND_SECONDS
) -> Any:
    """The result of a command, once those who must know of it do. Raises what the service refuses with."""
    try:
        answer = deliver(gate(), service, name, data, g.caller, g.idempotency_key, batched=batched, seconds=seconds)
    except DomainError as refusal:
        g.replayed = getattr(refusal, "replayed", False)
        raise
    g.replayed = answer.replayed
    return answer.result


def ask(service: str, name: str, data: dict[str, Any], *, batched: bool = False, seconds: float = QUERY_SECONDS) -> Any:
    """The answer to a query, with what was written before it. Raises what the service refuses with."""
    return inquire(gate(), service, name, data, g.caller, batched=batched, seconds=seconds)


def inquire(
    here: Gate,
    service: str,
    name: str,
    data: dict[str, Any],
    caller: Caller | None,
    *,
    batched: bool,
    seconds: float = QUERY_SECONDS,
) -> Any:
    """``ask``, outside a request of the framework."""
    left = _waited_for(here, service, seconds)
    return here.bus.query(service, name, data, caller=caller, timeout=left, batched=batched)


def deliver(
    here: Gate,
    service: str,
    name: str,
    data: dict[str, Any],
    caller: Caller | None,
    key: str | None,
    *,
    batched: bool,
    seconds: float = COMMAND_SECONDS,
) -> Answer:
    """``send``, outside a request of the framework."""
    left = _waited_for(here, service, seconds)
    with here.open_requests.hold(caller.name() if caller else "", key):
        answer = here.bus.command(service, name, data, key=key, caller=caller, timeout=left, batched=batched)
        wait_until_shown(here.bus, service, name, answer.position)
        here.owed.note(service, name, answer.position, answer.result)
        return answer


def _waited_for(here: Gate, service: str, seconds: float) -> float:
    """Waits for what the service owes; gives what is left of the caller's time, who waits for all of it once."""
    begun = time.monotonic()
    here.owed.wait_for(service)
    return max(LEAST_SECONDS, seconds - (time.monotonic() - begun))
