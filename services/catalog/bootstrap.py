"""The catalogue's composition root."""

from __future__ import annotations

import sqlalchemy as sa

from services.catalog import storage
from services.catalog.application import offers, stocks, venues
from services.catalog.application.dates import EventDates
from services.catalog.domain.offers import Offer
from services.catalog.domain.stocks import Stock
from services.catalog.domain.venues import Venue
from services.catalog.projections import projections
from services.catalog.publishing import publication
from services.catalog.reactions import followed, reactions
from shared.eventstore import Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.messaging.calls import CommandHandler, QueryHandler, one, read, saga
from shared.runtime.service import Service, Task, Timer
from shared.runtime.settings import Settings

FINISH_SECONDS = 2.0
"""How long a quantity that booking has not answered waits before it is asked again."""


def build(settings: Settings, clock: Clock, bus: Bus, engine: sa.Engine) -> Service:
    store = Store(
        engine,
        clock=clock,
        aggregates=[Venue, Offer, Stock],
        publication=publication,
        projections=projections(),
    )
    changes = stocks.StockChanges(store, bus)
    return Service(
        name="catalog",
        store=store,
        commands=_commands(changes),
        queries=_queries(offers.OfferQueries(clock)),
        reactions=reactions(),
        followed=[followed()],
        timers=[Timer("event-dates", storage.next_start, EventDates(store).tell_due)],
        tasks=[Task("finish-quantity-requests", FINISH_SECONDS, changes.finish_requests)],
        open_work=storage.count_asking,
    )


def _commands(changes: stocks.StockChanges) -> dict[str, CommandHandler]:
    return {
        "open-venue": one(venues.open_venue),
        "change-venue": one(venues.change_venue),
        "create-offer": one(offers.create_offer),
        "change-offer": one(offers.change_offer),
        "activate-offer": one(offers.activate_offer),
        "deactivate-offer": one(offers.deactivate_offer),
        "approve-offer": one(offers.approve_offer),
        "reject-offer": one(offers.reject_offer),
        "add-stock": one(stocks.add_stock),
        "change-stock": saga(changes.change),
        "withdraw-stock": one(stocks.withdraw_stock),
    }


def _queries(about_offers: offers.OfferQueries) -> dict[str, QueryHandler]:
    return {
        "venue": read(venues.venue),
        "venues": read(venues.venues),
        "offer": read(about_offers.offer),
        "offers": read(about_offers.offers),
        "stock": read(about_offers.stock),
        "pending-offers": read(about_offers.pending_offers),
        "counters": read(about_offers.counters),
    }
