"""What routes may use: handed over by the composition root, the same for every request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import sqlalchemy as sa
from flask import current_app

from services.gateway.catalogue.ready import ReadyOffers
from services.gateway.consistency import Owed
from services.gateway.failures import Failures
from services.gateway.keys import ApiKeys
from services.gateway.simulation import Simulation
from services.gateway.web.inflight import InFlight
from shared.kernel.time import Clock
from shared.messaging.bus import Bus

EXTENSION = "passculture-gate"


class Catalogue(Protocol):
    """The public read model of the catalogue."""

    def search(self, connection: sa.Connection, filters: dict[str, Any], now: Any) -> dict[str, Any]:
        """``{items, nextCursor}``. Raises Invalid for a cursor that is not its own."""

    def offer_json(self, connection: sa.Connection, offer_id: int, now: Any) -> bytes | None:
        """The offer as anyone may see it, ready to send, or None."""


@dataclass(frozen=True, slots=True)
class Gate:
    bus: Bus
    clock: Clock
    signing_key: bytes
    reading: Callable[[], AbstractContextManager[sa.Connection]]
    catalogue: Catalogue
    failures: Failures
    api_keys: ApiKeys
    simulation: Simulation
    shows_metrics: bool = True
    open_requests: InFlight = field(default_factory=InFlight)
    owed: Owed = field(init=False)
    offers: ReadyOffers = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owed", Owed(self.bus))
        object.__setattr__(self, "offers", ReadyOffers(self.reading, self.catalogue.offer_json, self.clock))


def gate() -> Gate:
    """The gate of the application that serves the present request."""
    return cast(Gate, current_app.extensions[EXTENSION])
