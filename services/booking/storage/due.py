"""When the timers are due next, and for which bookings and stocks. A partial index serves each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.storage.tables import bookings, stocks


def first_validation(connection: sa.Connection) -> datetime | None:
    return _first(connection, bookings.c.validation_due)


def first_expiry(connection: sa.Connection) -> datetime | None:
    return _first(connection, bookings.c.expiry_due)


def first_warning(connection: sa.Connection) -> datetime | None:
    return _first(connection, bookings.c.warning_due)


def first_eve(connection: sa.Connection) -> datetime | None:
    return _first(connection, stocks.c.eve_due)


def _first(connection: sa.Connection, column: sa.ColumnElement[Any]) -> datetime | None:
    """The first of a partial index. ``min`` would lose the type of the column."""
    query = sa.select(column).where(column.is_not(None)).order_by(column).limit(1)
    found: datetime | None = connection.execute(query).scalar()
    return found


def to_validate(connection: sa.Connection, before: datetime, limit: int) -> list[int]:
    """Those whose automatic validation was due before an instant, in the order of due instants."""
    return _due(connection, bookings.c.validation_due < before, bookings.c.validation_due, limit)


def to_expire(connection: sa.Connection, until: datetime, limit: int) -> list[int]:
    return _due(connection, bookings.c.expiry_due <= until, bookings.c.expiry_due, limit)


def to_warn(connection: sa.Connection, until: datetime, limit: int) -> list[int]:
    return _due(connection, bookings.c.warning_due <= until, bookings.c.warning_due, limit)


def stocks_on_eve(connection: sa.Connection, until: datetime, limit: int) -> list[int]:
    """The stocks whose reminders are due by an instant."""
    table = stocks.c
    query = sa.select(table.stock_id).where(table.eve_due <= until).order_by(table.eve_due, table.stock_id)
    return list(connection.execute(query.limit(limit)).scalars())


def _due(
    connection: sa.Connection, condition: sa.ColumnElement[bool], column: sa.ColumnElement[Any], limit: int
) -> list[int]:
    query = sa.select(bookings.c.booking_id).where(condition).order_by(column, bookings.c.booking_id).limit(limit)
    return list(connection.execute(query).scalars())
