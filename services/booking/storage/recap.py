"""The recap: the bookings of venues by period, event and offer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.storage.bookings import with_place
from services.booking.storage.tables import bookings
from shared.eventstore import sql


@dataclass(frozen=True, slots=True)
class Span:
    """A period from ``begins`` to before ``ends``, for some venues."""

    venue_ids: Collection[int]
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class RecapFilter:
    """The bookings made within one of ``booked``; of events that begin within one of ``dated``, unless it is None."""

    booked: Sequence[Span]
    dated: Sequence[Span] | None = None
    stock_id: int | None = None
    offer_name: str | None = None
    """A part of the name, in any case of letters."""

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        yield _within(bookings.c.booked_at, self.booked)
        if self.dated is not None:
            yield _within(bookings.c.beginning_at, self.dated)
        if self.stock_id is not None:
            yield bookings.c.stock_id == self.stock_id
        if self.offer_name:
            yield bookings.c.offer_name.icontains(self.offer_name, autoescape=True)


def _within(column: sa.ColumnElement[Any], spans: Sequence[Span]) -> sa.ColumnElement[bool]:
    """False without a span."""
    return sa.or_(
        sa.false(),
        *(
            sa.and_(sql.among(bookings.c.venue_id, span.venue_ids), column >= span.begins, column < span.ends)
            for span in spans
        ),
    )


def rows(
    connection: sa.Connection, wanted: RecapFilter, *, before: tuple[datetime, int] | None, limit: int
) -> Sequence[Any]:
    """Newest first."""
    query = with_place().where(*wanted.conditions())
    if before is not None:
        at, number = before
        later = sa.and_(bookings.c.booked_at == at, bookings.c.booking_id < number)
        query = query.where(sa.or_(bookings.c.booked_at < at, later))
    newest_first = bookings.c.booked_at.desc(), bookings.c.booking_id.desc()
    return connection.execute(query.order_by(*newest_first).limit(limit)).all()


def total(connection: sa.Connection, wanted: RecapFilter) -> int:
    """The number of places, not of bookings: a duo counts twice (domain.md §6.1)."""
    query = sa.select(sa.func.coalesce(sa.func.sum(bookings.c.quantity), 0)).where(*wanted.conditions())
    return int(connection.execute(query).scalar_one())
