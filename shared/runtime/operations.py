"""What operators ask of all services together: read models, streams, dead letters.

Across services a read model is named ``<service>.<name>`` and a dead letter ``<service>-<number>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from shared.contracts.calls import platform as calls
from shared.contracts.calls.contract import Query
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import MAX_NUMBER


class Ask(Protocol):
    """Sends a query to a service."""

    def __call__(self, service: str, query: Query, /) -> Any: ...


def projections_of(ask: Ask, services: Sequence[str]) -> dict[str, Any]:
    """``{items: the read models, sources: how far each service has followed each of its sources}``."""
    items: list[dict[str, Any]] = []
    sources: list[dict[str, Any]] = []
    for service in services:
        answer = ask(service, calls.Projections())
        items += [{**model, "name": f"{service}.{model['name']}"} for model in answer["projections"]]
        sources += [{"service": service, **source} for source in answer["sources"]]
    return {"items": items, "sources": sources}


def stream_of(ask: Ask, services: Sequence[str], stream_id: str) -> dict[str, Any]:
    """``{service, streamId, items: its events}``, sealed personal data sealed. Raises NotFound."""
    try:
        identifier = str(UUID(stream_id))
    except ValueError:
        raise NotFound(f"{stream_id[:100]!r} is no stream") from None
    for service in services:
        items = ask(service, calls.Stream(stream_id=identifier))["items"]
        if items:
            return {"service": service, "streamId": identifier, "items": items}
    raise NotFound(f"nothing is told of the stream {identifier}")


def dead_letters_of(ask: Ask, services: Sequence[str], after: str | None, limit: int) -> dict[str, Any]:
    """``{items, nextCursor}``: those that wait, service by service, the oldest first, from just after a letter on.
    Raises NotFound for what names no letter."""
    first, number = (services[0], 0) if after is None else split_letter(after, services)
    found: list[dict[str, Any]] = []
    for service in services[services.index(first) :]:
        after_number = number if service == first else 0
        page = ask(service, calls.DeadLetters(after=after_number, limit=limit + 1 - len(found)))
        letters = page["items"]
        found += [{**letter, "id": f"{service}-{letter['id']}", "service": service} for letter in letters]
        if len(found) > limit:
            return {"items": found[:limit], "nextCursor": found[limit - 1]["id"]}
    return {"items": found, "nextCursor": None}


def split_projection(name: str, services: Sequence[str]) -> tuple[str, str]:
    """``wallet.balances`` → (service, read model). Raises NotFound."""
    service, _, model = name.partition(".")
    if service not in services or not model:
        raise NotFound(f"{name[:100]!r} is no read model: `passculture projections` lists them")
    return service, model


def split_letter(name: str, services: Sequence[str]) -> tuple[str, int]:
    """``wallet-3`` → (service, number). Raises NotFound."""
    service, _, digits = name.rpartition("-")
    if service not in services or not (digits.isascii() and digits.isdigit()) or int(digits[:17]) > MAX_NUMBER:
        raise NotFound(f"{name[:100]!r} is no letter: `passculture dead-letters` lists them")
    return service, int(digits[:17])
