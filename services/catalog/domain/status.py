"""The status of a venue, an offer and a stock at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from services.catalog.domain.offers import Moderation


class VenueStatus(StrEnum):
    PENDING = "pending"
    OPEN = "open"
    CLOSED = "closed"


class StockStatus(StrEnum):
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SOLD_OUT = "sold-out"
    ACTIVE = "active"


class OfferStatus(StrEnum):
    REJECTED = "rejected"
    PENDING = "pending"
    DRAFT = "draft"
    INACTIVE = "inactive"
    EXPIRED = "expired"
    SOLD_OUT = "sold-out"
    ACTIVE = "active"


def venue_status(offerer: str) -> VenueStatus:
    """Follows the structure: the public sees a venue's offers from its validation by staff until its closing."""
    if offerer == "validated":
        return VenueStatus.OPEN
    return VenueStatus.PENDING if offerer == "pending" else VenueStatus.CLOSED


def stock_status(
    *, is_withdrawn: bool, is_sold_out: bool, booking_limit_at: datetime | None, at: datetime
) -> StockStatus:
    """An event's booking limit is never later than its start: the limit alone decides whether the stock expired."""
    if is_withdrawn:
        return StockStatus.WITHDRAWN
    if booking_limit_at is not None and booking_limit_at <= at:
        return StockStatus.EXPIRED
    return StockStatus.SOLD_OUT if is_sold_out else StockStatus.ACTIVE


def offer_status(moderation: Moderation, is_public: bool, stocks: Iterable[StockStatus]) -> OfferStatus:
    """By the precedence of domain.md §3.2; an approved offer without a bookable stock is sold out."""
    if moderation is not Moderation.APPROVED:
        return OfferStatus(moderation.value)
    if not is_public:
        return OfferStatus.INACTIVE
    left = {status for status in stocks if status is not StockStatus.WITHDRAWN}
    if StockStatus.ACTIVE in left:
        return OfferStatus.ACTIVE
    if left == {StockStatus.EXPIRED}:
        return OfferStatus.EXPIRED
    return OfferStatus.SOLD_OUT
