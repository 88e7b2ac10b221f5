"""The catalogue's composition root."""

from __future__ import annotations

import sqlalchemy as sa

from services.catalog import calls, storage
from services.catalog.application.dates import EventDates
from services.catalog.application.offers import OfferQueries
from services.catalog.application.stocks import StockChanges
from services.catalog.domain.offers import Offer
from services.catalog.domain.stocks import Stock
from services.catalog.domain.venues import Venue
from services.catalog.projections import projections
from services.catalog.publishing import publication
from services.catalog.reactions import followed, reactions
from shared.eventstore import Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
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
    changes = StockChanges(store, bus)
    return Service(
        name="catalog",
        store=store,
        commands=by_name(calls.commands(changes)),
        queries=by_name(calls.queries(OfferQueries(clock))),
        reactions=reactions(),
        followed=[followed()],
        timers=[Timer("event-dates", storage.next_start, EventDates(store).tell_due)],
        tasks=[Task("finish-quantity-requests", FINISH_SECONDS, changes.finish_requests)],
        open_work=storage.count_asking,
    )
