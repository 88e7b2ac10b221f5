"""Holding credit for bookings and giving it back: the hot commands, a whole batch in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from services.wallet.application.book import Book
from services.wallet.domain.errors import AnotherReservation
from services.wallet.domain.wallet import Key, Request
from shared.contracts.calls import wallet as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Outcome


def reserve(tx: Transaction, batch: Sequence[Call[calls.Reserve]]) -> list[Outcome]:
    """One statement locks all the wallets, in sorted order; the decisions are made one after the other in memory."""
    book = _book(tx, batch)
    outcomes = [_reserve(tx, book, call.body) for call in batch]
    book.save_all()
    return outcomes


def release(tx: Transaction, batch: Sequence[Call[calls.Release]]) -> list[Outcome]:
    book = _book(tx, batch)
    outcomes = [_release(tx, book, call.body) for call in batch]
    book.save_all()
    return outcomes


def _book(tx: Transaction, batch: Sequence[Call[calls.Reserve]] | Sequence[Call[calls.Release]]) -> Book:
    book = Book.of(tx)
    book.need({call.body.person_id for call in batch}, {_key(call.body) for call in batch})
    return book


def _key(command: calls.Reserve | calls.Release) -> Key:
    return command.booking_id, command.attempt


def _reserve(tx: Transaction, book: Book, command: calls.Reserve) -> Outcome:
    if command.amount == 0:  # what is free needs no credit, not even a live one
        return {}
    if book.is_of_another(_key(command), command.person_id):
        return _another()
    request = Request(command.booking_id, command.attempt, command.amount, command.digital, command.physical)
    refusal = book.open(command.person_id, tx.now).reserve(tx.now, request)
    return {} if refusal is None else refusal


def _release(tx: Transaction, book: Book, command: calls.Release) -> Outcome:
    if book.is_of_another(_key(command), command.person_id):
        return _another()
    book.open(command.person_id, tx.now).release(tx.now, _key(command))
    return {}


def _another() -> AnotherReservation:
    return AnotherReservation("this attempt is another person's")
