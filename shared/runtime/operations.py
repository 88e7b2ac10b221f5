"""Operators' queries across all services: read models, streams of events, dead letters.

Across services a read model is named ``<service>.<name>``, and a dead letter ``<service>-<number>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from shared.contracts.calls import platform as calls
from shared.contracts.calls.contract import Query
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import MAX_NUMBER


class SendQuery(Protocol):
    """Sends a query to a service."""

    def __call__(self, service: str, query: Query, /) -> Any: ...


def list_projections(send: SendQuery, services: Sequence[str]) -> dict[str, Any]:
    """``{items: the read models, sources: the position of each service in each of its sources}``."""
    items: list[dict[str, Any]] = []
    sources: list[dict[str, Any]] = []
    for service in services:
        answer = send(service, calls.Projections())
        items += [{**model, "name": f"{service}.{model['name']}"} for model in answer["projections"]]
        sources += [{"service": service, **source} for source in answer["sources"]]
    return {"items": items, "sources": sources}


def find_stream(send: SendQuery, services: Sequence[str], stream_id: str) -> dict[str, Any]:
    """``{service, streamId, items: its events}``; personal data stays encrypted. Raises NotFound."""
    try:
        identifier = str(UUID(stream_id))
    except ValueError:
        raise NotFound(f"« {stream_id[:100]} » n’est pas l’identifiant d’un flux.") from None
    for service in services:
        items = send(service, calls.Stream(stream_id=identifier))["items"]
        if items:
            return {"service": service, "streamId": identifier, "items": items}
    raise NotFound(f"Le flux {identifier} n’a aucun évènement.")


def list_dead_letters(send: SendQuery, services: Sequence[str], after: str | None, limit: int) -> dict[str, Any]:
    """``{items, nextCursor}``: at most ``limit`` parked messages, service by service, the oldest first.

    ``after`` is the cursor, the name of a dead letter. Raises NotFound if it is not one.
    """
    first, number = (services[0], 0) if after is None else parse_dead_letter_id(after, services)
    found: list[dict[str, Any]] = []
    for service in services[services.index(first) :]:
        after_number = number if service == first else 0
        page = send(service, calls.DeadLetters(after=after_number, limit=limit + 1 - len(found)))
        letters = page["items"]
        found += [{**letter, "id": f"{service}-{letter['id']}", "service": service} for letter in letters]
        if len(found) > limit:
            return {"items": found[:limit], "nextCursor": found[limit - 1]["id"]}
    return {"items": found, "nextCursor": None}


def parse_projection_name(name: str, services: Sequence[str]) -> tuple[str, str]:
    """``wallet.balances`` → (service, read model). Raises NotFound."""
    service, _, model = name.partition(".")
    if service not in services or not model:
        raise NotFound(f"Aucun modèle de lecture ne s’appelle « {name[:100]} » : choisissez-en un dans leur liste.")
    return service, model


def parse_dead_letter_id(name: str, services: Sequence[str]) -> tuple[str, int]:
    """``wallet-3`` → (service, number). Raises NotFound."""
    service, _, digits = name.rpartition("-")
    if service not in services or not (digits.isascii() and digits.isdigit()) or int(digits[:17]) > MAX_NUMBER:
        raise NotFound(f"Aucun message en échec ne s’appelle « {name[:100]} » : choisissez-en un dans leur liste.")
    return service, int(digits[:17])
