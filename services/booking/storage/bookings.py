"""Bookings by number, countermark, person, offer and stock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.domain.states import Reason, Status
from services.booking.storage.tables import bookings, offers, venues
from shared.eventstore import sql

_TABLE = bookings.c
_PLACE = (
    offers.c.url,
    offers.c.withdrawal_details,
    offers.c.booking_email,
    venues.c.name.label("venue_name"),
    venues.c.address,
    venues.c.postal_code,
    venues.c.city,
    venues.c.department_code,
    venues.c.timezone,
    venues.c.booking_email.label("venue_email"),
)
USED_OR_REIMBURSED = (str(Status.USED), str(Status.REIMBURSED))


def with_place() -> sa.Select[Any]:
    """Bookings with the present facts of their offers and venues."""
    joined = bookings.outerjoin(offers, offers.c.offer_id == _TABLE.offer_id).outerjoin(
        venues, venues.c.venue_id == _TABLE.venue_id
    )
    return sa.select(*_TABLE, *_PLACE).select_from(joined)


_BY_NUMBERS = with_place().where(sql.among_given(_TABLE.booking_id, "numbers"))
_BY_MARKS = with_place().where(sql.among_given(_TABLE.countermark, "marks"))


def by_numbers(connection: sa.Connection, numbers: Collection[int]) -> dict[int, Any]:
    return {row.booking_id: row for row in connection.execute(_BY_NUMBERS, {"numbers": sorted(set(numbers))})}


def by_countermarks(connection: sa.Connection, marks: Collection[str]) -> dict[str, Any]:
    return {row.countermark: row for row in connection.execute(_BY_MARKS, {"marks": sorted(set(marks))})}


def of_person(
    connection: sa.Connection, person_id: int, now: datetime, *, status: str | None, before: int | None, limit: int
) -> Sequence[Any]:
    """Newest first. ``status``: ``ongoing``, ``ended``, the status of a booking, or None for all; ``before``: a
    booking's number."""
    query = with_place().where(_TABLE.person_id == person_id)
    if before is not None:
        query = query.where(_TABLE.booking_id < before)
    if status in ("ongoing", "ended"):
        query = query.where(is_ended(now) if status == "ended" else sa.not_(is_ended(now)))
    elif status is not None:
        query = query.where(_TABLE.status == status)
    return connection.execute(query.order_by(_TABLE.booking_id.desc()).limit(limit)).all()


def of_offer(
    connection: sa.Connection,
    offer_id: int,
    *,
    first: int,
    limit: int,
    stock_id: int | None,
    status: str | None,
    beginning_at: datetime | None,
) -> Sequence[Any]:
    """By number, from ``first`` on."""
    query = with_place().where(_TABLE.offer_id == offer_id, _TABLE.booking_id >= first)
    for column, wanted in ((_TABLE.stock_id, stock_id), (_TABLE.status, status), (_TABLE.beginning_at, beginning_at)):
        if wanted is not None:
            query = query.where(column == wanted)
    return connection.execute(query.order_by(_TABLE.booking_id).limit(limit)).all()


def is_ended(now: datetime) -> sa.ColumnElement[bool]:
    """Cancelled, or used, unless its event is still to come or people keep it (domain.md §9.1)."""
    over = sa.or_(_TABLE.beginning_at.is_(None), _TABLE.beginning_at < now)
    kept = sa.or_(_TABLE.is_permanent, _TABLE.activation_code.is_not(None))
    return sa.or_(
        _TABLE.status == str(Status.CANCELLED), sa.and_(_TABLE.status.in_(USED_OR_REIMBURSED), over, sa.not_(kept))
    )


def numbers_where(
    connection: sa.Connection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[int]:
    query = sa.select(_TABLE.booking_id).where(*conditions).order_by(_TABLE.booking_id)
    return list(connection.execute(query.limit(limit) if limit else query).scalars())


def unused_of_stock(connection: sa.Connection, stock_id: int) -> list[int]:
    return numbers_where(connection, _TABLE.stock_id == stock_id, _TABLE.status == str(Status.CONFIRMED))


def uncancelled_with_place(connection: sa.Connection, stock_ids: Collection[int]) -> Sequence[Any]:
    """By number."""
    query = with_place().where(sql.among(_TABLE.stock_id, sorted(set(stock_ids))))
    return connection.execute(query.where(_TABLE.status != str(Status.CANCELLED)).order_by(_TABLE.booking_id)).all()


def cancelled_with_stock(connection: sa.Connection, stock_id: int, since: datetime, limit: int) -> Sequence[Any]:
    """By number, the first bookings of a stock that its structure has cancelled since then. Each row has their number,
    ``together``, and that of their ``places``."""
    query = with_place().where(_TABLE.stock_id == stock_id, _TABLE.cancellation_reason == str(Reason.OFFERER))
    query = query.where(_TABLE.cancelled_at >= since).order_by(_TABLE.booking_id).limit(limit)
    together, places = sa.func.count().over(), sa.func.sum(_TABLE.quantity).over()
    return connection.execute(query.add_columns(together.label("together"), places.label("places"))).all()


def uncancelled_of_stock(connection: sa.Connection, stock_id: int) -> list[int]:
    return numbers_where(connection, _TABLE.stock_id == stock_id, _TABLE.status != str(Status.CANCELLED))


def unused_of_person(connection: sa.Connection, person_id: int) -> list[int]:
    return numbers_where(connection, _TABLE.person_id == person_id, _TABLE.status == str(Status.CONFIRMED))


def cancellable_by_person(connection: sa.Connection, person_id: int, now: datetime) -> list[int]:
    """Those before their cancellation limit, or without one (domain.md §4.4)."""
    in_time = sa.or_(_TABLE.cancellation_limit_at.is_(None), _TABLE.cancellation_limit_at > now)
    return numbers_where(connection, _TABLE.person_id == person_id, _TABLE.status == str(Status.CONFIRMED), in_time)


def unused_of_venues(connection: sa.Connection, venue_ids: Collection[int]) -> list[int]:
    among = sql.among(_TABLE.venue_id, sorted(set(venue_ids)))
    return numbers_where(connection, among, _TABLE.status == str(Status.CONFIRMED))


def unused_of_offer(connection: sa.Connection, offer_id: int) -> list[int]:
    return numbers_where(connection, _TABLE.offer_id == offer_id, _TABLE.status == str(Status.CONFIRMED))
