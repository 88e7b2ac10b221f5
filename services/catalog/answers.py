"""The JSON of answers: whole resources as the API shows them to their structure, composed from the read models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.catalog.domain.offers import Moderation
from services.catalog.domain.status import StockStatus, offer_status, stock_status, venue_status
from services.catalog.refusals import no_offer, no_stock
from services.catalog.storage import offers, stocks
from shared.contracts.answers import json_of
from shared.contracts.subcategories import SUBCATEGORIES
from shared.eventstore import Connection, Row


def venue_answer(facts: dict[str, Any], version: int, offerer_status: str) -> dict[str, Any]:
    return {**facts, "status": str(venue_status(offerer_status)), "version": version}


def stock_answer(row: Row[Any], at: datetime) -> dict[str, Any]:
    """``activationCodes`` is their number: the codes themselves go to the people who book."""
    return {
        **json_of(
            row, "stock_id", "offer_id", "venue_id", "price_cents", "quantity", "beginning_at", "booking_limit_at"
        ),
        "activationCodes": row.code_count,
        "status": str(_status_of(row, at)),
        "version": row.version,
    }


def offer_answer(row: Row[Any], stock_rows: Sequence[Row[Any]], at: datetime) -> dict[str, Any]:
    """With the stocks that are not withdrawn, and with the review of staff where there is one."""
    subcategory = SUBCATEGORIES[row.facts["subcategory"]]
    statuses = [_status_of(stock, at) for stock in stock_rows]
    shown = [stock for stock, status in zip(stock_rows, statuses, strict=True) if status is not StockStatus.WITHDRAWN]
    return {
        **row.facts,
        "category": subcategory.category,
        "kind": "digital" if row.facts["isDigital"] else "event" if subcategory.is_event else "thing",
        "status": str(offer_status(Moderation(row.moderation), row.is_public, statuses)),
        "stocks": [stock_answer(stock, at) for stock in shown],
        "review": row.review or None,
        "version": row.version,
    }


def whole_offer(connection: Connection, offer_id: int, at: datetime) -> dict[str, Any]:
    """An offer with its stocks. Raises NotFound."""
    row = offers.by_number(connection, offer_id)
    if row is None:
        raise no_offer()
    return offer_answer(row, stocks.of_offers(connection, [offer_id]), at)


def whole_offers(connection: Connection, rows: Sequence[Row[Any]], at: datetime) -> list[dict[str, Any]]:
    """Offers with their stocks, in the order of the rows."""
    by_offer: dict[int, list[Row[Any]]] = defaultdict(list)
    for stock in stocks.of_offers(connection, [row.offer_id for row in rows]):
        by_offer[stock.offer_id].append(stock)
    return [offer_answer(row, by_offer[row.offer_id], at) for row in rows]


def whole_stock(connection: Connection, stock_id: int, at: datetime) -> dict[str, Any]:
    """Raises NotFound."""
    row = stocks.by_number(connection, stock_id)
    if row is None:
        raise no_stock()
    return stock_answer(row, at)


def _status_of(row: Row[Any], at: datetime) -> StockStatus:
    return stock_status(
        is_withdrawn=row.is_withdrawn, is_sold_out=bool(row.is_sold_out), booking_limit_at=row.booking_limit_at, at=at
    )
