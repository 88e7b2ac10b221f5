"""The whole Flask application with a database of its own; the other services are handlers on a bus double."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from services.gateway.application.api_keys import ApiKeys
from services.gateway.application.failures import Failures
from services.gateway.application.simulation import Simulation
from services.gateway.ports import EXTENSION, Ports
from services.gateway.web.application import create_application
from shared.eventstore import Publication, Store
from shared.kernel.errors import NotFound
from shared.kernel.time import SettableClock
from shared.runtime import tokens
from shared.testing import BusDouble, sqlite_store

KEY = b"a signing key of thirty-two bytes!!"
NOW = datetime(2021, 11, 2, 9, tzinfo=UTC)
API_KEY = "test_0123456789ab_" + "f" * 64


@cache
def application() -> Flask:
    """Built once for all tests, because a hundred routes with their schemas take a while. Each test sets its ports."""
    return create_application(cast(Ports, None), verify_answers="raise")


class StubCatalogue:
    """A catalogue of one offer. Records the filters of every search."""

    def __init__(self) -> None:
        self.searched: list[dict[str, Any]] = []

    def search(self, connection: Any, filters: dict[str, Any], now: datetime) -> dict[str, Any]:
        self.searched.append(filters)
        return {"items": [], "nextCursor": None}

    def offer_json(self, connection: Any, offer_id: int, now: datetime) -> bytes | None:
        return orjson.dumps(PUBLIC_OFFER) if offer_id == PUBLIC_OFFER["offerId"] else None


PUBLIC_OFFER: dict[str, Any] = {
    "offerId": 7,
    "name": "Concert",
    "subcategory": "CONCERT",
    "category": "MUSIQUE_LIVE",
    "kind": "event",
    "isDuo": False,
    "isDigital": False,
    "venue": {
        "venueId": 3,
        "name": "Salle",
        "address": "1 rue",
        "city": "Lyon",
        "postalCode": "69001",
        "lat": 1,
        "lon": 2,
    },
    "stocks": [],
    "minPriceCents": None,
    "status": "active",
}


class PlatformDouble:
    """The gateway under test: its HTTP client, and every call that reached a service."""

    def __init__(self, store: Store) -> None:
        self.bus = BusDouble()
        self.clock = SettableClock(NOW)
        self.monotonic = [1_000.0]
        self.calls: list[tuple[str, str, dict[str, Any], Any]] = []
        self.catalogue = StubCatalogue()
        self.slept: list[float] = []
        self.ports = Ports(
            bus=self.bus,
            clock=self.clock,
            signing_key=KEY,
            reading=store.reading,
            catalogue=self.catalogue,
            failures=Failures(store, lambda: self.monotonic[0]),
            api_keys=ApiKeys(self.bus, lambda: self.monotonic[0]),
            simulation=Simulation(self.bus, self.clock, self.slept.append),
        )
        self.app = application()
        self.app.extensions[EXTENSION] = self.ports
        self.client: FlaskClient = self.app.test_client()

    def answers(self, service: str, name: str, answer: Any) -> None:
        """Sets the answer to a call: a value, an exception to raise, or a function of (data, caller)."""

        def handler(data: dict[str, Any], caller: Any) -> Any:
            self.calls.append((service, name, data, caller))
            if isinstance(answer, Exception):
                raise answer
            return answer(data, caller) if callable(answer) else answer

        self.bus.handlers[(service, name)] = handler

    def called(self, name: str) -> list[dict[str, Any]]:
        """The data of every call with this name."""
        return [data for _, called, data, _ in self.calls if called == name]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return sqlite_store(
        tmp_path, "gateway", clock=SettableClock(NOW), aggregates=(), publication=Publication("gateway")
    )


@pytest.fixture
def platform(store: Store) -> PlatformDouble:
    platform = PlatformDouble(store)

    def offerer_of(data: dict[str, Any], _caller: Any) -> dict[str, int]:
        if data["key"] != API_KEY:
            raise NotFound("no such key")
        return {"offererId": 5}

    platform.answers("identity", "api-key", offerer_of)
    return platform


@pytest.fixture
def signed_in() -> Callable[..., dict[str, str]]:
    """Returns a function that makes the headers of an account with these roles."""

    def headers(*roles: str, account_id: int = 11, minutes: int = 15) -> dict[str, str]:
        token = tokens.access_token(account_id, frozenset(roles), KEY, timedelta(minutes=minutes))
        return {"Authorization": f"Bearer {token}"}

    return headers


@pytest.fixture
def api_key() -> str:
    return API_KEY
