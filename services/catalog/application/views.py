"""Whole resources as the API shows them to their structure, put together from the read models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.catalog import storage
from services.catalog.domain.offers import Moderation
from services.catalog.domain.status import StockStatus, offer_status, stock_status, venue_status
from services.catalog.publishing import optional_text
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.errors import NotFound

Row = sa.Row[Any]


def venue_view(facts: dict[str, Any], version: int, offerer_status: str) -> dict[str, Any]:
    return {**facts, "status": str(venue_status(offerer_status)), "version": version}


def stock_view(row: Row, at: datetime) -> dict[str, Any]:
    """``activationCodes`` is how many there are: the codes themselves go to those who book."""
    return {
        "stockId": row.stock_id,
        "offerId": row.offer_id,
        "venueId": row.venue_id,
        "priceCents": row.price_cents,
        "quantity": row.quantity,
        "beginningAt": optional_text(row.beginning_at),
        "bookingLimitAt": optional_text(row.booking_limit_at),
        "activationCodes": row.code_count,
        "status": str(_status_of(row, at)),
        "version": row.version,
    }


def offer_view(row: Row, stocks: Sequence[Row], at: datetime) -> dict[str, Any]:
    """With its stocks, those that were withdrawn left out, and its review when staff look or looked at it."""
    subcategory = SUBCATEGORIES[row.facts["subcategory"]]
    statuses = [_status_of(stock, at) for stock in stocks]
    shown = [stock for stock, status in zip(stocks, statuses, strict=True) if status is not StockStatus.WITHDRAWN]
    return {
        **row.facts,
        "category": subcategory.category,
        "kind": "digital" if row.facts["isDigital"] else "event" if subcategory.is_event else "thing",
        "status": str(offer_status(Moderation(row.moderation), row.is_public, statuses)),
        "stocks": [stock_view(stock, at) for stock in shown],
        "review": row.review or None,
        "version": row.version,
    }


def offer_with_stocks(connection: sa.Connection, offer_id: int, at: datetime) -> dict[str, Any]:
    """Raises NotFound."""
    row = storage.offer_row(connection, offer_id)
    if row is None:
        raise NotFound("There is no such offer.")
    return offer_view(row, storage.stock_rows(connection, [offer_id]), at)


def offers_with_stocks(connection: sa.Connection, rows: Sequence[Row], at: datetime) -> list[dict[str, Any]]:
    by_offer: dict[int, list[Row]] = defaultdict(list)
    for stock in storage.stock_rows(connection, [row.offer_id for row in rows]):
        by_offer[stock.offer_id].append(stock)
    return [offer_view(row, by_offer[row.offer_id], at) for row in rows]


def one_stock(connection: sa.Connection, stock_id: int, at: datetime) -> dict[str, Any]:
    """Raises NotFound."""
    row = storage.stock_row(connection, stock_id)
    if row is None:
        raise NotFound("There is no such stock.")
    return stock_view(row, at)


def _status_of(row: Row, at: datetime) -> StockStatus:
    return stock_status(
        is_withdrawn=row.is_withdrawn,
        is_sold_out=bool(row.is_sold_out),
        booking_limit_at=row.booking_limit_at,
        at=at,
    )
