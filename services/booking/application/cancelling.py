"""Cancellations by the person, the desk and staff.

The transaction gives the places back. Then a call to wallet releases the credit at once, and wallet's reaction to
``BookingCancelled`` releases it if the call fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog

from services.booking import answers, refusals
from services.booking.application.loading import load_to_cancel
from services.booking.domain.booking import Booking
from services.booking.domain.desk import check_cancellable
from services.booking.domain.rules import read_countermark
from services.booking.domain.states import Reason, Status
from services.booking.neighbours import Wallet
from services.booking.projections.bookings import row_of
from services.booking.storage import bookings, live_bookings
from services.booking.storage.access import Access
from services.booking.storage.stocks import LockedStocks
from shared.contracts.calls import booking as calls
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call, Outcome

STAFF_REASONS = frozenset(Reason)
log = structlog.get_logger()
Decision = Callable[[Transaction, Call[Any]], Booking]
"""Checks and cancels a booking, or raises a refusal."""


def cancel_all(tx: Transaction, loaded: Iterable[Booking], reason: str, comment: str = "") -> list[Booking]:
    """Cancels those that are confirmed or used, gives their places back in one statement, and returns them.

    The caller holds the locks of their stocks: it loaded them with ``load_to_cancel``, or after ``LockedStocks.of``.
    """
    ended = [one for one in loaded if one.status in (Status.CONFIRMED, Status.USED)]
    stocks = LockedStocks.of(tx, [one.terms.stock_id for one in ended])
    for one in ended:
        stocks.give_back(one.terms.stock_id, one.terms.quantity, booked=True)
    for one in ended:
        one.cancel(tx.now, reason, stocks[one.terms.stock_id].remaining(), comment)
    stocks.write(tx.now)
    live_bookings.release(tx.connection, [one.booking_id for one in ended])
    tx.save(*ended)
    return ended


class Cancelling:
    """Each command decides and stores its outcome in one transaction, and then releases the credit, which may fail."""

    def __init__(self, store: Store, wallet: Wallet) -> None:
        self._store, self._wallet = store, wallet

    def by_person(self, call: Call[calls.Cancel]) -> Outcome:
        return self._decide(call, _by_person, shows=True)

    def by_staff(self, call: Call[calls.StaffCancel]) -> Outcome:
        return self._decide(call, _by_staff, shows=True)

    def by_desk(self, call: Call[calls.DeskCancel]) -> Outcome:
        return self._decide(call, _by_desk, shows=False)

    def release(self, cancelled: Sequence[Booking]) -> None:
        """Releases the credits at once, so that people see it. The message releases those that fail here."""
        paid = [one for one in cancelled if one.terms.total > 0]
        failed = [answer for answer in self._wallet.release(paid) if answer is not None]
        if failed:
            log.info("credit is released by message", count=len(failed), why=failed[0].code)

    def _decide(self, call: Call[Any], decision: Decision, *, shows: bool) -> Outcome:
        """``shows``: the outcome is the booking."""

        def work(tx: Transaction) -> Outcome:
            booking = decision(tx, call)
            tx.after_commit(lambda: self.release([booking]))
            if not shows:
                return {}
            place = bookings.by_numbers(tx.connection, [booking.booking_id])[booking.booking_id]
            return answers.booking(row_of(booking), place, tx.now)

        return self._store.decide(call, work)


def _booking(tx: Transaction, number: int) -> Booking | None:
    return next(iter(load_to_cancel(tx, [number])), None)


def _by_person(tx: Transaction, call: Call[calls.Cancel]) -> Booking:
    booking = _booking(tx, call.body.booking_id)
    person = call.caller.account_id if call.caller else None
    if booking is None or booking.person_id != person or not booking.countermark:
        raise refusals.UnknownBooking
    booking.check_cancellable_by_person(tx.now)
    return cancel_all(tx, [booking], Reason.BENEFICIARY)[0]


def _by_staff(tx: Transaction, call: Call[calls.StaffCancel]) -> Booking:
    booking, reason = _booking(tx, call.body.booking_id), call.body.reason
    if booking is None or not booking.countermark:
        raise refusals.UnknownBooking
    booking.check_cancellable_by_staff()
    named = reason if reason in STAFF_REASONS else Reason.BACKOFFICE
    return cancel_all(tx, [booking], named, comment=reason)[0]


def _by_desk(tx: Transaction, call: Call[calls.DeskCancel]) -> Booking:
    mark = read_countermark(call.body.countermark)
    row = bookings.by_countermarks(tx.connection, [mark]).get(mark) if mark else None
    if row is None:
        raise refusals.UnknownCountermark
    if not Access(tx.connection, [call.caller]).allows(call.caller, row.offerer_id):
        raise refusals.NotYours
    booking = load_to_cancel(tx, [row.booking_id])[0]
    check_cancellable(booking)
    return cancel_all(tx, [booking], Reason.OFFERER)[0]
