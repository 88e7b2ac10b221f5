"""Operators: the simulated clock, waiting for rest; health for whoever runs the processes."""

from __future__ import annotations

from typing import Any

from services.gateway.schemas import ops as schemas
from services.gateway.simulation import SERVICES
from services.gateway.web.audience import Audience
from services.gateway.web.gate import gate
from services.gateway.web.security import only
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.time import instant_text, parse_instant

audience = Audience("Operations", "The simulated clock, waiting for rest, health.")

OPERATOR = only("operator")
READY_SECONDS = 2.0


@audience.endpoint(
    "POST",
    "/v1/ops/clock",
    access=OPERATOR,
    body=schemas.ClockMove,
    answers=(200, schemas.Now),
    refuses=["not-found", "request-in-progress", "clock-goes-back", "not-settled"],
)
def move_clock(body: dict[str, Any]) -> Any:
    """Moves the simulated clock, running every timer that falls due on the way at its own instant.

    404 where the clock is real."""
    simulation = gate().simulation
    seconds = body.get("advanceSeconds")
    now = simulation.move_to(parse_instant(body["to"])) if seconds is None else simulation.advance(seconds)
    return {"now": instant_text(now)}


@audience.endpoint("POST", "/v1/ops/settle", access=OPERATOR, answers=(200, schemas.Settled), refuses=["not-settled"])
def settle() -> Any:
    """Waits until every message has been handled, mails and texts written included."""
    return {"positions": gate().simulation.settle()}


@audience.endpoint("GET", "/health/live", answers=(200, schemas.Health))
def live() -> Any:
    """This process answers."""
    return {"status": "ok"}


@audience.endpoint("GET", "/health/ready", answers=(200, schemas.Health))
def ready() -> Any:
    """Every service answers over the bus."""
    states = {service: _state(service) for service in SERVICES}
    if any(state == "away" for state in states.values()):
        raise Unavailable("not every service answers", extra={"services": states})
    return {"status": "ok", "services": states}


def _state(service: str) -> str:
    """``ok``, ``trouble`` (it answers, but something in it is being tried again) or ``away``."""
    try:
        trouble = gate().bus.query(service, "health", {}, timeout=READY_SECONDS)["trouble"]
    except DomainError:
        return "away"
    return "trouble" if trouble else "ok"
