"""Sums of amounts, as integers."""

from __future__ import annotations

import sqlalchemy as sa

from shared.kernel.money import Cents


def sum_of(column: sa.ColumnElement[int], name: str) -> sa.Label[int]:
    """The sum as a column; 0 without rows."""
    # PostgreSQL gives the sum of bigints as a decimal
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger).label(name)


def total(connection: sa.Connection, amount: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> Cents:
    return Cents(connection.execute(sa.select(sum_of(amount, "total")).where(*where)).scalar_one())
