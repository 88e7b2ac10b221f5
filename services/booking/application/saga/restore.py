"""Transaction 1 of a restore: staff take cancellations back, and the credit is reserved again."""

from __future__ import annotations

from services.booking import refusals
from services.booking.application.saga.answer import Answering
from services.booking.application.saga.batch import Batch, command_of
from services.booking.domain.booking import Booking
from services.booking.storage import live_bookings
from services.booking.storage.saga import read_keys
from services.booking.storage.stocks import LockedStocks
from shared.contracts.calls import booking as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import stream_id


def open_restores(tx: Transaction, batch: Batch, answering: Answering) -> None:
    batch.resume(tx, read_keys(tx, batch.calls))
    decided: dict[int, Outcome] = {}
    found: dict[int, Booking] = {}
    for index, call in batch.fresh():
        try:
            found[index] = _restorable(tx, call)
        except DomainError as refusal:
            decided[index] = refusal
    stocks = LockedStocks.of(tx, [booking.terms.stock_id for booking in found.values()])
    claimed = live_bookings.claimed(tx.connection, [(one.person_id, one.terms.offer_id) for one in found.values()])
    for index, booking in list(found.items()):
        no_room = _no_room(stocks, claimed, booking)
        if no_room is None:
            booking.request_restore(tx.now, command_of(batch.calls[index]))
        else:
            decided[index] = no_room
            del found[index]
    decided |= answering.open(tx, stocks, found)
    batch.decide(tx, found, decided)


def _restorable(tx: Transaction, call: Call[calls.StaffRestore]) -> Booking:
    booking = tx.get(Booking, stream_id("booking", call.body.booking_id))
    if booking is None or not booking.countermark:
        raise refusals.UnknownBooking
    booking.check_restorable()
    return booking


def _no_room(stocks: LockedStocks, claimed: set[tuple[int, int]], booking: Booking) -> DomainError | None:
    """A restore needs free places; it ignores the booking limit and a withdrawal."""
    pair = (booking.person_id, booking.terms.offer_id)
    if pair in claimed:
        return refusals.AlreadyBooked("Cette personne a réservé de nouveau cette offre.")
    if not stocks.set_aside(booking.terms.stock_id, booking.terms.quantity):
        return refusals.StockNotBookable("Il ne reste pas assez de places.")
    claimed.add(pair)
    return None
