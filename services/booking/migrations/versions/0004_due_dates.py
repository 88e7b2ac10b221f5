"""When people are warned of an expiry or reminded of an event, and the index of a structure's accounts.

The columns are filled from the rows. A booking whose validation was undone may be warned of once more: the run itself
checks that. The due instants of validations that the desk undid before they were due are corrected.
"""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber, Instant

revision = "0004"
down_revision = "0003"

PAGE = 1000
TWO_DAYS = timedelta(hours=48)
Columns = dict[str, Any]

bookings = sa.table(
    "bookings",
    sa.column("booking_id", BigNumber),
    sa.column("subcategory", sa.Text),
    sa.column("booked_at", Instant),
    sa.column("beginning_at", Instant),
    sa.column("expires_at", Instant),
    sa.column("validation_due", Instant),
    sa.column("warning_due", Instant),
)
stocks = sa.table(
    "stocks",
    sa.column("stock_id", BigNumber),
    sa.column("beginning_at", Instant),
    sa.column("is_withdrawn", sa.Boolean),
    sa.column("eve_due", Instant),
)


def upgrade() -> None:
    op.add_column("bookings", sa.Column("warning_due", Instant))
    op.add_column("stocks", sa.Column("eve_due", Instant))
    op.create_index("attachments_of_offerer", "attachments", ["offerer_id"])
    _index("bookings_to_warn", "bookings", "warning_due")
    _index("stocks_on_eve", "stocks", "eve_due")
    _fill(bookings, bookings.c.booking_id, bookings.c.expires_at.is_not(None), _warning)
    _fill(bookings, bookings.c.booking_id, bookings.c.validation_due.is_not(None), _validation)
    _fill(stocks, stocks.c.stock_id, stocks.c.beginning_at.is_not(None) & sa.not_(stocks.c.is_withdrawn), _eve)


def _index(name: str, table: str, column: str) -> None:
    where = sa.text(f"{column} IS NOT NULL")
    op.create_index(name, table, [column], postgresql_where=where, sqlite_where=where)


def _fill(table: Any, key: Any, which: Any, column_of: Callable[[Any], Columns | None]) -> None:
    connection, last = op.get_bind(), 0
    while rows := connection.execute(sa.select(table).where(which, key > last).order_by(key).limit(PAGE)).all():
        for row in rows:
            if column := column_of(row):
                connection.execute(table.update().where(key == row[0]).values(**column))
        last = rows[-1][0]


def _warning(row: Any) -> Columns:
    short = row.subcategory == "LIVRE_PAPIER" and row.booked_at >= datetime(2021, 9, 22, tzinfo=UTC)
    day = (row.expires_at - timedelta(days=5 if short else 7)).date()
    return {"warning_due": datetime.combine(day, time(5, 30, tzinfo=UTC))}


def _validation(row: Any) -> Columns | None:
    due = row.beginning_at + TWO_DAYS
    taken_back_at = row.validation_due - TWO_DAYS
    return {"validation_due": due} if row.validation_due > due >= taken_back_at else None


def _eve(row: Any) -> Columns:
    day = row.beginning_at.date() - timedelta(days=1)
    return {"eve_due": datetime.combine(day, time(16, tzinfo=UTC))}
