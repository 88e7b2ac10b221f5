"""Claims: at most one live booking (requested, confirmed or used) per person and offer, by a primary key."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from services.booking.domain.booking import Booking
from services.booking.storage.tables import live_bookings, stocks
from shared.eventstore import sql

_COLUMNS = live_bookings.c.person_id, live_bookings.c.offer_id
_CLAIMED = sa.select(*_COLUMNS).where(sql.pair_among_given(*_COLUMNS, ("people", "offers")))
_BOOKER = sql.unnested_pairs(("bookers", "booked_stocks"))
_CLAIMED_OFFER = (
    sa.select(live_bookings.c.offer_id)
    .join(stocks, stocks.c.offer_id == live_bookings.c.offer_id)
    .where(live_bookings.c.person_id == _BOOKER.c.one, stocks.c.stock_id == _BOOKER.c.other)
)
CLAIMED_AT_STOCKS = sa.select(_BOOKER.c.one.label("person_id"), _CLAIMED_OFFER.scalar_subquery().label("offer_id"))
"""For each (person, stock): the person, with the stock's offer if the person has a live booking of it, else NULL."""


def claimed(connection: sa.Connection, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """The pairs of (person, offer) that have a live booking."""
    if not pairs:
        return set()
    people, of = zip(*pairs, strict=True)
    found = connection.execute(_CLAIMED, {"people": people, "offers": of})
    return {(row.person_id, row.offer_id) for row in found}


def claim(connection: sa.Connection, bookings: Iterable[Booking]) -> None:
    """Claims the offer of each booking for its person. An existing claim is a conflict, which ends the transaction."""
    claims = sorted(
        (
            {"person_id": one.person_id, "offer_id": one.terms.offer_id, "booking_id": one.booking_id}
            for one in bookings
        ),
        key=lambda claim: (claim["person_id"], claim["offer_id"]),
    )
    sql.insert_many(connection, live_bookings, claims)


def release(connection: sa.Connection, booking_ids: Iterable[int]) -> None:
    """The bookings are rejected or cancelled: their people may book the offers again."""
    sql.delete_many(connection, live_bookings, "booking_id", booking_ids)
