"""Booking's composition root."""

from __future__ import annotations

from services.booking import calls
from services.booking.application.cancelling import Cancelling
from services.booking.application.due import Due
from services.booking.application.mailing import Mailing
from services.booking.application.saga.driver import Saga
from services.booking.application.saga.recovery import Recovery
from services.booking.domain.booking import Booking
from services.booking.domain.stock import Stock
from services.booking.neighbours import Identity, Wallet
from services.booking.projections import projections
from services.booking.publishing import publication
from services.booking.reactions import FOLLOWED, REACTIONS
from services.booking.storage import open_requests
from shared.eventstore import Connection, Engine, Store
from shared.kernel.time import Clock
from shared.messaging.bus import Bus
from shared.messaging.calls import by_name
from shared.notifications import Outbox, transports
from shared.runtime.service import Service, Task, Timer
from shared.runtime.settings import Settings

RECOVERY_SECONDS = 1.0
MAIL_SECONDS, IDLE_SECONDS = 0.2, 2.0
FORGET_SECONDS = 3_600.0


def build(settings: Settings, clock: Clock, bus: Bus, engine: Engine) -> Service:
    store = Store(engine, clock=clock, aggregates=[Booking, Stock], publication=publication, projections=projections())
    wallet, identity = Wallet(bus), Identity(bus)
    saga = Saga(store, wallet, settings.randomness())
    cancelling = Cancelling(store, wallet)
    due = Due(store, cancelling)
    outbox = Outbox("booking", store, transports(settings.mail_url, settings.sms_url, settings.push_url))
    mailing = Mailing(store, identity, outbox)

    def open_work(connection: Connection) -> int:
        return open_requests.count(connection) + mailing.open_work(connection)

    return Service(
        name="booking",
        store=store,
        commands=by_name(calls.commands(saga, cancelling, due, clock)),
        queries=by_name(calls.queries(store, clock, identity)),
        reactions=REACTIONS,
        followed=[FOLLOWED],
        timers=[
            Timer("automatic-validation", due.next_validation, due.validate),
            Timer("expiry", due.next_expiry, due.expire),
            Timer("expiry-warnings", due.next_warning, due.warn),
            Timer("reminders", due.next_eve, due.remind),
        ],
        tasks=[
            Task("recover-requests", RECOVERY_SECONDS, Recovery(store, saga).run),
            Task("write-mails", MAIL_SECONDS, mailing.write_due, IDLE_SECONDS),
            Task("send-mails", MAIL_SECONDS, outbox.send_due, IDLE_SECONDS),
            Task("forget-mails", FORGET_SECONDS, outbox.forget),
        ],
        open_work=open_work,
    )
