"""The catalogue's read models: what its actors and staff see."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.catalog import storage
from services.catalog.domain.offers import Moderation, Offer
from services.catalog.domain.stocks import Stock
from services.catalog.domain.venues import Venue
from services.catalog.publishing import offer_data, venue_data
from shared.kernel.time import instant_text
from shared.projections import Projection, on


class VenueList(Projection):
    """Which venues does a structure have?"""

    name = "venues"
    version = 1
    tables = (storage.venues,)

    @on(Venue.Opened)
    def opened(self, connection: sa.Connection, event: Venue.Opened) -> None:
        facts = event.facts
        connection.execute(
            storage.venues.insert().values(
                venue_id=facts.venue_id,
                offerer_id=facts.offerer_id,
                kind=str(facts.kind),
                facts=venue_data(facts),
                version=event.originator_version,
            )
        )

    @on(Venue.Changed)
    def changed(self, connection: sa.Connection, event: Venue.Changed) -> None:
        connection.execute(
            sa.update(storage.venues)
            .where(storage.venues.c.venue_id == event.facts.venue_id)
            .values(facts=venue_data(event.facts), version=event.originator_version)
        )


class TakenSirets(Projection):
    """Is this SIRET a venue's already? The use case that opens a venue writes the row: the insert decides."""

    name = "sirets"
    version = 1
    tables = (storage.sirets,)

    @on(Venue.Opened, live=False)
    def opened(self, connection: sa.Connection, event: Venue.Opened) -> None:
        if event.facts.siret is not None:
            storage.take_siret(connection, event.facts.siret, event.facts.venue_id)


class OfferList(Projection):
    """Which offers does a venue have, who sees them, and which wait for staff?"""

    name = "offers"
    version = 1
    tables = (storage.offers,)

    @on(Offer.Drafted)
    def drafted(self, connection: sa.Connection, event: Offer.Drafted) -> None:
        facts = event.facts
        connection.execute(
            storage.offers.insert().values(
                offer_id=facts.offer_id,
                venue_id=facts.venue_id,
                offerer_id=facts.offerer_id,
                moderation=str(Moderation.DRAFT),
                is_public=False,
                facts=offer_data(facts),
                review={},
                version=event.originator_version,
            )
        )

    @on(Offer.Redrafted, Offer.Changed)
    def changed(self, connection: sa.Connection, event: Offer.Redrafted | Offer.Changed) -> None:
        self._update(connection, event.facts.offer_id, event, facts=offer_data(event.facts))

    @on(Offer.Published)
    def published(self, connection: sa.Connection, event: Offer.Published) -> None:
        self._update(connection, event.facts.offer_id, event, facts=offer_data(event.facts), is_public=True)

    @on(Offer.Withdrawn)
    def withdrawn(self, connection: sa.Connection, event: Offer.Withdrawn) -> None:
        self._update(connection, event.offer_id, event, is_public=False)

    @on(Offer.HeldForReview)
    def held(self, connection: sa.Connection, event: Offer.HeldForReview) -> None:
        review = {"heldAt": instant_text(event.timestamp), "score": str(event.score), "rules": list(event.rules)}
        self._update(connection, event.offer_id, event, moderation=str(Moderation.PENDING), review=review)

    @on(Offer.Approved)
    def approved(self, connection: sa.Connection, event: Offer.Approved) -> None:
        self._update(connection, event.offer_id, event, moderation=str(Moderation.APPROVED), review={})

    @on(Offer.Rejected)
    def rejected(self, connection: sa.Connection, event: Offer.Rejected) -> None:
        review = {"rejectedAt": instant_text(event.timestamp), "reason": event.reason}
        self._update(connection, event.offer_id, event, moderation=str(Moderation.REJECTED), review=review)

    @staticmethod
    def _update(connection: sa.Connection, offer_id: int, event: Offer.Event, **values: Any) -> None:
        table = storage.offers
        connection.execute(
            sa.update(table).where(table.c.offer_id == offer_id).values(version=event.originator_version, **values)
        )


class StockList(Projection):
    """Which stocks does an offer have, which start comes next, which quantity has booking not answered?"""

    name = "stocks"
    version = 1
    tables = (storage.stocks,)

    @on(Stock.Added)
    def added(self, connection: sa.Connection, event: Stock.Added) -> None:
        facts = event.facts
        connection.execute(
            storage.stocks.insert().values(
                stock_id=facts.stock_id,
                offer_id=facts.offer_id,
                venue_id=facts.venue_id,
                offerer_id=facts.offerer_id,
                price_cents=facts.price,
                quantity=facts.quantity,
                beginning_at=facts.beginning_at,
                booking_limit_at=facts.booking_limit_at,
                code_count=len(facts.activation_codes),
                is_withdrawn=False,
                awaits_start=facts.beginning_at is not None,
                asks_quantity=False,
                version=event.originator_version,
            )
        )

    @on(Stock.Changed)
    def changed(self, connection: sa.Connection, event: Stock.Changed) -> None:
        self._update(connection, event, price_cents=event.price, booking_limit_at=event.booking_limit_at)

    @on(Stock.Rescheduled)
    def rescheduled(self, connection: sa.Connection, event: Stock.Rescheduled) -> None:
        moved = {"beginning_at": event.beginning_at, "booking_limit_at": event.booking_limit_at}
        self._update(connection, event, awaits_start=True, **moved)

    @on(Stock.QuantityRequested)
    def quantity_requested(self, connection: sa.Connection, event: Stock.QuantityRequested) -> None:
        self._update(connection, event, asks_quantity=True)

    @on(Stock.QuantityChanged)
    def quantity_changed(self, connection: sa.Connection, event: Stock.QuantityChanged) -> None:
        self._update(connection, event, asks_quantity=False, quantity=event.quantity)

    @on(Stock.QuantityRefused)
    def quantity_refused(self, connection: sa.Connection, event: Stock.QuantityRefused) -> None:
        self._update(connection, event, asks_quantity=False)

    @on(Stock.Withdrawn)
    def withdrawn(self, connection: sa.Connection, event: Stock.Withdrawn) -> None:
        self._update(connection, event, is_withdrawn=True, awaits_start=False)

    @on(Stock.DateElapsed)
    def date_elapsed(self, connection: sa.Connection, event: Stock.DateElapsed) -> None:
        self._update(connection, event, awaits_start=False)

    @staticmethod
    def _update(connection: sa.Connection, event: Stock.Later, **values: Any) -> None:
        table = storage.stocks
        connection.execute(
            sa.update(table)
            .where(table.c.stock_id == event.stock_id)
            .values(version=event.originator_version, **values)
        )


def projections() -> list[Projection]:
    """Every read model of the catalogue that is folded from its events."""
    return [VenueList(), TakenSirets(), OfferList(), StockList()]
