"""The catalogue's read models of its own events: one class per question."""

from __future__ import annotations

from services.catalog.projections.offers import OfferList
from services.catalog.projections.stocks import StockList
from services.catalog.projections.venues import TakenSirets, VenueList
from shared.projections import Projection


def projections() -> list[Projection]:
    return [VenueList(), TakenSirets(), OfferList(), StockList()]
