"""Wallet's composition root."""

from __future__ import annotations

from services.wallet import calls
from services.wallet.application.lapsing import Lapsing
from services.wallet.domain.wallet import Wallet
from services.wallet.projections import projections
from services.wallet.publishing import publication
from services.wallet.reactions import REACTIONS, prepare
from services.wallet.storage.balances import next_lapse
from shared.eventstore import Engine, Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
from shared.runtime.service import Service, Timer
from shared.runtime.settings import Settings


def build(settings: Settings, clock: Clock, bus: Bus, engine: Engine) -> Service:
    """Wallet calls no other service and has no settings: ``settings`` and ``bus`` are not used."""
    store = Store(engine, clock=clock, aggregates=[Wallet], publication=publication, projections=projections())
    return Service(
        name="wallet",
        store=store,
        commands=by_name(calls.commands()),
        queries=by_name(calls.queries(store)),
        reactions=REACTIONS,
        prepare=prepare,
        timers=[Timer("credit-lapses", next_lapse, Lapsing(store).run)],
    )
