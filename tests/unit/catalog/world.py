"""Catalog on a store of its own, with a settable clock and doubles of booking and payout."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.catalog.bootstrap import build
from shared.eventstore import Message
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.kernel.time import SettableClock, instant_text, parse_instant
from shared.runtime.settings import Settings
from shared.testing.bus import BusDouble

START = datetime(2021, 11, 2, 9, tzinfo=UTC)
SIREN = "213401722"  # Commune de Montpellier, in the founding document
SIRETS = ("21340172200011", "21340172200029")
PRO = Caller(7, frozenset({"pro"}))
OTHER_PRO = Caller(8, frozenset({"pro"}))
STAFF = Caller(1, frozenset({"staff"}))

VENUE = {
    "name": "Cinéma Municipal Nestor Burma",
    "siret": SIRETS[0],
    "address": "2 rue Marcellin Albert",
    "postalCode": "34000",
    "city": "Montpellier",
    "lat": 43.6109,
    "lon": 3.8772,
    "bookingEmail": "nestor@example.org",
    "venueType": "MOVIE",
    "accessibility": {"audio": False, "mental": False, "motor": True, "visual": False},
}
CONCERT = {"name": "Concert", "subcategory": "CONCERT", "description": "", "isDuo": True}
BOOK = {"name": "Le donjon de Naheulbeuk", "subcategory": "LIVRE_PAPIER", "description": "", "isDuo": False}
GAME = {
    "name": "Jeu",
    "subcategory": "JEU_EN_LIGNE",
    "description": "",
    "isDuo": False,
    "url": "https://example.org/play?code={token}",
}


class World:
    """A catalog service. ``set_quantity`` is booking's handler of that command; it may raise."""

    def __init__(self, settings: Settings, engine: sa.Engine) -> None:
        self.clock = SettableClock(START)
        self.quantities: list[tuple[int, int | None]] = []
        self.agreed: set[int] = set()
        self.set_quantity: Callable[[dict[str, Any]], Any] = lambda data: {"remaining": data["quantity"]}
        self.bus = BusDouble(
            {
                ("booking", "set-quantity"): self._set_quantity,
                ("booking", "reached"): lambda data, caller: {},
                ("payout", "offer-rule"): lambda data, caller: {"agreed": data["offerId"] in self.agreed},
            }
        )
        self.service = build(settings, self.clock, self.bus, engine)
        self.process = self.bus.add(self.service, self.clock)
        self.store = self.service.store
        self._position = 0

    def _set_quantity(self, data: dict[str, Any], _caller: Caller | None) -> Any:
        answer = self.set_quantity(data)
        self.quantities.append((data["stockId"], data["quantity"]))
        return answer

    def command(self, name: str, caller: Caller | None = PRO, key: str | None = None, /, **data: Any) -> Any:
        """The result of a command. Raises its refusal."""
        return self.bus.send_command("catalog", name, data, caller=caller, key=key).result

    def query(self, name: str, caller: Caller | None = PRO, /, **data: Any) -> Any:
        return self.bus.send_query("catalog", name, data, caller=caller)

    def receive(self, name: str, source: str = "identity", /, **data: Any) -> None:
        """Handles a message of another service in a transaction of its own."""
        self._position += 1
        message = Message(
            id=f"{source}:{self._position}",
            source=source,
            name=name,
            version=1,
            stream="stream",
            stream_version=1,
            position=self._position,
            previous=self._position - 1,
            epoch="epoch",
            occurred_at=self.clock.now(),
            recorded_at=self.clock.now(),
            causation_id="cause",
            correlation_id="correlation",
            data=data,
        )
        with self.store.transaction() as tx:
            self.service.reactions.handle(tx, message)

    def register(
        self, offerer_id: int = 1, siren: str = SIREN, account_id: int = 7, postal_code: str = "34000"
    ) -> None:
        """Receives the messages of a structure that signs up, with its first user."""
        self.receive(
            "OffererRegistered",
            offererId=offerer_id,
            siren=siren,
            name="Structure",
            address="1 place Georges Frêche",
            postalCode=postal_code,
            city="Montpellier",
            registeredAt=instant_text(self.clock.now()),
        )
        self.receive("ProAttached", accountId=account_id, offererId=offerer_id, at=instant_text(self.clock.now()))

    def published(self) -> list[tuple[str, dict[str, Any]]]:
        return [(message.name, message.data) for message in self.store.messages(0, 10_000)]

    def published_names(self) -> list[str]:
        return [name for name, _ in self.published()]

    def move_to(self, instant: str) -> None:
        """Moves the clock as the platform does: every timer that falls due on the way runs at its due instant."""
        target = parse_instant(instant)
        while True:
            with self.store.reading() as connection:
                due = [(at, timer) for timer in self.service.timers if (at := timer.next_due(connection)) is not None]
            at, timer = min(due, key=lambda found: found[0], default=(target, None))
            if timer is None or at > target:
                break
            self.clock.move_to(max(at, self.clock.now()))
            timer.run(self.clock.now())
        self.clock.move_to(target)

    def venue(self, **changes: Any) -> dict[str, Any]:
        return self.command("open-venue", offererId=1, **{**VENUE, **changes})

    def digital_venue(self) -> dict[str, Any]:
        venues = self.query("venues", offererIds=[1])["items"]
        return next(venue for venue in venues if venue["kind"] == "digital")

    def offer(self, venue_id: int, body: dict[str, Any] = CONCERT, **changes: Any) -> dict[str, Any]:
        return self.command("create-offer", venueId=venue_id, **{**body, **changes})

    def stock(self, offer_id: int, **body: Any) -> dict[str, Any]:
        return self.command("add-stock", offerId=offer_id, **{"priceCents": 1000, "quantity": None, **body})

    def concert(self, **stock: Any) -> tuple[int, int]:
        """A published concert: the numbers of its offer and its stock."""
        offer = self.offer(self.venue()["venueId"])
        added = self.stock(offer["offerId"], **{"quantity": 10, "beginningAt": "2021-11-10T19:00:00Z", **stock})
        return offer["offerId"], added["stockId"]


def refused(error: DomainError) -> tuple[str, int, list[str]]:
    """Code, status and invalid fields of a refusal."""
    return error.code, error.status, sorted(error.errors)
