"""The guards: places of stocks under lock, live bookings, countermarks, open requests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.domain.booking import Booking
from services.booking.domain.stock import Stock
from services.booking.storage.tables import (
    activation_codes,
    countermarks,
    live_bookings,
    offers,
    open_requests,
    shut_offerers,
    stocks,
    venues,
)
from shared.eventstore import Transaction, sql
from shared.eventstore.batching import queue
from shared.kernel.identifiers import stream_id

_COLUMNS = (
    *stocks.c,
    offers.c.name.label("offer_name"),
    offers.c.subcategory,
    offers.c.is_duo,
    offers.c.is_digital,
    offers.c.url,
    offers.c.withdrawal_details,
    sa.and_(offers.c.is_published, shut_offerers.c.offerer_id.is_(None)).label("is_released"),
    venues.c.name.label("venue_name"),
    venues.c.establishment,
    venues.c.address,
    venues.c.postal_code,
    venues.c.city,
)


@dataclass(slots=True)
class Held:
    """A locked stock: its row with its offer and venue, and what this transaction changes of its counts."""

    row: Any
    taken: int = 0
    booked: int = 0

    def remaining_to_take(self) -> int | None:
        if self.row.quantity is None:
            return None
        return int(self.row.quantity - self.row.taken - self.taken)

    def remaining(self) -> int | None:
        """What the others are told: open requests not counted."""
        if self.row.quantity is None:
            return None
        return int(self.row.quantity - self.row.booked - self.booked)

    def was_remaining(self) -> int | None:
        return None if self.row.quantity is None else int(self.row.quantity - self.row.booked)


class Shelf:
    """Stocks locked in the order of their numbers for the rest of a transaction, and the changes of their counts.

    Decisions are taken in memory, under the lock; ``write`` stores them in one statement, and the table's own check is
    the second guard.
    """

    def __init__(self, tx: Transaction, rows: Sequence[Any]) -> None:
        """``rows`` of ``LOCKED_STOCKS``, read after ``lock``."""
        self._tx = tx
        self._held = {row.stock_id: Held(row) for row in rows}

    @classmethod
    def of(cls, tx: Transaction, stock_ids: Iterable[int]) -> Shelf:
        """Locks the stocks and reads them."""
        wanted = sorted(set(stock_ids))
        if not wanted:
            return cls(tx, [])
        lock(tx.connection, "stock_id", wanted)
        return cls(tx, tx.connection.execute(LOCKED_STOCKS, {"stock_ids": wanted}).all())

    def get(self, stock_id: int) -> Held | None:
        return self._held.get(stock_id)

    def __getitem__(self, stock_id: int) -> Held:
        return self._held[stock_id]

    def take(self, stock_id: int, places: int) -> bool:
        """Sets places aside for a request; False when there are not so many."""
        held = self._held[stock_id]
        left = held.remaining_to_take()
        if left is not None and left < places:
            return False
        held.taken += places
        return True

    def book(self, stock_id: int, places: int) -> None:
        """The places of a request become those of a booking."""
        self._held[stock_id].booked += places

    def give_back(self, stock_id: int, places: int, *, booked: bool) -> None:
        held = self._held[stock_id]
        held.taken -= places
        if booked:
            held.booked -= places

    def write(self, at: datetime) -> None:
        """Stores the counts, and says when the last place went or came back."""
        changed = [held for held in self._held.values() if held.taken or held.booked]
        counts = [
            {
                "stock_id": held.row.stock_id,
                "taken": held.row.taken + held.taken,
                "booked": held.row.booked + held.booked,
            }
            for held in changed
        ]
        sql.update_many(self._tx.connection, stocks, "stock_id", counts)
        turned = [held for held in changed if (held.was_remaining() == 0) != (held.remaining() == 0)]
        loaded = self._tx.get_many(Stock, [stream_id("stock", held.row.stock_id) for held in turned])
        for held in turned:
            stock = loaded[stream_id("stock", held.row.stock_id)]
            stock.tell(at, held.remaining())
            self._tx.save(stock)


_STOCKS = (
    sa.select(*_COLUMNS)
    .select_from(
        stocks.outerjoin(offers, offers.c.offer_id == stocks.c.offer_id)
        .outerjoin(venues, venues.c.venue_id == stocks.c.venue_id)
        .outerjoin(shut_offerers, shut_offerers.c.offerer_id == stocks.c.offerer_id)
    )
    .where(sql.among_given(stocks.c.stock_id, "stock_ids"))
)
LOCKED_STOCKS = _STOCKS.with_for_update(of=stocks, nowait=True)
"""Stocks with their offers and venues, to be read after ``lock``.

