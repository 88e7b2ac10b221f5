"""Transaction 3: confirms or rejects requests. Transaction 1 answers free bookings the same way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.booking import answers, refusals
from services.booking.application.saga.countermarks import Countermarks
from services.booking.domain.booking import Booking
from services.booking.domain.states import Reason, Status
from services.booking.neighbours import CreditAnswer
from services.booking.projections.bookings import row_of
from services.booking.storage import activation_codes, live_bookings, open_requests
from services.booking.storage.saga import read_to_answer
from services.booking.storage.stocks import LockedStock, LockedStocks
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Outcome

Answered = Sequence[tuple[Booking, CreditAnswer]]


class Answering:
    def __init__(self, countermarks: Countermarks) -> None:
        self._countermarks = countermarks

    def open(self, tx: Transaction, stocks: LockedStocks, bookings: dict[int, Booking]) -> dict[int, Outcome]:
        """Claims the offers for their people, opens the requests that need credit and answers the free ones.

        Returns the outcomes of the free ones.
        """
        live_bookings.claim(tx.connection, bookings.values())
        free = {index: booking for index, booking in bookings.items() if booking.terms.total == 0}
        beneficiaries = {booking.person_id for booking in free.values()}  # this transaction has checked them
        self._answer(tx, stocks, [(booking, _without_credit(booking)) for booking in free.values()], beneficiaries)
        open_requests.add(tx.connection, [booking for booking in bookings.values() if booking.terms.total > 0])
        stocks.write(tx.now)
        tx.save(*bookings.values())
        return {index: _outcome(booking, stocks, tx.now) for index, booking in free.items()}

    def close(self, tx: Transaction, answered: Answered) -> dict[int, Outcome]:
        """Transaction 3. Returns the outcomes by booking number, without those that another process has stored."""
        state = read_to_answer(tx, [booking for booking, _ in answered])
        pairs = [(booking, answer) for booking, answer in answered if booking.booking_id in state.still_open]
        if tx.attempt > 1:  # the rollback undid the rows, not the decisions in these objects
            loaded = tx.get_many(Booking, [booking.id for booking, _ in pairs])
            pairs = [(loaded[booking.id], answer) for booking, answer in pairs]
        calls = {booking.booking_id: open_requests.call_of(booking.open_command) for booking, _ in pairs}
        self._answer(tx, state.stocks, pairs, state.beneficiaries)
        state.stocks.write(tx.now)
        open_requests.remove(tx.connection, state.still_open)
        tx.save(*(booking for booking, _ in pairs))
        outcomes = {
            booking.booking_id: _outcome(booking, state.stocks, tx.now) if answer is None else answer
            for booking, answer in pairs
        }
        tx.outcomes.store_many([(calls[number], outcome) for number, outcome in outcomes.items()])
        return outcomes

    def _answer(self, tx: Transaction, stocks: LockedStocks, answered: Answered, beneficiaries: set[int]) -> None:
        """Confirms or rejects requests and counts their places.

        A confirmed booking is cancelled or moved at once when its stock or person has changed since the request.
        ``beneficiaries``: the people who may book now.
        """
        for booking, answer in answered:
            row = stocks[booking.terms.stock_id].row
            if answer is None and (booking.restore_command or _ended_meanwhile(booking, row, beneficiaries) is None):
                stocks.book(booking.terms.stock_id, booking.terms.quantity)
            else:
                stocks.give_back(booking.terms.stock_id, booking.terms.quantity, booked=False)
        confirmed = [one for one, answer in answered if answer is None and one.restore_command is None]
        marks = self._countermarks.draw(tx, confirmed)
        for booking, answer in answered:
            stock = stocks[booking.terms.stock_id]
            _decide(tx.now, stock, booking, answer, marks.get(booking.booking_id, ""), beneficiaries)
        ended = [one for one, _ in answered if one.status in (Status.REJECTED, Status.CANCELLED)]
        live_bookings.release(tx.connection, [one.booking_id for one in ended])
        # the person of a cancelled booking may have seen its code: only rejected ones return theirs
        unseen = [one for one in ended if one.status == Status.REJECTED and one.activation_code is not None]
        activation_codes.take_back(tx.connection, [one.booking_id for one in unseen])


def _decide(
    now: datetime, stock: LockedStock, booking: Booking, answer: CreditAnswer, mark: str, beneficiaries: set[int]
) -> None:
    if answer is not None:
        booking.reject(now, answer.code, answer.status, answer.detail)
    elif booking.restore_command is not None:
        booking.restore(now, stock.remaining())
    else:
        booking.confirm(now, mark, stock.remaining())
        _catch_up(now, booking, stock, beneficiaries)


def _ended_meanwhile(booking: Booking, row: Any, beneficiaries: set[int]) -> Reason | None:
    """Why a booking must be cancelled as soon as it is confirmed: during the call to wallet, the stock or its offer was
    withdrawn, the structure closed or the person suspended. The reactions that cancel bookings then do not see an open
    request."""
    if row.is_withdrawn or not row.is_released:
        return Reason.OFFERER
    return None if booking.person_id in beneficiaries else Reason.BACKOFFICE


def _catch_up(now: datetime, booking: Booking, stock: LockedStock, beneficiaries: set[int]) -> None:
    """Applies changes of the stock, its event and the person that came during the call to wallet."""
    row = stock.row
    ended = _ended_meanwhile(booking, row, beneficiaries)
    if ended is not None:
        booking.cancel(now, ended, stock.remaining())
    elif row.beginning_at is not None and row.beginning_at != booking.beginning_at:
        booking.move(now, row.beginning_at)


def _outcome(booking: Booking, stocks: LockedStocks, now: datetime) -> Outcome:
    if booking.status == Status.REJECTED:
        return refusals.NoActivationCode()
    return answers.booking(row_of(booking), stocks[booking.terms.stock_id].row, now)


def _without_credit(booking: Booking) -> CreditAnswer:
    return refusals.NoActivationCode() if booking.lacks_code else None
