"""The catalogue's read model in a database of its own, which receives messages as three services publish them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa

from services.gateway.projections.catalogue import queries
from services.gateway.reactions import REACTIONS
from shared.eventstore import Message, Publication, Store
from shared.kernel.time import SettableClock, parse_instant

START = datetime(2021, 11, 2, 9, tzinfo=UTC)
STRASBOURG = {"city": "Strasbourg", "postalCode": "67000", "departmentCode": "67", "lat": 48.5839, "lon": 7.7455}
PARIS = {"city": "Paris", "postalCode": "75011", "departmentCode": "75", "lat": 48.8589, "lon": 2.3469}


class Catalogue:
    def __init__(self, engine: sa.Engine) -> None:
        self.clock = SettableClock(START)
        self.store = Store(engine, clock=self.clock, aggregates=(), publication=Publication("gateway"))
        self._reactions = REACTIONS
        self._position = 0

    def receive(self, name: str, source: str, /, **data: Any) -> Message:
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
        self.receive_again(message)
        return message

    def receive_again(self, message: Message) -> None:
        """Handles a message once more, as the replay of a dead letter does."""
        with self.store.transaction() as tx:
            self._reactions.handle(tx, message)

    def offerer(self, offerer_id: int = 1) -> None:
        self.receive("OffererValidated", "identity", offererId=offerer_id, at="2021-11-02T09:00:00Z")

    def venue(self, venue_id: int = 1, event: str = "VenueOpened", **facts: Any) -> None:
        venue = {
            "venueId": venue_id,
            "offererId": 1,
            "kind": "siret",
            "name": "Cinéma Star",
            "siret": "21340172200011",
            "comment": None,
            "establishment": "21340172200011",
            "address": "3 rue des Arts",
            **STRASBOURG,
            "bookingEmail": "secret@example.org",
            "venueType": "MOVIE",
            "accessibility": {"audio": False, "mental": False, "motor": True, "visual": False},
            "timezone": "Europe/Paris",
        }
        self.receive(event, "catalog", **{**venue, **facts})

    def offer(self, offer_id: int = 1, event: str = "OfferPublished", **facts: Any) -> None:
        offer = {
            "offerId": offer_id,
            "venueId": 1,
            "offererId": 1,
            "name": "Concert",
            "subcategory": "CONCERT",
            "description": "",
            "isDuo": False,
            "isDigital": False,
            "url": None,
            "durationMinutes": None,
            "withdrawalDetails": None,
            "bookingEmail": "secret@example.org",
            "tags": [],
            "publishedAt": f"2021-11-01T09:{offer_id % 60:02d}:00Z",
        }
        self.receive(event, "catalog", **{**offer, **facts})

    def stock(self, stock_id: int = 1, offer_id: int = 1, **facts: Any) -> None:
        stock = {
            "stockId": stock_id,
            "offerId": offer_id,
            "venueId": 1,
            "offererId": 1,
            "priceCents": 1000,
            "quantity": 10,
            "beginningAt": "2021-11-10T19:00:00Z",
            "activationCodes": [],
            "addedAt": "2021-11-02T09:00:00Z",
        }
        stock |= facts
        self.receive("StockAdded", "catalog", **{"bookingLimitAt": stock["beginningAt"], **stock})

    def places_left(self, stock_id: int, remaining: int | None, event: str = "BookingCreated") -> Message:
        return self.receive(event, "booking", stockId=stock_id, stockRemaining=remaining, remaining=remaining)

    def concert(self) -> None:
        """Publishes a concert with one bookable stock."""
        self.offerer()
        self.venue()
        self.offer()
        self.stock()

    def offer_shown(self, offer_id: int = 1) -> dict[str, Any] | None:
        shown = self.offer_json(offer_id)
        return None if shown is None else orjson.loads(shown)

    def offer_json(self, offer_id: int = 1) -> bytes | None:
        with self.store.reading() as connection:
            return queries.offer_json(connection, offer_id, self.clock.now())

    def search(self, **filters: Any) -> dict[str, Any]:
        with self.store.reading() as connection:
            return queries.search(connection, filters, self.clock.now())

    def find_ids(self, **filters: Any) -> list[int]:
        return [item["offerId"] for item in self.search(**filters)["items"]]

    def all_pages(self, limit: int, **filters: Any) -> list[int]:
        """The identifiers on every page of a search. The later pages are read by their cursor alone."""
        found: list[int] = []
        page = self.search(limit=limit, **filters)
        while True:
            found += [item["offerId"] for item in page["items"]]
            if page["nextCursor"] is None:
                return found
            page = self.search(limit=limit, cursor=page["nextCursor"])

    def move_clock(self, instant: str) -> None:
        self.clock.move_to(parse_instant(instant))
