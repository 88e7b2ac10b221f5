"""Holding credit for bookings and giving it back: the hot commands, a whole batch in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from services.wallet.application import requests
from services.wallet.application.book import Book
from services.wallet.domain.errors import AnotherReservation
from services.wallet.domain.wallet import Key, Request
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError

T = TypeVar("T")


def reserve(tx: Transaction, calls: Sequence[Call]) -> list[Outcome]:
    """``{bookingId, attempt, personId, amountCents, digital, physical}`` → {} or the refusal, which stays.

    One statement locks all the wallets, in sorted order; the decisions are made one after the other in memory.
    """
    asked = [_parsed(call, requests.reservation) for call in calls]
    valid = [one for one in asked if not isinstance(one, DomainError)]
    book = Book.of(tx)
    book.need({person for person, _ in valid}, {request.key for _, request in valid})
    outcomes: list[Outcome] = [
        one if isinstance(one, DomainError) else _reserve(tx, book, person_id=one[0], request=one[1]) for one in asked
    ]
    book.save_all()
    return outcomes


def release(tx: Transaction, calls: Sequence[Call]) -> list[Outcome]:
    """``{bookingId, attempt, personId}`` → {}; before its reservation came it is barred, so that it takes nothing."""
    asked = [_parsed(call, requests.key) for call in calls]
    valid = [one for one in asked if not isinstance(one, DomainError)]
    book = Book.of(tx)
    book.need({person for person, _ in valid}, {key for _, key in valid})
    outcomes: list[Outcome] = [
        one if isinstance(one, DomainError) else _release(tx, book, person_id=one[0], key=one[1]) for one in asked
    ]
    book.save_all()
    return outcomes


def _reserve(tx: Transaction, book: Book, *, person_id: int, request: Request) -> Outcome:
    if request.amount == 0:  # what is free needs no credit, not even a live one
        return {}
    if book.is_of_another(request.key, person_id):
        return _another()
    refusal = book.open(person_id, tx.now).reserve(tx.now, request)
    return {} if refusal is None else refusal


def _release(tx: Transaction, book: Book, *, person_id: int, key: Key) -> Outcome:
    if book.is_of_another(key, person_id):
        return _another()
    book.open(person_id, tx.now).release(tx.now, key)
    return {}


def _another() -> AnotherReservation:
    return AnotherReservation("this attempt is another person's")


def _parsed(call: Call, parse: Callable[[Mapping[str, Any]], T]) -> tuple[int, T] | DomainError:
    """(person, what is asked). A malformed call is refused by itself: its neighbours are decided."""
    try:
        return requests.number(call.data, "personId"), parse(call.data)
    except DomainError as refusal:
        return refusal
