"""Booking reserves and releases credit: the hot commands, a whole batch in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from services.wallet.application.unit_of_work import UnitOfWork
from services.wallet.domain.wallet import Key, Reservation
from services.wallet.refusals import ReservationDiffers
from shared.contracts.calls import wallet as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Outcome


def reserve(tx: Transaction, batch: Sequence[Call[calls.Reserve]]) -> list[Outcome]:
    """One statement locks all wallets, in sorted order; the decisions are made one by one in memory."""
    work = _load(tx, batch)
    outcomes = [_reserve(tx, work, call.body) for call in batch]
    work.save_all()
    return outcomes


def release(tx: Transaction, batch: Sequence[Call[calls.Release]]) -> list[Outcome]:
    work = _load(tx, batch)
    outcomes = [_release(tx, work, call.body) for call in batch]
    work.save_all()
    return outcomes


def _load(tx: Transaction, batch: Sequence[Call[calls.Reserve]] | Sequence[Call[calls.Release]]) -> UnitOfWork:
    work = UnitOfWork.of(tx)
    work.load({call.body.person_id for call in batch}, {_key(call.body) for call in batch})
    return work


def _key(command: calls.Reserve | calls.Release) -> Key:
    return command.booking_id, command.attempt


def _reserve(tx: Transaction, work: UnitOfWork, command: calls.Reserve) -> Outcome:
    if command.amount == 0:  # a free booking needs no credit, not even a live one
        return {}
    if work.is_of_another(_key(command), command.person_id):
        return ReservationDiffers()
    reservation = Reservation(command.booking_id, command.attempt, command.amount, command.digital, command.physical)
    refusal = work.find_or_open(command.person_id, tx.now).reserve(tx.now, reservation)
    return {} if refusal is None else refusal


def _release(tx: Transaction, work: UnitOfWork, command: calls.Release) -> Outcome:
    if work.is_of_another(_key(command), command.person_id):
        return ReservationDiffers()
    work.find_or_open(command.person_id, tx.now).release(tx.now, _key(command))
    return {}
