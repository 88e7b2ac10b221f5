"""Wallet's composition root."""

from __future__ import annotations

from services.wallet import calls, storage
from services.wallet.application.lapsing import Lapsing
from services.wallet.application.ledger import Ledger
from services.wallet.application.reading import Reading
from services.wallet.domain.wallet import Wallet
from services.wallet.projections import Balances, LedgerEntries
from services.wallet.publishing import publication
from services.wallet.reactions import REACTIONS, prepare
from shared.eventstore import Engine, Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
from shared.runtime.service import Service, Timer
from shared.runtime.settings import Settings


def build(settings: Settings, clock: Clock, bus: Bus, engine: Engine) -> Service:
    """Wallet asks nobody anything and needs no setting of its own: ``settings`` and ``bus`` are not used."""
    store = Store(
        engine,
        clock=clock,
        aggregates=[Wallet],
        publication=publication,
        projections=[Balances(), LedgerEntries()],
    )

    return Service(
        name="wallet",
        store=store,
        commands=by_name(calls.commands()),
        queries=by_name(calls.queries(Reading(store), Ledger(store))),
        reactions=REACTIONS,
        prepare=prepare,
        timers=[Timer("credit-lapses", storage.next_lapse, Lapsing(store).run)],
    )
