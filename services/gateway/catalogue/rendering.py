"""An offer as anyone sees it (api.md, "offer (public)")."""

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
"""Raised whenever the same facts give another body, other words or other columns: rows are then written again."""


def kind_of(offer: dict[str, Any]) -> str:
    if offer["isDigital"]:
        return "digital"
    return "event" if SUBCATEGORIES[offer["subcategory"]].is_event else "thing"


def lasting_body(offer: dict[str, Any], venue: dict[str, Any]) -> str:
    """What does not depend on the stocks nor on the hour, as JSON. The url is for those who have booked."""
    subcategory = SUBCATEGORIES[offer["subcategory"]]
    body = {name: offer[name] for name in _OFFER_FIELDS}
    body["category"] = subcategory.category
    body["searchGroup"] = subcategory.search_group
    body["kind"] = kind_of(offer)
    body["venue"] = {name: venue[name] for name in _VENUE_FIELDS}
    return orjson.dumps(body).decode()


def is_bookable(stock: sa.Row[Any], now: datetime) -> bool:
    """There is a place left and the booking limit lies ahead."""
    return stock.remaining != 0 and (stock.booking_limit_at is None or stock.booking_limit_at > now)


def passing_part(stocks: Sequence[sa.Row[Any]], had_others: bool, now: datetime) -> dict[str, Any]:
    """What holds now: stocks, the least price, the status. ``had_others``: there were stocks that are over."""
    bookable = [stock for stock in stocks if is_bookable(stock, now)]
    return {
        "stocks": [_stock(stock, now) for stock in stocks],
        "minPriceCents": min((stock.price_cents for stock in bookable or stocks), default=None),
        "status": _status(stocks, bool(bookable), had_others, now),
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


def _status(stocks: Sequence[sa.Row[Any]], has_bookable: bool, had_others: bool, now: datetime) -> str:
    """As catalog's own: expired when every limit has passed, sold out when places are what is missing."""
    if has_bookable:
        return "active"
    is_ahead = any(stock.booking_limit_at is None or stock.booking_limit_at > now for stock in stocks)
    return "expired" if not is_ahead and (stocks or had_others) else "sold-out"
