"""Bulk writes: one statement for many rows.

On PostgreSQL it has an array for each column (``unnest``) and is queued (``batching``), unless it returns something.
The texts are kept, one for each kind of write: SQLAlchemy would compile a statement with ON CONFLICT anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from shared.eventstore.batching import queue
from shared.eventstore.sql.arrays import array_of
from shared.eventstore.sql.dialects import DIALECTS, array_type, is_postgresql

Row = Mapping[str, Any]


class OnConflict(Enum):
    """What happens to a row whose key is taken."""

    RAISE = 1
    IGNORE = 2
    REPLACE = 3


def insert_many(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Inserts rows of the same columns. A key that is taken is an integrity error."""
    _insert(connection, table, rows, OnConflict.RAISE)


def insert_ignore(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Inserts the rows whose keys are free.

    Rows must come sorted by their unique keys: two transactions that insert the same keys in two orders deadlock.
    """
    _insert(connection, table, rows, OnConflict.IGNORE)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], returning: str) -> set[Any]:
    """``insert_ignore``; returns the values that one column has in the inserted rows."""
    if not rows:
        return set()
    names = tuple(rows[0])
    text = f"{_insert_text(connection.dialect.name, table, names, OnConflict.IGNORE)} RETURNING {returning}"
    if is_postgresql(connection):
        return set(connection.exec_driver_sql(text, tuple(_arrays(table, names, rows))).scalars())
    one = f"({', '.join('?' * len(names))})"
    text = text.replace(f"VALUES {one}", f"VALUES {', '.join([one] * len(rows))}")
    values = [value for row in zip(*_columns(table, names, rows), strict=True) for value in row]
    return set(connection.exec_driver_sql(text, tuple(values)).scalars())


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Row],
    *,
    keeps: tuple[str, ...] = (),
    newest: str | None = None,
) -> None:
    """Inserts rows of the same columns, or replaces these columns in the row that has the primary key.

    ``keeps``: columns that a stored row keeps. ``newest``: a stored row is replaced only if its column of that name is
    smaller.
    """
    _insert(connection, table, rows, OnConflict.REPLACE, keeps, newest)


def update_many(connection: sa.Connection, table: sa.Table, key: str, changes: Iterable[Row]) -> None:
    """Sets the columns that each change names, in the row whose ``key`` it gives: one statement per set of columns."""
    by_columns = sorted(changes, key=lambda change: (sorted(change), change[key]))
    for names, group in groupby(by_columns, key=lambda change: tuple(sorted(change))):
        rows = list(group)
        if is_postgresql(connection):
            queue(connection, _update_text(table, key, names), _arrays(table, names, rows))
            continue
        values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names if name != key}
        statement = table.update().where(table.c[key] == sa.bindparam("this")).values(values)
        connection.execute(
            statement, [{"this": row[key]} | {f"new_{name}": row[name] for name in values} for row in rows]
        )


def delete_many(connection: sa.Connection, table: sa.Table, column: str, values: Iterable[Any]) -> None:
    """Deletes the rows whose column is one of the values."""
    listed = sorted(values)
    if listed and is_postgresql(connection):
        text = f"DELETE FROM {table.name} WHERE {column} = ANY(%s::{array_type(table.c[column])})"
        queue(connection, text, [array_of(table.c[column].type, listed)])
    elif listed:
        connection.execute(table.delete().where(table.c[column].in_(listed)))


def _insert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Row],
    on_conflict: OnConflict,
    keeps: tuple[str, ...] = (),
    newest: str | None = None,
) -> None:
    if not rows:
        return
    names = tuple(rows[0])
    text = _insert_text(connection.dialect.name, table, names, on_conflict, keeps, newest)
    if is_postgresql(connection):
        queue(connection, text, _arrays(table, names, rows))
    else:
        connection.exec_driver_sql(text, list(zip(*_columns(table, names, rows), strict=True)))


def _columns(table: sa.Table, names: tuple[str, ...], rows: Sequence[Row]) -> list[list[Any]]:
    """The values column by column, as SQLite's driver takes them."""
    return [
        [row[name] for row in rows] if process is None else [process(row[name]) for row in rows]
        for name, process in zip(names, _processors(table, names), strict=True)
    ]


@cache
def _processors(table: sa.Table, names: tuple[str, ...]) -> list[Callable[[Any], Any] | None]:
    """How SQLAlchemy converts each column's values for SQLite's driver."""
    dialect = DIALECTS["sqlite"]
    return [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]


def _arrays(table: sa.Table, names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    return [array_of(table.c[name].type, [row[name] for row in rows]) for name in names]


@cache
def _insert_text(
    dialect: str,
    table: sa.Table,
    names: tuple[str, ...],
    on_conflict: OnConflict,
    keeps: tuple[str, ...] = (),
    newest: str | None = None,
) -> str:
    quote = DIALECTS[dialect].identifier_preparer.quote
    if dialect == "postgresql":
        values = f"SELECT * FROM unnest({_array_parameters(table, names)})"
    else:
        values = f"VALUES ({', '.join('?' * len(names))})"
    text = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, names))}) {values}"
    if on_conflict is OnConflict.REPLACE:
        key = [column.name for column in table.primary_key]
        changed = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in names if name not in {*key, *keeps})
        action = f"UPDATE SET {changed}" if changed else "NOTHING"
        text += f" ON CONFLICT ({', '.join(map(quote, key))}) DO {action}"
        text += f" WHERE {quote(table.name)}.{quote(newest)} < excluded.{quote(newest)}" if newest else ""
    elif on_conflict is OnConflict.IGNORE:
        text += " ON CONFLICT DO NOTHING"
    return text


@cache
def _update_text(table: sa.Table, key: str, names: tuple[str, ...]) -> str:
    """For PostgreSQL."""
    quote = DIALECTS["postgresql"].identifier_preparer.quote
    sets = ", ".join(f"{quote(name)} = given.{quote(name)}" for name in names if name != key)
    given = f"unnest({_array_parameters(table, names)}) AS given ({', '.join(map(quote, names))})"
    this = quote(table.name)
    return f"UPDATE {this} SET {sets} FROM {given} WHERE {this}.{quote(key)} = given.{quote(key)}"


def _array_parameters(table: sa.Table, names: Sequence[str]) -> str:
    return ", ".join(f"%s::{array_type(table.c[name])}" for name in names)
