"""Identity's composition root: settings and ports → a service."""

from __future__ import annotations

import re

import sqlalchemy as sa

from services.identity import storage
from services.identity.application.journey import Journey
from services.identity.application.ports import Ports, each
from services.identity.application.questions import Questions
from services.identity.application.requests import CHANGE_ADDRESS, PASSWORD_RESET, SIGN_UP, Requests
from services.identity.application.sessions import Failures, Sessions, mail_new_address, mail_reset
from services.identity.application.signing_up import SigningUp, sign_up
from services.identity.application.standing import Standing
from services.identity.application.structures import Structures
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
from shared.messaging.calls import CommandHandler, QueryHandler, one, read, read_many, saga
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
        commands=_commands(ports, failures, standing),
        queries=_queries(Questions(ports)),
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


def _commands(ports: Ports, failures: Failures, standing: Standing) -> dict[str, CommandHandler]:
    signing_up, sessions = SigningUp(ports, failures), Sessions(ports, failures)
    journey, structures = Journey(ports, failures), Structures(ports)
    return {
        "open-account": each(signing_up.open_account),
        "open-pro-account": each(signing_up.open_pro_account),
        "create-staff": each(signing_up.create_staff),
        "confirm-email": each(signing_up.confirm_email),
        "sign-in": each(sessions.sign_in),
        "refresh": each(sessions.refresh),
        "sign-out": each(sessions.sign_out),
        "request-password-reset": each(sessions.request_password_reset),
        "reset-password": each(sessions.reset_password),
        "change-password": each(sessions.change_password),
        "change-email": each(sessions.change_email),
        "send-phone-code": one(journey.send_phone_code),
        "confirm-phone-code": each(journey.confirm_phone_code),
        "check-identity": each(journey.check_identity),
        "review-identity-check": one(journey.review_identity_check),
        "complete-profile": one(journey.complete_profile),
        "suspend-account": one(standing.suspend_account),
        "unsuspend-account": one(standing.unsuspend_account),
        "suspend-me": one(standing.suspend_me),
        "erase": saga(standing.erase),
        "validate-offerer": one(structures.validate_offerer),
        "reject-offerer": one(structures.reject_offerer),
        "close-offerer": one(structures.close_offerer),
        "approve-attachment": one(structures.approve_attachment),
        "reject-attachment": one(structures.reject_attachment),
        "create-api-key": each(structures.create_api_key),
        "delete-api-key": one(structures.delete_api_key),
    }


def _queries(questions: Questions) -> dict[str, QueryHandler]:
    return {
        "me": read(questions.me),
        "people": read_many(questions.people),
        "offerers": read(questions.offerers),
        "offerer": read(questions.offerer),
        "pending": read(questions.pending),
        "api-key": read_many(questions.api_key),
        "api-keys": read(questions.api_keys),
    }
