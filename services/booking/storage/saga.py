"""The reads of the saga's transactions: locked in one order, people before stocks, and combined in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from services.booking.domain.booking import Booking
from services.booking.storage import live_bookings, open_requests, references, stocks
from services.booking.storage.stocks import LockedStocks
from shared.eventstore import Transaction
from shared.eventstore.combined import CombinedSelect
from shared.eventstore.outcomes import KNOWN, Call, Outcome, keys_of, known_outcomes


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The keys of calls that came before."""

    outcomes: dict[tuple[str, str], Outcome]
    """Stored outcomes by (owner, key)."""
    open: Sequence[Any]
    """The rows of open requests."""


@dataclass(frozen=True, slots=True)
class OpeningState:
    """What transaction 1 decides on."""

    beneficiaries: set[int]
    """The people who may book."""
    stocks: LockedStocks
    keys: KnownKeys
    claimed: set[tuple[int, int]]
    """(person, offer) of live bookings."""


@dataclass(frozen=True, slots=True)
class AnsweringState:
    """What transaction 3 decides on."""

    still_open: set[int]
    """The requests that no other process has answered."""
    beneficiaries: set[int]
    stocks: LockedStocks


_KEYS = CombinedSelect(known=KNOWN, open=open_requests.OPEN_BY_KEY)
_OPENING = CombinedSelect(
    people=references.MAY_BOOK,
    stocks=stocks.LOCKED_STOCKS,
    claimed=live_bookings.CLAIMED_AT_STOCKS,
    known=KNOWN,
    open=open_requests.OPEN_BY_KEY,
)
_ANSWERING = CombinedSelect(
    still_open=open_requests.STILL_OPEN, people=references.MAY_BOOK, stocks=stocks.LOCKED_STOCKS
)


def read_keys(tx: Transaction, calls: Sequence[Call[Any]]) -> KnownKeys:
    keyed = _keyed(calls)
    found = _KEYS.read(tx.connection, keys_of(keyed))
    return KnownKeys(known_outcomes(keyed, found["known"]), found["open"])


def read_to_open(tx: Transaction, calls: Sequence[Call[Any]], wanted: Collection[tuple[int, int]]) -> OpeningState:
    """``wanted``: the (person, stock) of the calls.

    The keys are read under the locks of the stocks: a key sent twice at the same time finds its own request.
    """
    people, stock_ids = {person for person, _ in wanted}, {stock for _, stock in wanted}
    references.lock_people(tx.connection, people)
    stocks.lock(tx.connection, "stock_id", stock_ids)
    keyed = _keyed(calls)
    values = {
        "people": people,
        "stock_ids": stock_ids,
        "bookers": [person for person, _ in wanted],
        "booked_stocks": [stock for _, stock in wanted],
        **keys_of(keyed),
    }
    found = _OPENING.read(tx.connection, values)
    return OpeningState(
        beneficiaries={row.person_id for row in found["people"]},
        stocks=LockedStocks(tx, found["stocks"]),
        keys=KnownKeys(known_outcomes(keyed, found["known"]), found["open"]),
        claimed={(row.person_id, row.offer_id) for row in found["claimed"]},
    )


def read_to_answer(tx: Transaction, bookings: Collection[Booking]) -> AnsweringState:
    numbers, people = {one.booking_id for one in bookings}, {one.person_id for one in bookings}
    stock_ids = {one.terms.stock_id for one in bookings}
    open_requests.lock(tx.connection, numbers)
    references.lock_people(tx.connection, people)
    stocks.lock(tx.connection, "stock_id", stock_ids)
    found = _ANSWERING.read(tx.connection, {"booking_ids": numbers, "people": people, "stock_ids": stock_ids})
    return AnsweringState(
        still_open={row.booking_id for row in found["still_open"]},
        beneficiaries={row.person_id for row in found["people"]},
        stocks=LockedStocks(tx, found["stocks"]),
    )


def _keyed(calls: Sequence[Call[Any]]) -> list[Call[Any]]:
    return [call for call in calls if call.key is not None]
