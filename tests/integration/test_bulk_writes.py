"""Bulk writes with array parameters: all column types, no rows, and upserts of some columns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from shared.eventstore import sql

metadata = sa.MetaData()
things = sa.Table(
    "things",
    metadata,
    sa.Column("number", sql.BigNumber, primary_key=True, autoincrement=False),
    sa.Column("order", sa.Text, primary_key=True),  # a name that needs quotes
    sa.Column("at", sql.Instant),
    sa.Column("day", sa.Date),
    sa.Column("stream", sa.Uuid),
    sa.Column("is_open", sa.Boolean),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("small", sa.Integer),
)
documents = sa.Table("documents", metadata, sa.Column("name", sa.Text, primary_key=True), sa.Column("body", sql.Json))
FULL = {
    "number": 2**53 - 1,
    "order": 'l\'été, {a} \\ "b" % 100 %s NULL',
    "at": datetime(2021, 11, 2, 9, 0, 0, 1, tzinfo=UTC),
    "day": date(2021, 11, 2),
    "stream": UUID(int=7),
    "is_open": True,
    "sealed": b"\x00\xff'",
    "small": -5,
}
EMPTY = {**dict.fromkeys(FULL), "number": 1, "order": ""}


@pytest.fixture
def connection(database: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(database)
    with engine.connect() as connection:  # never committed
        metadata.create_all(connection)
        yield connection
    engine.dispose()


def rows(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    found = connection.execute(sa.select(table).order_by(*table.primary_key))
    return [{str(name): value for name, value in row._mapping.items()} for row in found]


def test_insert_many_writes_all_types_and_accepts_no_rows(connection: sa.Connection) -> None:
    sql.insert_many(connection, things, [])
    sql.upsert(connection, things, [])
    sql.insert_many(connection, things, [EMPTY, FULL])
    assert rows(connection, things) == [EMPTY, FULL]
    with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
        sql.insert_many(connection, things, [FULL])


def test_upsert_replaces_only_the_given_columns(connection: sa.Connection) -> None:
    sql.upsert(connection, things, [FULL])
    key = {"number": FULL["number"], "order": FULL["order"]}
    sql.upsert(connection, things, [{**key, "small": 6}, {"number": 3, "order": "new", "small": 7}])
    assert rows(connection, things) == [
        {**dict.fromkeys(FULL), "number": 3, "order": "new", "small": 7},
        {**FULL, "small": 6},
    ]
    sql.upsert(connection, things, [key])
    assert len(rows(connection, things)) == 2


def test_upsert_writes_json_columns(connection: sa.Connection) -> None:
    sql.upsert(connection, documents, [{"name": "a", "body": {"x": [1, None]}}, {"name": "b", "body": []}])
    sql.upsert(connection, documents, [{"name": "a", "body": {"x": 2}}])
    sql.insert_many(connection, documents, [{"name": "c", "body": None}])
    assert [row["body"] for row in rows(connection, documents)] == [{"x": 2}, [], None]
