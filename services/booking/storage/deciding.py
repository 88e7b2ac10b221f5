"""What the two transactions of a booking decide on: held in one order, people before stocks, and read in one go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from services.booking.storage import facts, places
from services.booking.storage.places import Shelf
from services.booking.storage.tables import open_requests
from shared.eventstore import Transaction, sql
from shared.eventstore.combined import CombinedSelect
from shared.eventstore.outcomes import KNOWN, Call, Outcome, keys_of, known_outcomes


@dataclass(frozen=True, slots=True)
class AtRequest:
    """What stands when a booking is asked for."""

    beneficiaries: set[int]
    """Who may book."""
    shelf: Shelf
    known: dict[tuple[str, str], Outcome]
    """What was answered before, by (owner, key)."""
    open: Sequence[Any]
    """The requests of the same keys that are under way."""
    live: set[tuple[int, int]]
    """(person, offer) of bookings that are not cancelled."""


@dataclass(frozen=True, slots=True)
class AtAnswer:
    """What stands when wallet has answered."""

    still: set[int]
    """The requests that nobody closed meanwhile."""
    beneficiaries: set[int]
    shelf: Shelf


_KEYS = CombinedSelect(known=KNOWN, open=places.OPEN_BY_KEY)
_AT_REQUEST = CombinedSelect(
    people=facts.MAY_BOOK,
    stocks=places.LOCKED_STOCKS,
    live=places.LIVE_AT_STOCKS,
    known=KNOWN,
    open=places.OPEN_BY_KEY,
)
_AT_ANSWER = CombinedSelect(still=places.STILL_OPEN, people=facts.MAY_BOOK, stocks=places.LOCKED_STOCKS)


def of_keys(tx: Transaction, calls: Sequence[Call[Any]]) -> tuple[dict[tuple[str, str], Outcome], Sequence[Any]]:
    """What was answered to the calls' keys, and which of them are under way."""
    keyed = _keyed(calls)
    found = _KEYS.read(tx.connection, keys_of(keyed))
    return known_outcomes(keyed, found["known"]), found["open"]


def at_request(tx: Transaction, calls: Sequence[Call[Any]], wanted: Collection[tuple[int, int]]) -> AtRequest:
    """``wanted``: the (person, stock) of the calls.

    The keys are read under the locks of the stocks: one that is sent twice at once finds its own request.
    """
    people, stocks = {person for person, _ in wanted}, {stock for _, stock in wanted}
    facts.lock_people(tx.connection, people)
    places.lock(tx.connection, "stock_id", stocks)
    keyed = _keyed(calls)
    values = {
        "people": people,
        "stock_ids": stocks,
        "bookers": [person for person, _ in wanted],
        "booked_stocks": [stock for _, stock in wanted],
        **keys_of(keyed),
    }
    found = _AT_REQUEST.read(tx.connection, values)
    return AtRequest(
        beneficiaries={row.person_id for row in found["people"]},
        shelf=Shelf(tx, found["stocks"]),
        known=known_outcomes(keyed, found["known"]),
        open=found["open"],
        live={(row.person_id, row.offer_id) for row in found["live"]},
    )


def at_answer(tx: Transaction, numbers: Collection[int], people: Collection[int], stocks: Collection[int]) -> AtAnswer:
    """``numbers``: of the requests, whose people and stocks are given."""
    sql.lock_rows(tx.connection, open_requests, "booking_id", numbers)  # of two who would close one, one does
    facts.lock_people(tx.connection, people)
    places.lock(tx.connection, "stock_id", stocks)
    found = _AT_ANSWER.read(tx.connection, {"booking_ids": numbers, "people": people, "stock_ids": stocks})
    return AtAnswer(
        still={row.booking_id for row in found["still"]},
        beneficiaries={row.person_id for row in found["people"]},
        shelf=Shelf(tx, found["stocks"]),
    )


def _keyed(calls: Sequence[Call[Any]]) -> list[Call[Any]]:
    return [call for call in calls if call.key is not None]
