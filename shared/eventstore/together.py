"""Several selects, one round trip.

Where a transaction decides on what stands in several tables, each of its questions costs a service more than the
database needs for the answer. On PostgreSQL they are one statement here, whose answers come as JSON; on SQLite, where
nothing travels, each is carried out by itself.

All of them see the same state. What has to be locked is locked before, with ``sql.hold_rows``: a statement that
waits for a lock sees what it locked as it is then, and what stands beside it as it was before the wait.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from shared.eventstore.sql import Instant, Json

_AS_IN_JSON = (sa.Integer, sa.Text, sa.Boolean, Json)


class Together:
    """Selects by name, of columns that JSON can carry: numbers, texts, booleans, JSON, instants."""

    def __init__(self, **selects: sa.Select[Any]) -> None:
        self._selects = selects
        self._readers = [_reader(name, select) for name, select in selects.items()]
        self._statement = sa.select(*(_list(select).label(name) for name, select in selects.items()))

    def read(self, connection: sa.Connection, values: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
        """The rows of each, in its order. ``values`` are those that are given to any of them."""
        if connection.dialect.name != "postgresql":
            return {name: connection.execute(select, values).all() for name, select in self._selects.items()}
        answers = connection.execute(self._statement, values).one()
        return {
            name: read(orjson.loads(answer)) if answer else []
            for (name, read), answer in zip(self._readers, answers, strict=True)
        }


def _list(select: sa.Select[Any]) -> sa.ColumnElement[str]:
    """Its rows as one text."""
    rows = select.subquery()
    listed = sa.select(sa.func.json_agg(sa.func.json_build_array(*rows.c))).select_from(rows)
    return sa.cast(listed.scalar_subquery(), sa.Text)


def _reader(name: str, select: sa.Select[Any]) -> tuple[str, Callable[[list[list[Any]]], list[Any]]]:
    columns = list(select.selected_columns)
    instants = [index for index, column in enumerate(columns) if isinstance(column.type, Instant)]
    strange = [
        column
        for index, column in enumerate(columns)
        if index not in instants and not isinstance(column.type, _AS_IN_JSON)
    ]
    assert not strange, f"{name}: JSON carries no {strange}"
    make = namedtuple(name, [column.key for column in columns])._make  # type: ignore[attr-defined, misc]

    def read(rows: list[list[Any]]) -> list[Any]:
        for row in rows:
            for index in instants:
                if row[index] is not None:
                    row[index] = datetime.fromisoformat(row[index])
        return list(map(make, rows))

    return name, read
