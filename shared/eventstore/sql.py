"""What SQLite and PostgreSQL say differently, said once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from shared.eventstore.trips import send_later

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

    On PostgreSQL this and the other writes of rows are carried out with the next statement (``trips``).

    Rows must come sorted by whatever is unique: two transactions that insert the same keys in two orders deadlock.
    """
    if rows and returning:
        statement = insert(connection, table).values(list(rows)).on_conflict_do_nothing()
        return connection.execute(statement.returning(*returning)).all()
    _send(connection, table, rows, Clash.IGNORED)
    return []


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keeps: tuple[str, ...] = (),
    newest: str | None = None,
) -> None:
    """Inserts rows, or replaces the given columns of those whose primary key is there. All rows have the same keys.

    ``keeps``: columns that are left as they are in a row that is there. ``newest``: only a row whose column of that
    name is smaller is replaced.
    """
    _send(connection, table, rows, Clash.REPLACED, keeps, newest)


def insert_many(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows, in one statement where the database has arrays; one that is there is an integrity error."""
    _send(connection, table, rows, Clash.AN_ERROR)


class Clash(Enum):
    """What becomes of a row that is there."""

    AN_ERROR = 1
    IGNORED = 2
    REPLACED = 3


def _send(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    clash: Clash,
    keeps: tuple[str, ...] = (),
    newest: str | None = None,
) -> None:
    """On PostgreSQL one array for each column: a third of the time of a list of rows."""
    if not rows:
        return
    dialect = connection.dialect
    names = tuple(rows[0])
    text, processors = _writing(dialect, table, names, clash, keeps, newest)
    columns = [
        [row[name] for row in rows] if process is None else [process(row[name]) for row in rows]
        for name, process in zip(names, processors, strict=True)
    ]
    if dialect.name == "postgresql":
        send_later(connection, text, columns)
    else:
        connection.exec_driver_sql(text, list(zip(*columns, strict=True)))


_Writing = tuple[str, Sequence[Callable[[Any], Any] | None]]
_writings: dict[tuple[Any, ...], _Writing] = {}
"""As many as there are kinds of writes. SQLAlchemy keeps no statement with ON CONFLICT: it would compile each anew."""


def _writing(
    dialect: sa.Dialect,
    table: sa.Table,
    names: tuple[str, ...],
    clash: Clash,
    keeps: tuple[str, ...],
    newest: str | None,
) -> _Writing:
    """The statement's text, and what each column's values go through on their way to the driver."""
    this = (dialect.name, table, names, clash, keeps, newest)
    known = _writings.get(this)
    if known is not None:
        return known
    quote = dialect.identifier_preparer.quote
    if dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{table.c[name].type.compile(dialect)}[]" for name in names)
        values = f"SELECT * FROM unnest({arrays})"
    else:
        values = f"VALUES ({', '.join('?' * len(names))})"
    text = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, names))}) {values}"
    if clash is Clash.REPLACED:
        key = [column.name for column in table.primary_key]
        changed = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in names if name not in {*key, *keeps})
        action = f"UPDATE SET {changed}" if changed else "NOTHING"
        text += f" ON CONFLICT ({', '.join(map(quote, key))}) DO {action}"
        text += f" WHERE {quote(table.name)}.{quote(newest)} < excluded.{quote(newest)}" if newest else ""
    elif clash is Clash.IGNORED:
        text += " ON CONFLICT DO NOTHING"
    processors = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    return _writings.setdefault(this, (text, processors))


def create_tables(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """With their indexes, in a database that has none of them, each after those it refers to."""
    for definition in _definitions(connection.dialect, tuple(tables)):
        connection.exec_driver_sql(definition)


@cache  # by table: a fold makes the same ones in a new database each time
def _definitions(dialect: sa.Dialect, tables: tuple[sa.Table, ...]) -> list[str]:
    elements: list[sa.schema.DDLElement] = []
    for table in sa.schema.sort_tables(tables):
        elements += [sa.schema.CreateTable(table), *(sa.schema.CreateIndex(index) for index in table.indexes)]
    return [str(element.compile(dialect=dialect)) for element in elements]


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
