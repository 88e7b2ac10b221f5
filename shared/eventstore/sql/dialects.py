"""SQLAlchemy's dialects, to compile and quote with outside a connection."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

DIALECTS: dict[str, sa.Dialect] = {
    "postgresql": postgresql.dialect(),  # type: ignore[no-untyped-call]
    "sqlite": sqlite.dialect(),
}


def is_postgresql(connection: sa.Connection) -> bool:
    return connection.dialect.name == "postgresql"


@lru_cache(1024)
def array_type(column: sa.ColumnElement[Any]) -> str:
    """The type of an array of a column's values on PostgreSQL, such as ``BIGINT[]``."""
    return f"{column.type.compile(DIALECTS['postgresql'])}[]"


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that can have an ON CONFLICT clause."""
    return (postgresql if is_postgresql(connection) else sqlite).insert(table)
