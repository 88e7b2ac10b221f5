"""Identity's composition root: settings and ports → a service."""

from __future__ import annotations

import re

import sqlalchemy as sa

from services.identity import calls, storage
from services.identity.application.ports import Ports
from services.identity.application.questions import Questions
from services.identity.application.requests import CHANGE_ADDRESS, PASSWORD_RESET, SIGN_UP, Requests
from services.identity.application.sessions import Failures, mail_new_address, mail_reset
from services.identity.application.signing_up import sign_up
from services.identity.application.standing import Standing
from services.identity.domain.accounts import Account
from services.identity.domain.offerers import Offerer
from services.identity.hashing import Argon2Hasher
from services.identity.keys import KeyStore, move_in
from services.identity.mails import Letters
from services.identity.projections import projections
from services.identity.provider import EmbeddedProvider
from services.identity.publishing import publication
from services.identity.sirene import EmbeddedDirectory
from shared.eventstore import Store
from shared.eventstore.engines import make_engine
from shared.kernel.time import Clock, RealClock
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
from shared.notifications import Outbox, transports
from shared.runtime.service import Service, Task, Timer
from shared.runtime.settings import Settings

AGGREGATES = (Account, Offerer)
IDLE_SECONDS = 2.0
KEY_CONNECTIONS = 4
"""A key is read by its number in a moment."""


def build(settings: Settings, clock: Clock, bus: Bus, engine: sa.Engine) -> Service:
    store = Store(engine, clock=clock, aggregates=AGGREGATES, publication=publication, projections=projections())
    connections = min(KEY_CONNECTIONS, settings.pool_size)
    keys = KeyStore(
        make_engine(
            settings.database_url("keys"), schema=settings.schema("keys"), pool_size=connections, autocommit=True
        )
    )
    move_in(store, keys)
    lines = transports(settings.mail_url, settings.sms_url, settings.push_url)
    return assemble(
        Ports(
            store=store,
            keys=keys,
            outbox=Outbox("identity", store, lines),
            letters=Letters(settings.public_url),
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
    """The service around its ports; tests pass their own."""
    failures = Failures(ports)
    standing = Standing(ports)
    outbox = ports.outbox
    done_by = {SIGN_UP: sign_up, PASSWORD_RESET: mail_reset, CHANGE_ADDRESS: mail_new_address}
    requests = Requests(ports, done_by)

    def answer_letters() -> None:
        requests.run()
        outbox.send_due()

    def open_work(connection: sa.Connection) -> int:
        return requests.open_work(connection) + outbox.open_work(connection) + storage.count_doomed(connection)

    return Service(
        name="identity",
        store=ports.store,
        commands=by_name(calls.commands(ports, failures, standing)),
        queries=by_name(calls.queries(Questions(ports))),
        timers=[Timer("birthdays", storage.next_birthday, standing.run_birthdays)],
        tasks=[
            Task("requests-and-notifications", 0.1, answer_letters, IDLE_SECONDS),
            Task("keys", 1.0, standing.destroy_keys, IDLE_SECONDS),
            Task("forget-notifications", 3600, outbox.forget),
            Task("prune", 3600, standing.prune),
        ],
        open_work=open_work,
        beside={"keys": ports.keys.engine},
    )
