"""Which use case handles which call of booking."""

from __future__ import annotations

from services.booking.application import stocks
from services.booking.application.cancelling import Cancelling
from services.booking.application.desk import Desk
from services.booking.application.due import Due
from services.booking.application.ledger import Ledger
from services.booking.application.reading import Reading
from services.booking.application.requests import Requests
from shared.contracts.calls import booking as calls
from shared.messaging.calls import CommandHandler, QueryHandler, bulk, calling, each, one, read, read_many, resuming


def commands(requests: Requests, cancelling: Cancelling, desk: Desk, due: Due) -> list[CommandHandler]:
    return [
        resuming(calls.Book, requests.book),
        each(calls.Cancel, cancelling.by_person),
        bulk(calls.DeskUse, desk.use),
        bulk(calls.DeskKeep, desk.keep),
        each(calls.DeskCancel, cancelling.at_the_desk),
        one(calls.SetQuantity, stocks.set_quantity),
        each(calls.StaffCancel, cancelling.by_staff),
        resuming(calls.StaffRestore, requests.restore),
        each(calls.ValidateDue, due.validate_due),
    ]


def queries(reading: Reading, desk: Desk, ledger: Ledger) -> list[QueryHandler]:
    return [
        read_many(calls.Booking, reading.booking),
        read(calls.Bookings, reading.bookings),
        read_many(calls.DeskLookUp, desk.look_up),
        read(calls.OfferBookings, reading.of_offer),
        read(calls.Counters, reading.counters),
        calling(calls.Recap, reading.recap),
        read(calls.Ledger, ledger.read),
    ]
