"""Definitions of tables and indexes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import sqlalchemy as sa


def create_tables(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Creates tables with their indexes, each after those that it refers to, in a scratch database.

    They have no check constraints: a fold must be able to show rows that the live tables refuse.
    """
    for definition in _definitions(connection.dialect, tuple(tables)):
        connection.exec_driver_sql(definition)


@cache  # a rebuild creates the same tables in another scratch database each time
def _definitions(dialect: sa.Dialect, tables: tuple[sa.Table, ...]) -> list[str]:
    elements: list[sa.schema.DDLElement] = []
    scratch = sa.MetaData()
    for table in sa.schema.sort_tables([table.to_metadata(scratch) for table in tables]):
        table.constraints = {one for one in table.constraints if not isinstance(one, sa.CheckConstraint)}
        elements += [sa.schema.CreateTable(table), *(sa.schema.CreateIndex(index) for index in table.indexes)]
    return [str(element.compile(dialect=dialect)) for element in elements]


def partial_index(name: str, *columns: str, where: str) -> sa.Index:
    """An index of the rows for which a condition holds. It serves queries with the very same condition."""
    return sa.Index(name, *columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
