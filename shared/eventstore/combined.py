"""Several selects combined into one statement, and so into one round trip.

A decision that reads several tables would cost a service more in round trips than the database needs for the answers.
On PostgreSQL the rows of each select come as one JSON list (``json_agg``); on SQLite, which is in the same process, the
selects are carried out one after the other. All of them see the same snapshot, so lock before (``sql.lock_rows``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import result_tuple

from shared.eventstore.sql import Instant, Json

_IN_JSON = (sa.Integer, sa.Text, sa.Boolean, Instant)
Rows = Sequence[sa.Row[Any]]


class CombinedSelect:
    """Selects by name, of columns that JSON can carry: numbers, texts, booleans, JSON, instants."""

    def __init__(self, **selects: sa.Select[Any]) -> None:
        self._selects = selects
        self._readers = [_reader(name, select) for name, select in selects.items()]
        self._statement = sa.select(*(_aggregated(select).label(name) for name, select in selects.items()))

    def read(self, connection: sa.Connection, values: Mapping[str, Any]) -> dict[str, Rows]:
        """The rows of each select, by its name. ``values``: the parameters of all of them."""
        if connection.dialect.name != "postgresql":
            return {name: connection.execute(select, values).all() for name, select in self._selects.items()}
        answers = connection.execute(self._statement, values).one()
        return {
            name: read(orjson.loads(answer)) if answer else []
            for name, read, answer in zip(self._selects, self._readers, answers, strict=True)
        }


def _is_carried(kind: sa.types.TypeEngine[Any]) -> bool:
    """A subclass of Json is not: it makes something else of the value when a row is read."""
    return type(kind) is Json or isinstance(kind, _IN_JSON)


def _aggregated(select: sa.Select[Any]) -> sa.ColumnElement[str]:
    """The rows of a select as the text of a JSON list of lists."""
    rows = select.subquery()
    aggregated = sa.select(sa.func.json_agg(sa.func.json_build_array(*rows.c))).select_from(rows)
    return sa.cast(aggregated.scalar_subquery(), sa.Text)


def _reader(name: str, select: sa.Select[Any]) -> Callable[[list[list[Any]]], Rows]:
    """The function that makes rows of the JSON."""
    columns = list(select.selected_columns)
    instants = [index for index, column in enumerate(columns) if isinstance(column.type, Instant)]
    refused = [column for column in columns if not _is_carried(column.type)]
    assert not refused, f"{name}: JSON carries no {refused}"
    make_row = result_tuple([str(column.key) for column in columns])

    def read(rows: list[list[Any]]) -> Rows:
        for row in rows:
            for index in instants:
                if row[index] is not None:
                    row[index] = datetime.fromisoformat(row[index])
        return [make_row(row) for row in rows]

    return read
