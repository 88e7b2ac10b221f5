"""Operators: the simulated clock, waiting for rest, read models, streams, dead letters; health of the processes."""

from __future__ import annotations

from typing import Any

from flask import Response

from services.gateway.schemas import ops as schemas
from services.gateway.simulation import SERVICES
from services.gateway.web.audience import Audience
from services.gateway.web.calls import ask, send
from services.gateway.web.cursors import paged
from services.gateway.web.gate import gate
from shared.contracts.calls import platform as calls
from shared.contracts.calls.contract import OPERATOR, Query
from shared.kernel.errors import DomainError, NotFound, Unavailable
from shared.kernel.time import instant_text, parse_instant
from shared.observability import metrics
from shared.runtime import operations

audience = Audience("Operations", "The simulated clock, waiting for rest, read models, streams, dead letters, health.")

READY_SECONDS = 2.0
LETTERS = 200
"""On a page, unless told."""
LOOK_SECONDS = 5.0
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


@audience.endpoint("GET", "/v1/ops/projections", access=OPERATOR, answers=(200, schemas.ReadModels))
def projections() -> Any:
    """The read models of every service, and how far each has followed the others."""
    return operations.list_projections(_ask, SERVICES)


@audience.endpoint(
    "GET", "/v1/ops/projections/<word:name>/differences", access=OPERATOR, answers=(200, schemas.RowDifferences)
)
def projection_differences(name: str) -> Any:
    """Folds a read model anew beside the live one, and says where they differ."""
    service, model = operations.parse_projection_name(name, SERVICES)
    return {"items": ask(calls.CompareProjection(name=model), to=service, seconds=LONG_SECONDS)["differences"]}


@audience.endpoint("POST", "/v1/ops/projections/<word:name>/rebuild", access=OPERATOR, answers=(200, schemas.Rebuilt))
def rebuild_projection(name: str) -> Any:
    """Folds a read model anew from the log and puts it in the place of the live one."""
    service, model = operations.parse_projection_name(name, SERVICES)
    return send(calls.RebuildProjection(name=model), to=service, seconds=LONG_SECONDS)


@audience.endpoint("GET", "/v1/ops/streams/<word:stream_id>", access=OPERATOR, answers=(200, schemas.Stream))
def stream(stream_id: str) -> Any:
    """A stream's events, personal data masked."""
    return operations.find_stream(_ask, SERVICES, stream_id)


@audience.endpoint(
    "GET",
    "/v1/ops/dead-letters",
    access=OPERATOR,
    query=schemas.DeadLettersQuery,
    answers=(200, schemas.DeadLetters),
    refuses=["cursor-invalid"],
)
def dead_letters(query: dict[str, Any]) -> Any:
    """The messages that could not be handled, and those parked behind them."""

    def page(asked: dict[str, Any]) -> dict[str, Any]:
        return operations.list_dead_letters(_ask, SERVICES, asked.get("cursor"), asked.get("limit", LETTERS))

    return paged("dead-letters", query, page)


@audience.endpoint(
    "POST",
    "/v1/ops/dead-letters/<word:letter_id>/replay",
    access=OPERATOR,
    answers=(200, schemas.SettledLetters),
    refuses=["not-waiting", "not-understood"],
)
def replay_dead_letter(letter_id: str) -> Any:
    """Handles a message again, with everything parked behind it, in order."""
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
    """Gives a message up for good."""
    service, number = operations.parse_dead_letter_id(letter_id, SERVICES)
    return send(calls.DiscardDeadLetter(id=number), to=service)


@audience.endpoint("GET", "/metrics", media_type="text/plain", refuses=["not-found"])
def prometheus() -> Any:
    """This process in the format of Prometheus; 404 where OPS_PORT serves it on a port of its own."""
    if not gate().shows_metrics:
        raise NotFound("metrics are served on a port of their own")
    return Response(b"".join(metrics.exposition()), mimetype="text/plain")


@audience.endpoint("GET", "/health/live", answers=(200, schemas.Health))
def live() -> Any:
    """This process answers."""
    return {"status": "ok"}


@audience.endpoint("GET", "/health/ready", answers=(200, schemas.Health))
def ready() -> Any:
    """Every service answers over the bus, reaches its store, and has no part that hangs or has ended."""
    states = {service: _state(service) for service in SERVICES}
    if any(state != "ok" for state in states.values()):
        raise Unavailable("not every service can do its work", extra={"services": states})
    return {"status": "ok", "services": states}


def _ask(service: str, query: Query) -> Any:
    """Of many services one after the other: whoever asks because one is away hears soon which."""
    return ask(query, to=service, seconds=LOOK_SECONDS)


def _state(service: str) -> str:
    """``ok``, ``trouble`` (it answers, but a part of it cannot do its work) or ``away``."""
    try:
        trouble = gate().bus.query(calls.Health(), to=service, timeout=READY_SECONDS)["trouble"]
    except DomainError:
        return "away"
    return "trouble" if trouble else "ok"
