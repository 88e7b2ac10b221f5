"""The composition root: the service that keeps the catalogue, and the ports that the routes use."""

from __future__ import annotations

from functools import partial

from services.gateway import reactions
from services.gateway.application.api_keys import ApiKeys
from services.gateway.application.failures import Failures
from services.gateway.application.simulation import Simulation
from services.gateway.ports import Ports
from services.gateway.projections.catalogue import queries, writing
from shared import green
from shared.eventstore import Engine, Publication, Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.runtime.process import Process
from shared.runtime.service import Service, Task
from shared.runtime.settings import Settings

RENDER_SECONDS = 3600.0
"""At the start of a release, and again for what a process of the older release wrote since."""

publication = Publication("gateway")
"""The gateway decides nothing, so it publishes nothing."""


def build(settings: Settings, clock: Clock, bus: Bus, engine: Engine) -> Service:
    """The service beside the HTTP server: its reactions keep the read model of the catalogue."""
    store = Store(engine, clock=clock, aggregates=(), publication=publication)
    return Service(
        "gateway",
        store,
        reactions=reactions.REACTIONS,
        followed=[reactions.CATALOGUE],
        tasks=[Task("render-offers-again", RENDER_SECONDS, partial(writing.render_again, store))],
        open_work=writing.count_outdated,
    )


def open_ports(settings: Settings, process: Process) -> Ports:
    """What the routes use, over a running process."""
    ports = Ports(
        bus=process.bus,
        clock=process.clock,
        signing_key=settings.signing_key,
        reading=process.store.reading,
        catalogue=queries,
        failures=Failures(process.store),
        api_keys=ApiKeys(process.bus),
        simulation=Simulation(process.bus, process.clock, green.sleep),
        shows_metrics=settings.ops_port is None,
    )
    process.store.on_write.append(ports.offer_cache.clear)
    return ports
