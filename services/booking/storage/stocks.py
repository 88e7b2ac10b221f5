"""Stocks under row locks, and the counts of their places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.domain.stock import Stock
from services.booking.storage.tables import offers, shut_offerers, stocks, venues
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
class LockedStock:
    """The row of a stock with its offer and venue, and how much this transaction adds to its counts."""

    row: Any
    taken: int = 0
    booked: int = 0

    def remaining_to_take(self) -> int | None:
        if self.row.quantity is None:
            return None
        return int(self.row.quantity - self.row.taken - self.taken)

    def remaining(self) -> int | None:
        """The remaining places as published: open requests do not count."""
        if self.row.quantity is None:
            return None
        return int(self.row.quantity - self.row.booked - self.booked)

    def was_remaining(self) -> int | None:
        return None if self.row.quantity is None else int(self.row.quantity - self.row.booked)


class LockedStocks:
    """Stocks locked in the order of their numbers until the commit: a unit of work over the counts of their places.

    Places are counted in memory, under the locks; ``write`` stores all counts in one statement. A CHECK of the table is
    the second guard.
    """

    def __init__(self, tx: Transaction, rows: Sequence[Any]) -> None:
        """``rows`` of ``LOCKED_STOCKS``, read after ``lock``."""
        self._tx = tx
        self._stocks = {row.stock_id: LockedStock(row) for row in rows}

    @classmethod
    def of(cls, tx: Transaction, stock_ids: Iterable[int]) -> LockedStocks:
        """Locks the stocks and reads them."""
        wanted = sorted(set(stock_ids))
        if not wanted:
            return cls(tx, [])
        lock(tx.connection, "stock_id", wanted)
        return cls(tx, tx.connection.execute(LOCKED_STOCKS, {"stock_ids": wanted}).all())

    def get(self, stock_id: int) -> LockedStock | None:
        return self._stocks.get(stock_id)

    def __getitem__(self, stock_id: int) -> LockedStock:
        return self._stocks[stock_id]

    def set_aside(self, stock_id: int, places: int) -> bool:
        """Counts places for a request; False when too few are left."""
        stock = self._stocks[stock_id]
        left = stock.remaining_to_take()
        if left is not None and left < places:
            return False
        stock.taken += places
        return True

    def book(self, stock_id: int, places: int) -> None:
        """Counts the places of a request as those of a booking."""
        self._stocks[stock_id].booked += places

    def give_back(self, stock_id: int, places: int, *, booked: bool) -> None:
        """``booked``: those of a booking; else of a request."""
        stock = self._stocks[stock_id]
        stock.taken -= places
        if booked:
            stock.booked -= places

    def write(self, at: datetime) -> None:
        """Stores the counts, and announces the stocks whose last place went or came back."""
        changed = [stock for stock in self._stocks.values() if stock.taken or stock.booked]
        counts = [
            {
                "stock_id": stock.row.stock_id,
                "taken": stock.row.taken + stock.taken,
                "booked": stock.row.booked + stock.booked,
            }
            for stock in changed
        ]
        sql.update_many(self._tx.connection, stocks, "stock_id", counts)
        turned = {
            stream_id("stock", stock.row.stock_id): stock.remaining()
            for stock in changed
            if (stock.was_remaining() == 0) != (stock.remaining() == 0)
        }
        loaded = self._tx.get_many(Stock, turned)
        for stream, remaining in turned.items():
            loaded[stream].announce(at, remaining)
            self._tx.save(loaded[stream])


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

The select locks again: if a row was replaced (deleted and inserted again) while ``lock`` waited for it, ``lock`` has
locked nothing. NOWAIT, because the offer and venue read after a wait would be outdated: a row that another transaction
has locked by then is a Conflict.
"""


def lock(connection: sa.Connection, column: str, values: Iterable[int]) -> None:
    """Locks stocks before they are read, in the order of their numbers.

    Lock first, select afterwards: after waiting, ``SELECT … FOR UPDATE`` reads the stock again but not the offer and
    the structure joined to it (READ COMMITTED).
    """
    sql.lock_rows(connection, stocks, column, values)


def lock_of_bookings(connection: sa.Connection, booking_ids: Collection[int]) -> None:
    """Locks the stocks of bookings before these are loaded: of two transactions that would give the same places back,
    the second sees that the first has. SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        which = "SELECT stock_id FROM bookings WHERE booking_id = ANY(%s::bigint[])"
        statement = f"SELECT 1 FROM stocks WHERE stock_id IN ({which}) ORDER BY stock_id FOR UPDATE"
        queue(connection, statement, [sorted(booking_ids)])


def lock_of_offer(connection: sa.Connection, offer_id: int) -> None:
    """Waits for transactions that confirm a booking of the offer; later ones see what this transaction changes."""
    lock(connection, "offer_id", [offer_id])


def lock_of_offerer(connection: sa.Connection, offerer_id: int) -> None:
    """Like ``lock_of_offer``, for all offers of a structure."""
    lock(connection, "offerer_id", [offerer_id])
