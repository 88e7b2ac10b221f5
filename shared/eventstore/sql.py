"""What SQLite and PostgreSQL say differently, said once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from itertools import groupby
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles

from shared.eventstore import arrays
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


def partial_index(name: str, *columns: str, where: str) -> sa.Index:
    """An index of the rows for which a condition holds. It serves queries with the very same condition."""
    return sa.Index(name, *columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


# Writes of rows. On PostgreSQL one statement with an array for each column, carried out with the next statement
# (``trips``) where nothing comes back; on SQLite one statement for many rows.


def insert_many(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Inserts rows of the same columns; one that is there is an integrity error."""
    _send(connection, table, rows, Clash.AN_ERROR)


def insert_ignore(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Inserts what does not clash with a row that is there.

    Rows must come sorted by whatever is unique: two transactions that insert the same keys in two orders deadlock.
    """
    _send(connection, table, rows, Clash.IGNORED)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], returning: str) -> set[Any]:
    """``insert_ignore``; gives that column of what went in."""
    if not rows:
        return set()
    names = tuple(rows[0])
    text = f"{_insert_text(connection.dialect.name, table, names, Clash.IGNORED)} RETURNING {returning}"
    if _has_arrays(connection):
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
    """Inserts rows, or replaces the given columns of those whose primary key is there. All rows have the same keys.

    ``keeps``: columns that are left as they are in a row that is there. ``newest``: only a row whose column of that
    name is smaller is replaced.
    """
    _send(connection, table, rows, Clash.REPLACED, keeps, newest)


def update_many(connection: sa.Connection, table: sa.Table, key: str, changes: Iterable[Row]) -> None:
    """Sets the columns that each change names, in the row whose ``key`` it gives: one statement per set of columns."""
    by_columns = sorted(changes, key=lambda change: (sorted(change), change[key]))
    for names, group in groupby(by_columns, key=lambda change: tuple(sorted(change))):
        rows = list(group)
        if _has_arrays(connection):
            send_later(
                connection, _update_text(connection.dialect.name, table, key, names), _arrays(table, names, rows)
            )
            continue
        values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names if name != key}
        statement = table.update().where(table.c[key] == sa.bindparam("this")).values(values)
        connection.execute(
            statement, [{"this": row[key]} | {f"new_{name}": row[name] for name in values} for row in rows]
        )


def delete_many(connection: sa.Connection, table: sa.Table, column: str, values: Iterable[Any]) -> None:
    """Deletes the rows whose column is one of the values."""
    listed = sorted(values)
    if listed and _has_arrays(connection):
        text = f"DELETE FROM {table.name} WHERE {column} = ANY(%s::{_type(table, column)}[])"
        send_later(connection, text, [array_of(table.c[column].type, listed)])
    elif listed:
        connection.execute(table.delete().where(table.c[column].in_(listed)))


def array_of(kind: sa.types.TypeEngine[Any], values: Sequence[Any]) -> str:
    """A column's values as PostgreSQL reads an array."""
    if isinstance(kind, Json):
        return arrays.literal(lambda value: arrays.quoted(orjson.dumps(value).decode()), values)
    return arrays.literal(arrays.WRITERS[datetime if isinstance(kind, Instant) else kind.python_type], values)


Row = Mapping[str, Any]


class Clash(Enum):
    """What becomes of a row that is there."""

    AN_ERROR = 1
    IGNORED = 2
    REPLACED = 3


def _has_arrays(connection: sa.Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _send(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Row],
    clash: Clash,
    keeps: tuple[str, ...] = (),
    newest: str | None = None,
) -> None:
    if not rows:
        return
    names = tuple(rows[0])
    text = _insert_text(connection.dialect.name, table, names, clash, keeps, newest)
    if _has_arrays(connection):
        send_later(connection, text, _arrays(table, names, rows))
        return
    connection.exec_driver_sql(text, list(zip(*_columns(table, names, rows), strict=True)))


def _columns(table: sa.Table, names: tuple[str, ...], rows: Sequence[Row]) -> list[list[Any]]:
    """For SQLite's driver."""
    return [
        [row[name] for row in rows] if process is None else [process(row[name]) for row in rows]
        for name, process in zip(names, _processors(table, names), strict=True)
    ]


def _arrays(table: sa.Table, names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    return [array_of(table.c[name].type, [row[name] for row in rows]) for name in names]


# Texts are kept: as many as there are kinds of writes. SQLAlchemy keeps no statement with ON CONFLICT: it would compile
# each anew.
_DIALECTS: dict[str, sa.Dialect] = {
    "postgresql": postgresql.dialect(),  # type: ignore[no-untyped-call]
    "sqlite": sqlite.dialect(),
}


@cache
def _processors(table: sa.Table, names: tuple[str, ...]) -> list[Callable[[Any], Any] | None]:
    """What each column's values go through on their way to SQLite's driver."""
    dialect = _DIALECTS["sqlite"]
    return [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]


@cache
def _insert_text(
    dialect: str,
    table: sa.Table,
    names: tuple[str, ...],
    clash: Clash,
    keeps: tuple[str, ...] = (),
    newest: str | None = None,
) -> str:
    quote = _DIALECTS[dialect].identifier_preparer.quote
    if dialect == "postgresql":
        values = f"SELECT * FROM unnest({_types(table, names)})"
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
    return text


@cache
def _update_text(dialect: str, table: sa.Table, key: str, names: tuple[str, ...]) -> str:
    quote = _DIALECTS[dialect].identifier_preparer.quote
    sets = ", ".join(f"{quote(name)} = given.{quote(name)}" for name in names if name != key)
    given = f"unnest({_types(table, names)}) AS given ({', '.join(map(quote, names))})"
    this = quote(table.name)
    return f"UPDATE {this} SET {sets} FROM {given} WHERE {this}.{quote(key)} = given.{quote(key)}"


def _types(table: sa.Table, names: Sequence[str]) -> str:
    return ", ".join(f"%s::{_type(table, name)}[]" for name in names)


def _type(table: sa.Table, name: str) -> str:
    return table.c[name].type.compile(_DIALECTS["postgresql"])


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


def hold_rows(
    connection: sa.Connection, table: sa.Table, key: str, values: Iterable[Any], *, shared: bool = False
) -> None:
    """Locks the rows of these keys, in their order, with the next statement: a statement that waits for a lock itself
    would see what stands beside the row as it was before the wait. ``shared``: others may hold them so, too, and nobody
    changes them. On SQLite a transaction holds everything."""
    if _has_arrays(connection):
        kind = "SHARE" if shared else "UPDATE"
        text = f"SELECT 1 FROM {table.name} WHERE {key} = ANY(%s::{_type(table, key)}[]) ORDER BY {key} FOR {kind}"
        send_later(connection, text, [array_of(table.c[key].type, sorted(values))])


def lock_rows(select: sa.Select[Any]) -> sa.Select[Any]:
    """The same select, holding its rows until the end of the transaction. On SQLite a transaction holds everything."""
    return select.with_for_update()


class Many(sa.types.TypeDecorator[Sequence[Any]]):
    """Any number of values of a type, as one parameter: an array on PostgreSQL, a JSON list on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def process_bind_param(self, value: Iterable[Any] | None, dialect: sa.Dialect) -> str:
        assert value is not None
        values = list(value)
        if dialect.name == "postgresql":
            return array_of(self.item, values)
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        return orjson.dumps(values if process is None else [process(one) for one in values]).decode()


class _Condition(sa.sql.functions.FunctionElement[bool]):
    """A condition in words of our own.

    It says nothing of its type: after a boolean that it does not know SQLAlchemy writes ``= 1`` for SQLite, and SQLite
    then uses no index.
    """

    type: sa.types.TypeEngine[Any] = sa.types.NullType()


class _Among(_Condition):
    """``column`` is one of the values of a parameter: one statement and one plan, whatever their number."""

    inherit_cache = True


@compiles(_Among, "postgresql")
def _among_array(element: _Among, compiler: Any, **kwargs: Any) -> str:
    column, values = element.clauses
    array = f"CAST({compiler.process(values, **kwargs)} AS {_array_type(column)})"
    return f"{compiler.process(column, **kwargs)} = ANY({array})"


def _array_type(column: sa.ColumnElement[Any]) -> str:
    kind = "TEXT" if isinstance(column.type, sa.Text) else column.type.compile(_DIALECTS["postgresql"])
    return f"{kind}[]"


@compiles(_Among)
def _among_list(element: _Among, compiler: Any, **kwargs: Any) -> str:
    column, values = element.clauses
    return (
        f"{compiler.process(column, **kwargs)} IN (SELECT value FROM json_each({compiler.process(values, **kwargs)}))"
    )


class _AmongPairs(_Condition):
    """Two columns are, together, one of the pairs whose firsts and seconds two parameters list."""

    inherit_cache = True


@compiles(_AmongPairs, "postgresql")
def _among_pair_arrays(element: _AmongPairs, compiler: Any, **kwargs: Any) -> str:
    one, other, *lists = element.clauses
    given = [
        f"CAST({compiler.process(values, **kwargs)} AS {_array_type(column)})"
        for column, values in zip((one, other), lists, strict=True)
    ]
    both = f"({compiler.process(one, **kwargs)}, {compiler.process(other, **kwargs)})"
    return f"{both} IN (SELECT * FROM unnest({', '.join(given)}))"


@compiles(_AmongPairs)
def _among_pair_lists(element: _AmongPairs, compiler: Any, **kwargs: Any) -> str:
    one, other, *lists = element.clauses
    firsts, seconds = (compiler.process(values, **kwargs) for values in lists)
    both = f"({compiler.process(one, **kwargs)}, {compiler.process(other, **kwargs)})"
    return f"{both} IN (SELECT value, json_extract({seconds}, '$[' || key || ']') FROM json_each({firsts}))"


def among(column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """``column`` is one of ``values``."""
    return _Among(column, sa.bindparam(None, list(values), type_=Many(column.type)))


def among_given(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """``column`` is one of the values that are given as ``name`` when the statement is carried out."""
    return _Among(column, sa.bindparam(name, type_=Many(column.type)))


def pairs_given(
    one: sa.ColumnElement[Any], other: sa.ColumnElement[Any], names: tuple[str, str]
) -> sa.ColumnElement[bool]:
    """``one`` and ``other`` are, together, one of the pairs whose firsts and seconds are given under two names.

    For a key of two columns: to ask for the second alone reads all of it, for either alone every combination.
    """
    firsts, seconds = (
        sa.bindparam(name, type_=Many(column.type)) for name, column in zip(names, (one, other), strict=True)
    )
    return _AmongPairs(one, other, firsts, seconds)


class _Pairs(sa.sql.functions.FunctionElement[Any]):
    """Rows of two numbers, ``one`` and ``other``, that two parameters list."""

    inherit_cache = True


@compiles(_Pairs, "postgresql")
def _pairs_of_arrays(element: _Pairs, compiler: Any, **kwargs: Any) -> str:
    given = (f"CAST({compiler.process(values, **kwargs)} AS BIGINT[])" for values in element.clauses)
    return f"(SELECT * FROM unnest({', '.join(given)}) AS given (one, other))"


@compiles(_Pairs)
def _pairs_of_lists(element: _Pairs, compiler: Any, **kwargs: Any) -> str:
    ones, others = (compiler.process(values, **kwargs) for values in element.clauses)
    return f"(SELECT value AS one, json_extract({others}, '$[' || key || ']') AS other FROM json_each({ones}))"


def given_pairs(names: tuple[str, str]) -> sa.TableValuedAlias:
    """The pairs, ``one`` and ``other``, of numbers that are given under two names when the statement is carried out.

    For what is looked up by each of them: a join that the database may plan as it likes could read a table whole.
    """
    given = _Pairs(*(sa.bindparam(name, type_=Many(BigNumber)) for name in names))
    return given.table_valued(sa.column("one", BigNumber), sa.column("other", BigNumber), name="given")


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def canonical(value: Any) -> str:
    """JSON with sorted keys: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
