"""What SQLite and PostgreSQL say differently, said once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

BigNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER; it holds 64 bits as well."""


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant in UTC: timestamptz on PostgreSQL, sortable text with microseconds on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds") if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
        return instant.astimezone(UTC)


class Json(sa.types.TypeDecorator[Any]):
    """JSON as it was written, key for key: text on SQLite, ``json`` (not ``jsonb``, which sorts keys) on PostgreSQL."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else postgresql.JSON())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return orjson.dumps(value).decode() if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return orjson.loads(value) if isinstance(value, str) and dialect.name == "sqlite" else value


def insert_ignore(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    returning: Sequence[sa.Column[Any]] = (),
) -> Sequence[sa.Row[Any]]:
    """Inserts what does not clash with a row that is there, in one statement; gives ``returning`` of what went in.

    Rows must come sorted by whatever is unique: two transactions that insert the same keys in two orders deadlock.
    """
    if not rows:
        return []
    statement = insert(connection, table).values(list(rows)).on_conflict_do_nothing()
    if returning:
        return connection.execute(statement.returning(*returning)).all()
    connection.execute(statement)
    return []


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows, or replaces the given columns of those whose primary key is there. All rows have the same keys."""
    if not rows:
        return
    if _goes_in_arrays(connection, table, rows[0]):
        _send_arrays(connection, table, rows, replace=True)
        return
    key = [column.name for column in table.primary_key]
    statement = insert(connection, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    if changed:
        statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(statement, list(rows))  # one compiled statement whatever the number of rows


def insert_many(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows, in one statement where the database has arrays; one that is there is an integrity error."""
    if not rows:
        return
    if _goes_in_arrays(connection, table, rows[0]):
        _send_arrays(connection, table, rows, replace=False)
    else:
        connection.execute(table.insert(), list(rows))


def _goes_in_arrays(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
    return connection.dialect.name == "postgresql" and not any(isinstance(table.c[name].type, Json) for name in row)


def _send_arrays(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, replace: bool
) -> None:
    """One array for each column: a third of the time of a list of rows, whose text SQLAlchemy makes anew each time."""
    names = tuple(rows[0])
    columns = []
    for name in names:
        values = [row[name] for row in rows]
        process = table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        columns.append(values if process is None else [process(value) for value in values])
    connection.exec_driver_sql(_array_statement(connection, table, names, replace), tuple(columns))


_array_statements: dict[tuple[sa.Table, tuple[str, ...], bool], str] = {}
"""As many as there are kinds of writes."""


def _array_statement(connection: sa.Connection, table: sa.Table, names: tuple[str, ...], replace: bool) -> str:
    known = _array_statements.get((table, names, replace))
    if known is not None:
        return known
    dialect = connection.dialect
    quote = dialect.identifier_preparer.quote
    arrays = ", ".join(f"%s::{table.c[name].type.compile(dialect)}[]" for name in names)
    listed = ", ".join(quote(name) for name in names)
    statement = f"INSERT INTO {quote(table.name)} ({listed}) SELECT * FROM unnest({arrays})"
    if replace:
        key = [column.name for column in table.primary_key]
        changed = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in names if name not in key)
        action = f"UPDATE SET {changed}" if changed else "NOTHING"
        statement += f" ON CONFLICT ({', '.join(quote(name) for name in key)}) DO {action}"
    _array_statements[table, names, replace] = statement
    return statement


def lock_rows(select: sa.Select[Any]) -> sa.Select[Any]:
    """The same select, holding its rows until the end of the transaction. On SQLite a transaction holds everything."""
    return select.with_for_update()


def among(connection: sa.Connection, column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """``column`` is one of ``values``: one array on PostgreSQL (one plan whatever the length), a list on SQLite."""
    listed = list(values)
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.bindparam(None, listed, type_=postgresql.ARRAY(column.type)))
    return column.in_(listed)


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def canonical(value: Any) -> str:
    """JSON with sorted keys: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
