"""Operators: the simulated clock, read models, streams, dead letters; health of the processes."""

from __future__ import annotations

from typing import Any

from flask import Response

from services.gateway.application.simulation import SERVICES
from services.gateway.ports import current_ports
from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.endpoints.calls import ask, send
from services.gateway.web.responses.cursors import paged
from services.gateway.web.schemas import ops as schemas
from shared.contracts.calls import platform as calls
from shared.contracts.calls.contract import OPERATOR, Query
from shared.kernel.errors import DomainError, NotFound, Unavailable
from shared.kernel.time import instant_text
from shared.observability import metrics
from shared.runtime import operations

audience = Audience("Operations", "The simulated clock, read models, streams, dead letters, health.")

READY_SECONDS = 2.0
READ_SECONDS = 5.0
LONG_SECONDS = 110.0
"""A read model is folded from the first event on."""


@audience.endpoint(
    "POST",
    "/v1/ops/clock",
    access=OPERATOR,
    body=schemas.ClockMove,
    answers=(200, schemas.Now),
    refuses=["not-found", "request-in-progress", "clock-goes-back", "not-settled"],
)
def move_clock(body: schemas.ClockMove) -> Any:
    """Moves the simulated clock. Every timer that falls due on the way runs at its own instant.

    404 where the clock is real."""
    simulation = current_ports().simulation
    now = simulation.advance(body.advance_seconds or 0) if body.to is None else simulation.move_to(body.to)
    return {"now": instant_text(now)}


@audience.endpoint("POST", "/v1/ops/settle", access=OPERATOR, answers=(200, schemas.Settled), refuses=["not-settled"])
def settle() -> Any:
    """Waits until every message has been handled, and every mail and text message sent."""
    return {"positions": current_ports().simulation.settle()}


@audience.endpoint("GET", "/v1/ops/projections", access=OPERATOR, answers=(200, schemas.ReadModels))
def projections() -> Any:
    """The read models of every service, and how far each service has followed the others."""
    return operations.list_projections(_ask, SERVICES)


@audience.endpoint(
    "GET", "/v1/ops/projections/<word:name>/differences", access=OPERATOR, answers=(200, schemas.RowDifferences)
)
def projection_differences(name: str) -> Any:
    """Folds the log into a read model beside the live one, and lists the rows that differ."""
    service, model = operations.parse_projection_name(name, SERVICES)
    return {"items": ask(calls.CompareProjection(name=model), to=service, seconds=LONG_SECONDS)["differences"]}


@audience.endpoint("POST", "/v1/ops/projections/<word:name>/rebuild", access=OPERATOR, answers=(200, schemas.Rebuilt))
def rebuild_projection(name: str) -> Any:
    """Folds the log into a new read model, which replaces the live one."""
    service, model = operations.parse_projection_name(name, SERVICES)
    return send(calls.RebuildProjection(name=model), to=service, seconds=LONG_SECONDS)


@audience.endpoint("GET", "/v1/ops/streams/<word:stream_id>", access=OPERATOR, answers=(200, schemas.Stream))
def stream(stream_id: str) -> Any:
    """The events of a stream, with personal data masked."""
    return operations.find_stream(_ask, SERVICES, stream_id)


@audience.endpoint(
    "GET", "/v1/ops/dead-letters", access=OPERATOR, query=schemas.DeadLettersQuery, answers=(200, schemas.DeadLetters)
)
def dead_letters(query: schemas.DeadLettersQuery) -> Any:
    """The messages that could not be handled, and those parked behind them."""

    def read(cursor: dict[str, Any]) -> dict[str, Any]:
        return operations.list_dead_letters(_ask, SERVICES, cursor.get("cursor"), query.limit)

    return paged("dead-letters", query.to_wire(), read)


@audience.endpoint(
    "POST",
    "/v1/ops/dead-letters/<word:letter_id>/replay",
    access=OPERATOR,
    answers=(200, schemas.SettledLetters),
    refuses=["not-waiting", "not-understood"],
)
def replay_dead_letter(letter_id: str) -> Any:
    """Handles a message again, then those parked behind it, in order."""
    service, number = operations.parse_dead_letter_id(letter_id, SERVICES)
    return send(calls.ReplayDeadLetter(id=number), to=service)


@audience.endpoint(
    "POST",
    "/v1/ops/dead-letters/<word:letter_id>/discard",
    access=OPERATOR,
    answers=(200, schemas.SettledLetters),
    refuses=["not-waiting"],
)
def discard_dead_letter(letter_id: str) -> Any:
    """Discards a message for good."""
    service, number = operations.parse_dead_letter_id(letter_id, SERVICES)
    return send(calls.DiscardDeadLetter(id=number), to=service)


@audience.endpoint("GET", "/metrics", media_type="text/plain", refuses=["not-found"])
def prometheus() -> Any:
    """This process in the format of Prometheus; 404 where OPS_PORT serves it on a port of its own."""
    if not current_ports().shows_metrics:
        raise NotFound("Les métriques sont servies sur un autre port.")
    return Response(b"".join(metrics.exposition()), mimetype="text/plain")


@audience.endpoint("GET", "/health/live", answers=(200, schemas.Health))
def live() -> Any:
    """This process answers."""
    return {"status": "ok"}


@audience.endpoint("GET", "/health/ready", answers=(200, schemas.Health))
def ready() -> Any:
    """Every service answers over the bus, reaches its store, and has no background task that hangs or has ended."""
    states = {service: _state(service) for service in SERVICES}
    if any(state != "ok" for state in states.values()):
        raise Unavailable("Un service au moins ne peut pas travailler.", extra={"services": states})
    return {"status": "ok", "services": states}


def _ask(service: str, query: Query) -> Any:
    """With a short time limit: many services are called one after the other, and one of them may be away."""
    return ask(query, to=service, seconds=READ_SECONDS)


def _state(service: str) -> str:
    """``ok``, ``trouble`` (it answers, but part of it cannot work) or ``away``."""
    try:
        trouble = current_ports().bus.query(calls.Health(), to=service, timeout=READY_SECONDS)["trouble"]
    except DomainError:
        return "away"
    return "trouble" if trouble else "ok"
