"""Cancellations. Their transaction gives the places back; then a call to wallet releases the credit at once, and the
message releases it for certain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog

from services.booking.domain import errors
from services.booking.domain.booking import Booking, Reason, Status, check_cancellable_at_the_desk
from services.booking.domain.rules import read_countermark
from services.booking.neighbours import Wallet
from services.booking.projections import row_of
from services.booking.shapes import booking_shape
from services.booking.storage import bookings as stored
from services.booking.storage import places
from services.booking.storage.facts import Access
from services.booking.storage.places import Shelf
from shared.contracts.calls import booking as calls
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.identifiers import stream_id

STAFF_REASONS = frozenset(Reason)
log = structlog.get_logger()
Decision = Callable[[Transaction, Call[Any]], Booking]
"""Checks and cancels a booking, or raises a refusal."""


def cancel_all(tx: Transaction, bookings: Iterable[Booking], reason: str, comment: str = "") -> list[Booking]:
    """Cancels those that are confirmed or used, gives their places back in one statement, and returns them.

    The caller holds the locks of their stocks: it loaded them with ``load_to_cancel``, or after ``Shelf.of``.
    """
    ended = [one for one in bookings if one.status in (Status.CONFIRMED, Status.USED)]
    shelf = Shelf.of(tx, [one.terms.stock_id for one in ended])
    for one in ended:
        shelf.give_back(one.terms.stock_id, one.terms.quantity, booked=True)
    for one in ended:
        one.cancel(tx.now, reason, shelf[one.terms.stock_id].remaining(), comment)
    shelf.write(tx.now)
    places.release_live(tx.connection, [one.booking_id for one in ended])
    tx.save(*ended)
    return ended


def load_to_cancel(tx: Transaction, numbers: Sequence[int]) -> list[Booking]:
    """``load``, after locking their stocks."""
    if numbers:
        places.lock_of_bookings(tx.connection, numbers)
    return load(tx, numbers)


def load(tx: Transaction, numbers: Iterable[int]) -> list[Booking]:
    """The bookings with these numbers, in the same order."""
    streams = [stream_id("booking", number) for number in numbers]
    loaded = tx.get_many(Booking, streams)
    return [loaded[stream] for stream in streams if stream in loaded]


class Cancelling:
    """Each command decides and stores its outcome in one transaction, and then releases the credit, which may fail."""

    def __init__(self, store: Store, wallet: Wallet) -> None:
        self._store, self._wallet = store, wallet

    def by_person(self, call: Call[calls.Cancel]) -> Outcome:
        return self._decide(call, _by_person, shaped=True)

    def by_staff(self, call: Call[calls.StaffCancel]) -> Outcome:
        return self._decide(call, _by_staff, shaped=True)

    def at_the_desk(self, call: Call[calls.DeskCancel]) -> Outcome:
        return self._decide(call, _at_the_desk, shaped=False)

    def release(self, bookings: Sequence[Booking]) -> None:
        """Releases the credits at once, so that people see it. The message releases those that fail here."""
        paid = [one for one in bookings if one.terms.total > 0]
        unanswered = [answer for answer in self._wallet.release(paid) if answer is not None]
        if unanswered:
            log.info("credit is released by message", count=len(unanswered), why=unanswered[0].code)

    def _decide(self, call: Call[Any], decision: Decision, *, shaped: bool) -> Outcome:
        def work(tx: Transaction) -> Outcome:
            booking = decision(tx, call)
            tx.after_commit(lambda: self.release([booking]))
            return _answer(tx, booking) if shaped else {}

        return self._store.decide(call, work)


def _answer(tx: Transaction, booking: Booking) -> dict[str, Any]:
    place = stored.by_numbers(tx.connection, [booking.booking_id])[booking.booking_id]
    return booking_shape(row_of(booking), place, tx.now)


def _booking(tx: Transaction, number: int) -> Booking | None:
    return next(iter(load_to_cancel(tx, [number])), None)


def _by_person(tx: Transaction, call: Call[calls.Cancel]) -> Booking:
    booking = _booking(tx, call.body.booking_id)
    person = call.caller.account_id if call.caller else None
    if booking is None or booking.person_id != person or not booking.countermark:
        raise errors.UnknownBooking
    booking.check_cancellable_by_person(tx.now)
    return cancel_all(tx, [booking], Reason.BENEFICIARY)[0]


def _by_staff(tx: Transaction, call: Call[calls.StaffCancel]) -> Booking:
    booking, reason = _booking(tx, call.body.booking_id), call.body.reason
    if booking is None or not booking.countermark:
        raise errors.UnknownBooking
    booking.check_cancellable_by_staff()
    named = reason if reason in STAFF_REASONS else Reason.BACKOFFICE
    return cancel_all(tx, [booking], named, comment=reason)[0]


def _at_the_desk(tx: Transaction, call: Call[calls.DeskCancel]) -> Booking:
    mark = read_countermark(call.body.countermark)
    row = stored.by_countermarks(tx.connection, [mark]).get(mark) if mark else None
    if row is None:
        raise errors.UnknownCountermark
    if not Access(tx.connection, [call.caller]).allows(call.caller, row.offerer_id):
        raise errors.NotYours
    booking = load_to_cancel(tx, [row.booking_id])[0]
    check_cancellable_at_the_desk(booking)
    return cancel_all(tx, [booking], Reason.OFFERER)[0]
