"""The catalogue's composition root."""

from __future__ import annotations

from services.catalog import calls
from services.catalog.application.event_dates import EventDates
from services.catalog.application.reading import Reading
from services.catalog.application.stock_changes import StockChanges
from services.catalog.domain.offers import Offer
from services.catalog.domain.stocks import Stock
from services.catalog.domain.venues import Venue
from services.catalog.neighbours import Booking, Payout
from services.catalog.projections import projections
from services.catalog.publishing import publication
from services.catalog.reactions import followed, reactions
from services.catalog.storage import stocks
from shared.eventstore import Engine, Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
from shared.runtime.service import Service, Task, Timer
from shared.runtime.settings import Settings

FINISH_SECONDS = 2.0
"""How often open quantity requests are sent to booking again."""


def build(settings: Settings, clock: Clock, bus: Bus, engine: Engine) -> Service:
    store = Store(
        engine, clock=clock, aggregates=[Venue, Offer, Stock], publication=publication, projections=projections()
    )
    stock_changes = StockChanges(store, Booking(bus), Payout(bus))
    return Service(
        name="catalog",
        store=store,
        commands=by_name(calls.commands(stock_changes)),
        queries=by_name(calls.queries(Reading(clock))),
        reactions=reactions(),
        followed=[followed()],
        timers=[Timer("event-dates", stocks.next_start, EventDates(store).run_due)],
        tasks=[Task("finish-quantity-requests", FINISH_SECONDS, stock_changes.finish_requests)],
        open_work=stocks.count_open_requests,
    )
