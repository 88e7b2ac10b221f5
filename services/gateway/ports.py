"""What routes may use. The composition root makes it once; every request gets the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast

from flask import current_app

from services.gateway.application.api_keys import ApiKeys
from services.gateway.application.consistency import PendingWrites
from services.gateway.application.failures import Failures
from services.gateway.application.open_requests import OpenRequests
from services.gateway.application.simulation import Simulation
from services.gateway.projections.catalogue.offer_cache import OfferCache
from shared.eventstore import Connection
from shared.kernel.time import Clock
from shared.messaging.bus import Bus

EXTENSION = "passculture-ports"


class Catalogue(Protocol):
    """The public read model of the catalogue."""

    def search(self, connection: Connection, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """``{items, nextCursor}``. Raises Invalid, CursorInvalid."""

    def offer_json(self, connection: Connection, offer_id: int, now: datetime) -> bytes | None:
        """The public offer as JSON; None if there is none."""


@dataclass(frozen=True, slots=True)
class Ports:
    bus: Bus
    clock: Clock
    signing_key: bytes
    reading: Callable[[], AbstractContextManager[Connection]]
    catalogue: Catalogue
    failures: Failures
    api_keys: ApiKeys
    simulation: Simulation
    shows_metrics: bool = True
    open_requests: OpenRequests = field(default_factory=OpenRequests)
    pending_writes: PendingWrites = field(init=False)
    offer_cache: OfferCache = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pending_writes", PendingWrites(self.bus))
        object.__setattr__(self, "offer_cache", OfferCache(self.reading, self.catalogue.offer_json, self.clock))


def current_ports() -> Ports:
    """The ports of the application that serves the present request."""
    return cast(Ports, current_app.extensions[EXTENSION])