The select locks again. Where a row was replaced (deleted and inserted again) while ``lock`` waited for it, ``lock`` has
found nothing to lock, and the new row would be read without a lock. It waits for nobody (NOWAIT): after a wait, the
offer and the venue would be those of before. A row that another transaction has locked by then is a Conflict.
"""


def lock(connection: sa.Connection, column: str, values: Iterable[int]) -> None:
    """Locks stocks for what reads them next, in the order of their numbers.

    Lock first, select afterwards: after waiting, ``SELECT … FOR UPDATE`` reads the stock again but not the offer and
    the structure joined to it (READ COMMITTED).
    """
    sql.lock_rows(connection, stocks, column, values)


def lock_of_bookings(connection: sa.Connection, booking_ids: Collection[int]) -> None:
    """Locks the stocks of bookings before these are loaded: of two who give back the same places the second sees that
    they are. On SQLite there is one writer."""
    if connection.dialect.name == "postgresql":
        which = "SELECT stock_id FROM bookings WHERE booking_id = ANY(%s::bigint[])"
        held = f"SELECT 1 FROM stocks WHERE stock_id IN ({which}) ORDER BY stock_id FOR UPDATE"
        queue(connection, held, [sorted(booking_ids)])


def lock_offer(connection: sa.Connection, offer_id: int) -> None:
    lock(connection, "offer_id", [offer_id])


def lock_offerer(connection: sa.Connection, offerer_id: int) -> None:
    lock(connection, "offerer_id", [offerer_id])


_LIVE_COLUMNS = live_bookings.c.person_id, live_bookings.c.offer_id
_LIVE = sa.select(*_LIVE_COLUMNS).where(sql.pair_among_given(*_LIVE_COLUMNS, ("people", "offers")))
_BOOKER = sql.unnested_pairs(("bookers", "booked_stocks"))
_HAS_LIVE = (
    sa.select(live_bookings.c.offer_id)
    .join(stocks, stocks.c.offer_id == live_bookings.c.offer_id)
    .where(live_bookings.c.person_id == _BOOKER.c.one, stocks.c.stock_id == _BOOKER.c.other)
)
LIVE_AT_STOCKS = sa.select(_BOOKER.c.one.label("person_id"), _HAS_LIVE.scalar_subquery().label("offer_id"))
"""Each person with the offer of the stock that is asked for, where there is a booking of it that is not cancelled; with
none where there is not."""


def live_pairs(connection: sa.Connection, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Which of the (person, offer) have a booking that is not cancelled."""
    if not pairs:
        return set()
    people, of = zip(*pairs, strict=True)
    found = connection.execute(_LIVE, {"people": people, "offers": of})
    return {(row.person_id, row.offer_id) for row in found}


def claim_live(connection: sa.Connection, bookings: Iterable[Booking]) -> None:
    """Claims the offer of each booking for its person. An existing claim is a conflict, which ends the transaction."""
    claims = sorted(
        (
            {"person_id": one.person_id, "offer_id": one.terms.offer_id, "booking_id": one.booking_id}
            for one in bookings
        ),
        key=lambda claim: (claim["person_id"], claim["offer_id"]),
    )
    sql.insert_many(connection, live_bookings, claims)


def release_live(connection: sa.Connection, booking_ids: Iterable[int]) -> None:
    sql.delete_many(connection, live_bookings, "booking_id", booking_ids)


def claim_countermarks(connection: sa.Connection, wanted: dict[str, int]) -> set[str]:
    """Claims countermarks for bookings, for ever; gives those that were free."""
    claims = [{"countermark": mark, "booking_id": number} for mark, number in sorted(wanted.items())]
    return sql.insert_new(connection, countermarks, claims, "countermark")


OPEN_BY_KEY = sa.select(open_requests).where(
    sql.pair_among_given(open_requests.c.owner, open_requests.c.key, ("callers", "keys"))
)
"""The open requests of the keys that ``outcomes.keys_of`` gives."""
STILL_OPEN = sa.select(open_requests.c.booking_id).where(sql.among_given(open_requests.c.booking_id, "booking_ids"))


def add_requests(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    sql.insert_many(connection, open_requests, rows)


def remove_requests(connection: sa.Connection, booking_ids: Iterable[int]) -> None:
    sql.delete_many(connection, open_requests, "booking_id", booking_ids)


def open_numbers(connection: sa.Connection, limit: int) -> list[int]:
    query = sa.select(open_requests.c.booking_id).order_by(open_requests.c.booking_id).limit(limit)
    return list(connection.execute(query).scalars())


def count_open(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(open_requests)).scalar_one()


def take_codes(connection: sa.Connection, stock_id: int, booking_ids: Sequence[int]) -> dict[int, str]:
    """Gives the stock's first free codes to bookings, in their order; the stock is locked. Fewer when few are left."""
    codes = activation_codes.c
    free = connection.execute(
        sa.select(codes.rank, codes.code)
        .where(codes.stock_id == stock_id, codes.booking_id.is_(None))
        .order_by(codes.rank)
        .limit(len(booking_ids))
    ).all()
    given = {}
    for booking_id, (rank, code) in zip(booking_ids, free, strict=False):
        which = (codes.stock_id == stock_id) & (codes.rank == rank)
        connection.execute(activation_codes.update().where(which).values(booking_id=booking_id))
        given[booking_id] = code
    return given


def return_codes(connection: sa.Connection, booking_ids: Collection[int]) -> None:
    if booking_ids:
        held = sql.among(activation_codes.c.booking_id, sorted(booking_ids))
        connection.execute(activation_codes.update().where(held).values(booking_id=None))
