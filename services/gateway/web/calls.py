"""One command or one query to the service that owns the fact, on behalf of who asks."""

from __future__ import annotations

from typing import Any

from flask import g

from services.gateway.consistency import wait_until_shown
from services.gateway.web.gate import Gate, gate
from shared.eventstore.outcomes import Caller
from shared.kernel.errors import DomainError
from shared.messaging.bus import Answer

COMMAND_SECONDS = 10.0
QUERY_SECONDS = 10.0


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
    here.owed.wait_for(service)
    return here.bus.query(service, name, data, caller=caller, timeout=seconds, batched=batched)


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
    here.owed.wait_for(service)
    with here.open_requests.hold(caller.name() if caller else "", key):
        answer = here.bus.command(service, name, data, key=key, caller=caller, timeout=seconds, batched=batched)
        wait_until_shown(here.bus, service, name, answer.position)
        here.owed.note(service, name, answer.position, answer.result)
        return answer
