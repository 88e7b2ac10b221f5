"""An offer as the public sees it: the part that is stored, and the part that depends on stocks and clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from shared.contracts.cancellation import cancellation_limit
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.time import instant_text

_VENUE_FIELDS = (
    "venueId",
    "name",
    "address",
    "city",
    "postalCode",
    "departmentCode",
    "timezone",
    "venueType",
    "accessibility",
    "lat",
    "lon",
)
_OFFER_FIELDS = (
    "offerId",
    "name",
    "description",
    "subcategory",
    "isDuo",
    "isDigital",
    "durationMinutes",
    "withdrawalDetails",
    "tags",
    "publishedAt",
)


RENDERING = 1
"""Increase it when the same facts give another body, other words or other columns: rows are then written again."""


def kind_of(offer: dict[str, Any]) -> str:
    if offer["isDigital"]:
        return "digital"
    return "event" if SUBCATEGORIES[offer["subcategory"]].is_event else "thing"


def stored_body(offer: dict[str, Any], venue: dict[str, Any]) -> str:
    """The part that depends neither on stocks nor on the clock, as JSON. Without the URL, which only bookings show."""
    subcategory = SUBCATEGORIES[offer["subcategory"]]
    body = {name: offer[name] for name in _OFFER_FIELDS}
    body["category"] = subcategory.category
    body["searchGroup"] = subcategory.search_group
    body["kind"] = kind_of(offer)
    body["venue"] = {name: venue[name] for name in _VENUE_FIELDS}
    return orjson.dumps(body).decode()


def is_bookable(stock: sa.Row[Any], now: datetime) -> bool:
    """Whether a place is left and the booking limit has not passed."""
    return stock.remaining != 0 and (stock.booking_limit_at is None or stock.booking_limit_at > now)


def current_part(stocks: Sequence[sa.Row[Any]], had_past: bool, now: datetime) -> dict[str, Any]:
    """The part that depends on the clock: stocks, lowest price, status. ``had_past``: the offer had stocks that have
    ended."""
    bookable = [stock for stock in stocks if is_bookable(stock, now)]
    return {
        "stocks": [_stock(stock, now) for stock in stocks],
        "minPriceCents": min((stock.price_cents for stock in bookable or stocks), default=None),
        "status": _status(stocks, bool(bookable), had_past, now),
    }


def _stock(stock: sa.Row[Any], now: datetime) -> dict[str, Any]:
    beginning = stock.beginning_at
    return {
        "stockId": stock.stock_id,
        "priceCents": stock.price_cents,
        "beginningAt": instant_text(beginning),
        "bookingLimitAt": instant_text(stock.booking_limit_at),
        "remaining": stock.remaining,
        "cancellationLimitAt": None if beginning is None else instant_text(cancellation_limit(beginning, now)),
        "bookable": is_bookable(stock, now),
    }


def _status(stocks: Sequence[sa.Row[Any]], has_bookable: bool, had_past: bool, now: datetime) -> str:
    """By catalog's rule: expired when every limit has passed, otherwise sold out when no place is left."""
    if has_bookable:
        return "active"
    is_ahead = any(stock.booking_limit_at is None or stock.booking_limit_at > now for stock in stocks)
    return "expired" if not is_ahead and (stocks or had_past) else "sold-out"
