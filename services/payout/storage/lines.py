"""All lines, sums of their amounts, and those whose reimbursement is still to be published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.payout.storage.tables import lines
from shared.eventstore import sql
from shared.kernel.money import Cents

_PAGE = 2_000


def in_order(connection: sa.Connection) -> Iterable[sa.Row[Any]]:
    """Every line by number, read page by page: they need not fit into memory."""
    return connection.execute(sa.select(lines).order_by(lines.c.line_id)).yield_per(_PAGE)


def owners(connection: sa.Connection) -> dict[int, int]:
    """Venue → structure, for every venue that has a line."""
    return dict(connection.execute(sa.select(lines.c.venue_id, lines.c.offerer_id).distinct()).tuples().all())


def among(line_ids: Iterable[int]) -> sa.ColumnElement[bool]:
    return sql.among(lines.c.line_id, list(line_ids))


def sum_of(column: sa.ColumnElement[int], name: str) -> sa.Label[int]:
    """The sum as a column; 0 without rows."""
    # PostgreSQL gives the sum of bigints as a decimal
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger).label(name)


def total(connection: sa.Connection, amount: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> Cents:
    return Cents(connection.execute(sa.select(sum_of(amount, "total")).where(*where)).scalar_one())


def next_to_announce(connection: sa.Connection, limit: int) -> Sequence[int]:
    """The numbers of the first lines that have been paid and whose reimbursement is not published yet."""
    query = sa.select(lines.c.line_id).where(lines.c.settling).order_by(lines.c.line_id)
    return connection.execute(query.limit(limit)).scalars().all()


def still_to_announce(connection: sa.Connection, line_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    """Those of the lines that no other transaction has announced; to be read once their years are locked."""
    query = sa.select(lines).where(among(line_ids), lines.c.settling)
    return connection.execute(query.order_by(lines.c.line_id)).all()


def count_to_announce(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).where(lines.c.settling)).scalar_one()
