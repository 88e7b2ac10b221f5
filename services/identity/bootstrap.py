"""Identity's composition root."""

from __future__ import annotations

import re
from functools import partial

from services.identity import calls
from services.identity.adapters.hashing import Argon2Hasher
from services.identity.adapters.provider import EmbeddedProvider
from services.identity.adapters.sirene import EmbeddedDirectory
from services.identity.application import deferred_requests
from services.identity.application.birthdays import run_birthdays
from services.identity.application.changing_email import mail_new_address
from services.identity.application.erasing import destroy_keys
from services.identity.application.passwords import mail_reset
from services.identity.application.pruning import prune
from services.identity.application.reading import Reading
from services.identity.application.signing_up import sign_up
from services.identity.application.unit_of_work import Ports
from services.identity.domain.accounts import Account
from services.identity.domain.offerers import Offerer
from services.identity.keys import KeyStore, move_former_keys
from services.identity.mails import Mails
from services.identity.projections import projections
from services.identity.publishing import publication
from services.identity.storage import birthdays, erasures
from shared.eventstore import Connection, Engine, Store
from shared.eventstore.engines import make_engine
from shared.kernel.time import Clock, RealClock
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
from shared.notifications import Outbox, transports
from shared.runtime.service import Service, Task, Timer
from shared.runtime.settings import Settings

AGGREGATES = (Account, Offerer)
DEFERRED = {
    deferred_requests.SIGN_UP: sign_up,
    deferred_requests.PASSWORD_RESET: mail_reset,
    deferred_requests.CHANGE_EMAIL: mail_new_address,
}
IDLE_SECONDS = 2.0
KEY_CONNECTIONS = 4
"""A look-up of keys by number holds a connection for about a millisecond."""


def build(settings: Settings, clock: Clock, bus: Bus, engine: Engine) -> Service:
    store = Store(engine, clock=clock, aggregates=AGGREGATES, publication=publication, projections=projections())
    keys = KeyStore(
        make_engine(
            settings.database_url("keys"),
            schema=settings.schema("keys"),
            pool_size=min(KEY_CONNECTIONS, settings.pool_size),
            autocommit=True,
        )
    )
    move_former_keys(store, keys)
    return assemble(
        Ports(
            store=store,
            keys=keys,
            outbox=Outbox("identity", store, transports(settings.mail_url, settings.sms_url, settings.push_url)),
            mails=Mails(settings.public_url),
            hasher=Argon2Hasher(),
            provider=EmbeddedProvider(),
            directory=EmbeddedDirectory(),
            randomness=settings.randomness(),
            machine=RealClock(),
            signing_key=settings.signing_key,
            key_environment=re.sub(r"[^a-z0-9]", "", settings.namespace.lower()) or "passculture",
        )
    )


def assemble(ports: Ports) -> Service:
    """The service with its ports; unit tests pass their own."""
    requests, outbox = deferred_requests.DeferredRequests(ports, DEFERRED), ports.outbox

    def carry_out_and_send() -> None:
        requests.run()
        outbox.send_due()

    def open_work(connection: Connection) -> int:
        requests_and_keys = deferred_requests.count_open(connection) + erasures.count_to_destroy(connection)
        return requests_and_keys + outbox.open_work(connection)

    return Service(
        name="identity",
        store=ports.store,
        commands=by_name(calls.commands(ports)),
        queries=by_name(calls.queries(Reading(ports))),
        timers=[Timer("birthdays", birthdays.next_due, partial(run_birthdays, ports))],
        tasks=[
            Task("requests-and-notifications", 0.1, carry_out_and_send, IDLE_SECONDS),
            Task("keys", 1.0, partial(destroy_keys, ports), IDLE_SECONDS),
            Task("forget-notifications", 3600, outbox.forget),
            Task("prune", 3600, partial(prune, ports)),
        ],
        open_work=open_work,
        extra_engines={"keys": ports.keys.engine},
    )
