"""Questions to the read model of bookings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.domain.booking import Reason, Status
from services.booking.storage.tables import bookings, offers, stocks, venues
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
_ENDED_AT_USE = (str(Status.USED), str(Status.REIMBURSED))


def _with_place() -> sa.Select[Any]:
    """Bookings with the present facts of their offers and venues."""
    joined = bookings.outerjoin(offers, offers.c.offer_id == _TABLE.offer_id).outerjoin(
        venues, venues.c.venue_id == _TABLE.venue_id
    )
    return sa.select(*_TABLE, *_PLACE).select_from(joined)


_BY_NUMBERS = _with_place().where(sql.among_given(_TABLE.booking_id, "numbers"))
_BY_MARKS = _with_place().where(sql.among_given(_TABLE.countermark, "marks"))


def by_numbers(connection: sa.Connection, numbers: Collection[int]) -> dict[int, Any]:
    return {row.booking_id: row for row in connection.execute(_BY_NUMBERS, {"numbers": sorted(set(numbers))})}


def by_countermarks(connection: sa.Connection, marks: Collection[str]) -> dict[str, Any]:
    return {row.countermark: row for row in connection.execute(_BY_MARKS, {"marks": sorted(set(marks))})}


def of_person(
    connection: sa.Connection, person_id: int, now: datetime, *, status: str | None, before: int | None, limit: int
) -> Sequence[Any]:
    """The newest first. ``status``: ``ongoing``, ``ended``, one of a booking's, or None for all of them; ``before`` is
    the number of the last one shown."""
    query = _with_place().where(_TABLE.person_id == person_id)
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
    """From a number on, in the order of their numbers."""
    query = _with_place().where(_TABLE.offer_id == offer_id, _TABLE.booking_id >= first)
    for column, wanted in ((_TABLE.stock_id, stock_id), (_TABLE.status, status), (_TABLE.beginning_at, beginning_at)):
        if wanted is not None:
            query = query.where(column == wanted)
    return connection.execute(query.order_by(_TABLE.booking_id).limit(limit)).all()


def is_ended(now: datetime) -> sa.ColumnElement[bool]:
    """Cancelled, or used and over: a future event goes on, and so does what one keeps (domain.md §9.1)."""
    over = sa.or_(_TABLE.beginning_at.is_(None), _TABLE.beginning_at < now)
    kept = sa.or_(_TABLE.is_permanent, _TABLE.activation_code.is_not(None))
    return sa.or_(
        _TABLE.status == str(Status.CANCELLED), sa.and_(_TABLE.status.in_(_ENDED_AT_USE), over, sa.not_(kept))
    )


def numbers_where(
    connection: sa.Connection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[int]:
    query = sa.select(_TABLE.booking_id).where(*conditions).order_by(_TABLE.booking_id)
    return list(connection.execute(query.limit(limit) if limit else query).scalars())


def unused_of_stock(connection: sa.Connection, stock_id: int) -> list[int]:
    return numbers_where(connection, _TABLE.stock_id == stock_id, _TABLE.status == str(Status.CONFIRMED))


def standing_with_place(connection: sa.Connection, stock_ids: Collection[int]) -> Sequence[Any]:
    """The bookings of these stocks that are not cancelled, in the order of their numbers."""
    query = _with_place().where(sql.among(_TABLE.stock_id, sorted(set(stock_ids))))
    return connection.execute(query.where(_TABLE.status != str(Status.CANCELLED)).order_by(_TABLE.booking_id)).all()


def cancelled_with_stock(connection: sa.Connection, stock_id: int, since: datetime, limit: int) -> Sequence[Any]:
    """The first bookings that the structure has cancelled of a stock since then, in the order of their numbers; each
    says how many there are (``together``), for how many ``places``."""
    query = _with_place().where(_TABLE.stock_id == stock_id, _TABLE.cancellation_reason == str(Reason.OFFERER))
    query = query.where(_TABLE.cancelled_at >= since).order_by(_TABLE.booking_id).limit(limit)
    together, places = sa.func.count().over(), sa.func.sum(_TABLE.quantity).over()
    return connection.execute(query.add_columns(together.label("together"), places.label("places"))).all()


def standing_of_stock(connection: sa.Connection, stock_id: int) -> list[int]:
    return numbers_where(connection, _TABLE.stock_id == stock_id, _TABLE.status != str(Status.CANCELLED))


def unused_of_person(connection: sa.Connection, person_id: int) -> list[int]:
    return numbers_where(connection, _TABLE.person_id == person_id, _TABLE.status == str(Status.CONFIRMED))


def cancellable_by_person(connection: sa.Connection, person_id: int, now: datetime) -> list[int]:
    """Those that the person could still cancel (domain.md §4.4); from the limit on, a place is bought."""
    in_time = sa.or_(_TABLE.cancellation_limit_at.is_(None), _TABLE.cancellation_limit_at > now)
    return numbers_where(connection, _TABLE.person_id == person_id, _TABLE.status == str(Status.CONFIRMED), in_time)


def unused_of_venues(connection: sa.Connection, venue_ids: Collection[int]) -> list[int]:
    among = sql.among(_TABLE.venue_id, sorted(set(venue_ids)))
    return numbers_where(connection, among, _TABLE.status == str(Status.CONFIRMED))


def unused_of_offer(connection: sa.Connection, offer_id: int) -> list[int]:
    return numbers_where(connection, _TABLE.offer_id == offer_id, _TABLE.status == str(Status.CONFIRMED))


def first_validation(connection: sa.Connection) -> datetime | None:
    return _first(connection, _TABLE.validation_due)


def first_expiry(connection: sa.Connection) -> datetime | None:
    return _first(connection, _TABLE.expiry_due)


def first_warning(connection: sa.Connection) -> datetime | None:
    return _first(connection, _TABLE.warning_due)


def first_eve(connection: sa.Connection) -> datetime | None:
    return _first(connection, stocks.c.eve_due)


def _first(connection: sa.Connection, column: sa.ColumnElement[Any]) -> datetime | None:
    """The earliest of a partial index; the type of the column is kept by not asking for ``min``."""
    query = sa.select(column).where(column.is_not(None)).order_by(column).limit(1)
    found: datetime | None = connection.execute(query).scalar()
    return found


def to_validate(connection: sa.Connection, before: datetime, limit: int) -> list[int]:
    """The dated ones whose due instant lies before one, in the order in which they fell due."""
    return _due(connection, _TABLE.validation_due < before, _TABLE.validation_due, limit)


def to_expire(connection: sa.Connection, until: datetime, limit: int) -> list[int]:
    return _due(connection, _TABLE.expiry_due <= until, _TABLE.expiry_due, limit)


def to_warn(connection: sa.Connection, until: datetime, limit: int) -> list[int]:
    return _due(connection, _TABLE.warning_due <= until, _TABLE.warning_due, limit)


def stocks_on_eve(connection: sa.Connection, until: datetime, limit: int) -> list[int]:
    """The stocks whose events are reminded of by the runs up to an instant."""
    table = stocks.c
    query = sa.select(table.stock_id).where(table.eve_due <= until).order_by(table.eve_due, table.stock_id)
    return list(connection.execute(query.limit(limit)).scalars())


def _due(
    connection: sa.Connection, condition: sa.ColumnElement[bool], column: sa.ColumnElement[Any], limit: int
) -> list[int]:
    query = sa.select(_TABLE.booking_id).where(condition).order_by(column, _TABLE.booking_id).limit(limit)
    return list(connection.execute(query).scalars())


def counts_of_venues(connection: sa.Connection, venue_ids: Collection[int], now: datetime) -> dict[int, Any]:
    """Places in ongoing and in validated bookings (domain.md §2.4)."""
    used = _TABLE.status.in_(_ENDED_AT_USE)
    final = sa.and_(_TABLE.cancellation_limit_at.is_not(None), _TABLE.cancellation_limit_at <= now)
    validated = sa.or_(used, final)
    query = (
        sa.select(
            _TABLE.venue_id,
            sa.func.coalesce(sa.func.sum(sa.case((validated, 0), else_=_TABLE.quantity)), 0).label("ongoing"),
            sa.func.coalesce(sa.func.sum(sa.case((validated, _TABLE.quantity), else_=0)), 0).label("validated"),
        )
        .where(sql.among(_TABLE.venue_id, sorted(venue_ids)), _TABLE.status != str(Status.CANCELLED))
        .group_by(_TABLE.venue_id)
    )
    return {row.venue_id: row for row in connection.execute(query)}


def sold_out_offers(connection: sa.Connection, venue_ids: Collection[int], now: datetime) -> dict[int, int]:
    """How many published offers of each venue have stocks to come, and no place left in any."""
    table = stocks.c
    in_time = sa.and_(
        sa.or_(table.booking_limit_at.is_(None), table.booking_limit_at > now),
        sa.or_(table.beginning_at.is_(None), table.beginning_at > now),
    )
    left = sa.case((table.quantity.is_(None), 1), else_=table.quantity - table.booked)
    sold_out = (
        sa.select(table.venue_id, table.offer_id)
        .join(offers, offers.c.offer_id == table.offer_id)
        .where(sql.among(table.venue_id, sorted(venue_ids)), in_time, sa.not_(table.is_withdrawn))
        .where(offers.c.is_published)
        .group_by(table.venue_id, table.offer_id)
        .having(sa.func.max(left) == 0)
        .subquery()
    )
    query = sa.select(sold_out.c.venue_id, sa.func.count()).group_by(sold_out.c.venue_id)
    return {row[0]: row[1] for row in connection.execute(query)}


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
        yield _within(_TABLE.booked_at, self.booked)
        if self.dated is not None:
            yield _within(_TABLE.beginning_at, self.dated)
        if self.stock_id is not None:
            yield _TABLE.stock_id == self.stock_id
        if self.offer_name:
            yield _TABLE.offer_name.icontains(self.offer_name, autoescape=True)


def _within(column: sa.ColumnElement[Any], spans: Sequence[Span]) -> sa.ColumnElement[bool]:
    """False without a span."""
    return sa.or_(
        sa.false(),
        *(
            sa.and_(sql.among(_TABLE.venue_id, span.venue_ids), column >= span.begins, column < span.ends)
            for span in spans
        ),
    )


def recap(
    connection: sa.Connection, wanted: RecapFilter, *, before: tuple[datetime, int] | None, limit: int
) -> Sequence[Any]:
    """Newest first."""
    query = _with_place().where(*wanted.conditions())
    if before is not None:
        at, number = before
        later = sa.and_(_TABLE.booked_at == at, _TABLE.booking_id < number)
        query = query.where(sa.or_(_TABLE.booked_at < at, later))
    return connection.execute(query.order_by(_TABLE.booked_at.desc(), _TABLE.booking_id.desc()).limit(limit)).all()


def recap_total(connection: sa.Connection, wanted: RecapFilter) -> int:
    """The number of places, not of bookings: a duo counts twice (domain.md §6.1)."""
    query = sa.select(sa.func.coalesce(sa.func.sum(_TABLE.quantity), 0)).where(*wanted.conditions())
    return int(connection.execute(query).scalar_one())
