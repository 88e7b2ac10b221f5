"""Stocks of an offer, their starts and open quantity requests."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.catalog.domain.stocks import Stock
from services.catalog.storage.tables import stocks
from shared.projections import Projection, on


class StockList(Projection):
    """Which stocks does an offer have, which start comes next, which quantity requests are open?"""

    name = "stocks"
    version = 1
    tables = (stocks,)

    @on(Stock.Added)
    def added(self, connection: sa.Connection, event: Stock.Added) -> None:
        facts = event.facts
        connection.execute(
            stocks.insert().values(
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
        connection.execute(
            sa.update(stocks)
            .where(stocks.c.stock_id == event.stock_id)
            .values(version=event.originator_version, **values)
        )
