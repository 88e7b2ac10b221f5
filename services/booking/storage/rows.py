"""Many rows in one statement: arrays unnested on PostgreSQL (one plan whatever their number), plain ones on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from shared.eventstore import sql
from shared.eventstore.trips import send_later

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # only asked for the names of types


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """All the rows have the same columns. A clash is an integrity error."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(table.insert(), [dict(row) for row in rows])
        return
    names = tuple(rows[0])
    send_later(connection, _insert_text(table, names, ""), _arrays(table, names, rows))


def insert_new(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], returning: str
) -> set[Any]:
    """Inserts what clashes with nothing; gives that column of what went in. Rows come sorted by what is unique."""
    if not rows:
        return set()
    if connection.dialect.name != "postgresql":
        return {row[0] for row in sql.insert_ignore(connection, table, rows, (table.c[returning],))}
    names = tuple(rows[0])
    text = _insert_text(table, names, f" ON CONFLICT DO NOTHING RETURNING {returning}")
    return set(connection.exec_driver_sql(text, _arrays(table, names, rows)).scalars())


def update_rows(connection: sa.Connection, table: sa.Table, key: str, changes: Iterable[Mapping[str, Any]]) -> None:
    """Sets the columns that each change names, in the row whose ``key`` it gives: one statement per set of columns."""
    by_columns = sorted(changes, key=lambda change: (sorted(change), change[key]))
    for columns, group in groupby(by_columns, key=lambda change: tuple(sorted(change))):
        _update(connection, table, key, columns, list(group))


def delete_rows(connection: sa.Connection, table: sa.Table, column: str, values: Iterable[Any]) -> None:
    listed = sorted(values)
    if listed and connection.dialect.name == "postgresql":
        text = f"DELETE FROM {table.name} WHERE {column} = ANY(%s::{table.c[column].type.compile(_DIALECT)}[])"
        send_later(connection, text, [listed])
    elif listed:
        connection.execute(table.delete().where(sql.among(connection, table.c[column], listed)))


def _update(
    connection: sa.Connection, table: sa.Table, key: str, columns: tuple[str, ...], rows: list[Mapping[str, Any]]
) -> None:
    if connection.dialect.name == "postgresql":
        send_later(connection, _update_text(table, key, columns), _arrays(table, columns, rows))
        return
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in columns if name != key}
    statement = table.update().where(table.c[key] == sa.bindparam("this")).values(values)
    parameters = [{"this": row[key]} | {f"new_{name}": row[name] for name in values} for row in rows]
    connection.execute(statement, parameters)


def _arrays(table: sa.Table, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """A column's values as PostgreSQL writes an array. The driver's own lists were a third of a batch's CPU."""
    return tuple(_literal(table.c[name].type, [row[name] for row in rows]) for name in names)


def _literal(kind: sa.types.TypeEngine[Any], values: Sequence[Any]) -> str:
    write = _WRITERS[type(kind)]
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_WRITERS: dict[type, Callable[[Any], str]] = {
    sa.BigInteger: str,
    sa.Integer: str,
    sa.Boolean: str,
    sa.Text: _quoted,
    sql.Instant: lambda instant: f'"{instant.isoformat()}"',
    sql.Json: lambda value: _quoted(orjson.dumps(value).decode()),
}


@cache
def _insert_text(table: sa.Table, names: tuple[str, ...], tail: str) -> str:
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({_types(table, names)}){tail}"


@cache
def _update_text(table: sa.Table, key: str, names: tuple[str, ...]) -> str:
    sets = ", ".join(f"{name} = given.{name}" for name in names if name != key)
    given = f"unnest({_types(table, names)}) AS given ({', '.join(names)})"
    return f"UPDATE {table.name} SET {sets} FROM {given} WHERE {table.name}.{key} = given.{key}"


def _types(table: sa.Table, names: tuple[str, ...]) -> str:
    return ", ".join(f"%s::{table.c[name].type.compile(_DIALECT)}[]" for name in names)
