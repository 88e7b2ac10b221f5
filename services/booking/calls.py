"""Which use case handles which call of booking."""

from __future__ import annotations

from services.booking.application import stocks
from services.booking.application.cancelling import Cancelling
from services.booking.application.counters import Counters
from services.booking.application.desk import Desk
from services.booking.application.due import Due
from services.booking.application.ledger import Ledger
from services.booking.application.offer_bookings import OfferBookings
from services.booking.application.own_bookings import OwnBookings
from services.booking.application.recap import Recap
from services.booking.application.saga.driver import Saga
from services.booking.neighbours import Identity
from shared.contracts.calls import booking as calls
from shared.eventstore import Store
from shared.kernel.time import Clock
from shared.messaging.calls import CommandHandler, QueryHandler, bulk, calling, each, one, read, read_many, resuming


def commands(saga: Saga, cancelling: Cancelling, due: Due, clock: Clock) -> list[CommandHandler]:
    desk = Desk(clock)
    return [
        resuming(calls.Book, saga.book),
        each(calls.Cancel, cancelling.by_person),
        bulk(calls.DeskUse, desk.use),
        bulk(calls.DeskKeep, desk.keep),
        each(calls.DeskCancel, cancelling.by_desk),
        one(calls.SetQuantity, stocks.set_quantity),
        each(calls.StaffCancel, cancelling.by_staff),
        resuming(calls.StaffRestore, saga.restore),
        each(calls.ValidateDue, due.validate_due),
    ]


def queries(store: Store, clock: Clock, identity: Identity) -> list[QueryHandler]:
    own = OwnBookings(clock)
    return [
        read_many(calls.Booking, own.booking),
        read(calls.Bookings, own.bookings),
        read_many(calls.DeskLookUp, Desk(clock).look_up),
        read(calls.OfferBookings, OfferBookings(clock).of_offer),
        read(calls.Counters, Counters(clock).counters),
        calling(calls.Recap, Recap(store, clock, identity).recap),
        read(calls.Ledger, Ledger(store).read),
    ]
