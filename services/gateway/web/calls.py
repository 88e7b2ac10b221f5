"""One command or one query to the service that owns the fact, on behalf of who asks."""

from __future__ import annotations

from typing import Any

from flask import g

from services.gateway.consistency import wait_until_shown
from services.gateway.web.gate import gate
from shared.kernel.errors import DomainError

COMMAND_SECONDS = 10.0
QUERY_SECONDS = 10.0


def send(
    service: str, name: str, data: dict[str, Any], *, batched: bool = False, seconds: float = COMMAND_SECONDS
) -> Any:
    """The result of a command, once those who must know of it do. Raises what the service refuses with."""
    here, caller, key = gate(), g.caller, g.idempotency_key
    with here.open_requests.hold(caller.name() if caller else "", key):
        try:
            answer = here.bus.command(service, name, data, key=key, caller=caller, timeout=seconds, batched=batched)
        except DomainError as refusal:
            g.replayed = getattr(refusal, "replayed", False)
            raise
        g.replayed = answer.replayed
        wait_until_shown(here.bus, service, name, answer.position)
        return answer.result


def ask(service: str, name: str, data: dict[str, Any], *, batched: bool = False, seconds: float = QUERY_SECONDS) -> Any:
    """The answer to a query. Raises what the service refuses with."""
    return gate().bus.query(service, name, data, caller=g.caller, timeout=seconds, batched=batched)
