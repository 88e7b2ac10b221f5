"""The composition root: the gateway's store and read model, and the gate that its routes use."""

from __future__ import annotations

from functools import partial

import sqlalchemy as sa

from services.gateway import catalogue
from services.gateway.failures import Failures
from services.gateway.keys import ApiKeys
from services.gateway.simulation import Simulation
from services.gateway.web.gate import Gate
from shared import green
from shared.eventstore import Publication, Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.runtime.process import Process
from shared.runtime.service import Service, Task
from shared.runtime.settings import Settings

RENDER_SECONDS = 3600.0
"""At the start of a release, and again for what a process of the older one wrote since."""

publication = Publication("gateway")
"""The gateway decides nothing, so it publishes nothing."""


def build(settings: Settings, clock: Clock, bus: Bus, engine: sa.Engine) -> Service:
    """What runs beside the HTTP surface: reactions that keep the catalogue's read model."""
    store = Store(engine, clock=clock, aggregates=(), publication=publication)
    return Service(
        "gateway",
        store,
        reactions=catalogue.reactions(),
        followed=[catalogue.followed()],
        tasks=[Task("render-offers-again", RENDER_SECONDS, partial(catalogue.render_again, store))],
        open_work=catalogue.count_outdated,
    )


def open_gate(settings: Settings, process: Process) -> Gate:
    """What the routes use, over a running process."""
    gate = Gate(
        bus=process.bus,
        clock=process.clock,
        signing_key=settings.signing_key,
        reading=process.store.reading,
        catalogue=catalogue,
        failures=Failures(process.store),
        api_keys=ApiKeys(process.bus),
        simulation=Simulation(process.bus, process.clock, green.sleep),
        shows_metrics=settings.ops_port is None,
    )
    process.store.on_write.append(gate.offers.forget)
    return gate
