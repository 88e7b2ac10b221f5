"""People are suspended or erased: they book no more, and some of their bookings are cancelled."""

from __future__ import annotations

from datetime import datetime

from services.booking.application.cancelling import cancel_all
from services.booking.application.loading import load_to_cancel
from services.booking.domain.states import Reason
from services.booking.storage import bookings, references, stocks
from shared.eventstore import Message, Transaction

FRAUD, UPON_REQUEST = "FRAUD", "UPON_USER_REQUEST"
"""Suspensions for other reasons cancel nothing (domain.md §1.4)."""


def suspend(tx: Transaction, message: Message) -> None:
    person_id, reason = message.data["personId"], message.data["reason"]
    references.keep_person(tx.connection, person_id, is_suspended=True)
    if reason == UPON_REQUEST:
        _cancel_before_limits(tx, person_id, message.occurred_at)
    if reason == FRAUD:
        cancel_all(tx, load_to_cancel(tx, bookings.unused_of_person(tx.connection, person_id)), Reason.FRAUD)
        for offerer_id in references.without_colleagues(tx.connection, person_id):
            _cancel_for_fraud(tx, offerer_id)


def erase(tx: Transaction, message: Message) -> None:
    """Cancels the bookings that the person could still cancel."""
    person_id = message.data["personId"]
    references.keep_person(tx.connection, person_id, is_suspended=True)
    _cancel_before_limits(tx, person_id, message.occurred_at)


def _cancel_before_limits(tx: Transaction, person_id: int, at: datetime) -> None:
    """The other bookings are final: the desk or the timer validates them."""
    numbers = bookings.cancellable_by_person(tx.connection, person_id, at)
    cancel_all(tx, load_to_cancel(tx, numbers), Reason.BENEFICIARY)


def _cancel_for_fraud(tx: Transaction, offerer_id: int) -> None:
    """Everybody who works for the structure is suspended: cancels its unused bookings (domain.md §1.4)."""
    stocks.lock_of_offerer(tx.connection, offerer_id)
    numbers = bookings.unused_of_venues(tx.connection, references.venues_of(tx.connection, [offerer_id]))
    cancel_all(tx, load_to_cancel(tx, numbers), Reason.FRAUD)
