"""Conditions on any number of values, given as one parameter: one statement and one plan, whatever their number.

SQLAlchemy's ``in_`` makes a parameter of each value, and with another number of values another statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from shared.eventstore.sql.arrays import array_of
from shared.eventstore.sql.columns import BigNumber
from shared.eventstore.sql.dialects import array_type


def among(column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """``column`` is one of ``values``."""
    return _Among(column, sa.bindparam(None, list(values), type_=Many(column.type)))


def among_given(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """``column`` is one of the values of the parameter ``name``."""
    return _Among(column, sa.bindparam(name, type_=Many(column.type)))


def pair_among_given(
    first: sa.ColumnElement[Any], second: sa.ColumnElement[Any], names: tuple[str, str]
) -> sa.ColumnElement[bool]:
    """Two columns are, together, one of the pairs whose firsts and seconds two parameters list.

    For a key of two columns: a condition on the second column alone reads the whole index, conditions on either alone
    read every combination.
    """
    lists = (sa.bindparam(name, type_=Many(column.type)) for name, column in zip(names, (first, second), strict=True))
    return _PairAmong(first, second, *lists)


def unnested_pairs(names: tuple[str, str]) -> sa.TableValuedAlias:
    """A table of the pairs of numbers that two parameters list, in the columns ``one`` and ``other``.

    For a look-up by each pair in a scalar subquery: the planner may turn a join into a scan of the whole table.
    """
    pairs = _UnnestedPairs(*(sa.bindparam(name, type_=Many(BigNumber)) for name in names))
    return pairs.table_valued(sa.column("one", BigNumber), sa.column("other", BigNumber), name="given")


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
    """A condition that SQLAlchemy does not know.

    Its type is NULL, not boolean: SQLAlchemy appends ``= 1`` to unknown booleans on SQLite, which then ignores the
    index.
    """

    type: sa.types.TypeEngine[Any] = sa.types.NullType()


class _Among(_Condition):
    inherit_cache = True


@compiles(_Among, "postgresql")
def _among_array(element: _Among, compiler: Any, **kwargs: Any) -> str:
    column, values = element.clauses
    return f"{compiler.process(column, **kwargs)} = ANY({_array(column, values, compiler, **kwargs)})"


@compiles(_Among)
def _among_list(element: _Among, compiler: Any, **kwargs: Any) -> str:
    column, values = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


class _PairAmong(_Condition):
    inherit_cache = True


@compiles(_PairAmong, "postgresql")
def _pair_among_arrays(element: _PairAmong, compiler: Any, **kwargs: Any) -> str:
    first, second, *lists = element.clauses
    arrays = (_array(*given, compiler, **kwargs) for given in zip((first, second), lists, strict=True))
    pair = f"({compiler.process(first, **kwargs)}, {compiler.process(second, **kwargs)})"
    return f"{pair} IN (SELECT * FROM unnest({', '.join(arrays)}))"


@compiles(_PairAmong)
def _pair_among_lists(element: _PairAmong, compiler: Any, **kwargs: Any) -> str:
    first, second, firsts, seconds = (compiler.process(clause, **kwargs) for clause in element.clauses)
    listed = f"SELECT value, json_extract({seconds}, '$[' || key || ']') FROM json_each({firsts})"
    return f"({first}, {second}) IN ({listed})"


class _UnnestedPairs(sa.sql.functions.FunctionElement[Any]):
    inherit_cache = True


@compiles(_UnnestedPairs, "postgresql")
def _unnest_arrays(element: _UnnestedPairs, compiler: Any, **kwargs: Any) -> str:
    arrays = (f"CAST({compiler.process(values, **kwargs)} AS BIGINT[])" for values in element.clauses)
    return f"(SELECT * FROM unnest({', '.join(arrays)}) AS given (one, other))"


@compiles(_UnnestedPairs)
def _unnest_lists(element: _UnnestedPairs, compiler: Any, **kwargs: Any) -> str:
    ones, others = (compiler.process(values, **kwargs) for values in element.clauses)
    return f"(SELECT value AS one, json_extract({others}, '$[' || key || ']') AS other FROM json_each({ones}))"


def _array(column: sa.ColumnElement[Any], values: sa.ColumnElement[Any], compiler: Any, **kwargs: Any) -> str:
    return f"CAST({compiler.process(values, **kwargs)} AS {array_type(column)})"
