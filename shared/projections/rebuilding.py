"""Folds a read model again from the log, beside the live one, and says where they differ or puts it in its place.

The second fold goes into a SQLite database of its own, so the live tables are only read. Both see the log up to one
position: what is recorded meanwhile changes neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.engines import make_engine
from shared.eventstore.store import Store
from shared.projections import Projection

MAX_DIFFERENCES = 100
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log says. ``live`` or ``folded`` is None where it is missing."""

    table: str
    key: dict[str, Any]
    live: dict[str, Any] | None
    folded: dict[str, Any] | None


def compare(store: Store, projection: Projection) -> list[Difference]:
    """Where the live rows differ from the log, at most ``MAX_DIFFERENCES``; an empty list when they are equal."""
    with store.snapshot() as live, _folded(store, live, projection) as scratch:
        differences: list[Difference] = []
        for table in projection.tables:
            for difference in _differences(table, live, scratch):
                differences.append(difference)
                if len(differences) >= MAX_DIFFERENCES:
                    return differences
        return differences


def rebuild(store: Store, projection: Projection) -> int:
    """Puts freshly folded rows in the place of the live ones, in one transaction; gives how many rows there are."""
    rows = 0
    with store.transaction() as tx:
        store.log.hold(tx.connection)  # nothing may be recorded between the fold and the switch
        with _folded(store, tx.connection, projection) as scratch:
            for table in projection.tables:
                tx.connection.execute(table.delete())
                for page in scratch.execute(sa.select(table)).partitions(PAGE):
                    tx.connection.execute(table.insert(), [dict(row._mapping) for row in page])
                    rows += len(page)
    return rows


@contextmanager
def _folded(store: Store, log: sa.Connection, projection: Projection) -> Iterator[sa.Connection]:
    """A connection to a database where the projection was folded from the log that ``log`` sees."""
    with TemporaryDirectory(prefix="fold-") as folder:
        engine = make_engine(f"sqlite:///{folder}/scratch.sqlite", durable=False)
        try:
            with engine.connect() as scratch, scratch.begin():
                sql.create_tables(scratch, projection.tables)
                for _, _, event in store.log.events(log):
                    projection.apply(scratch, [event], live=False)
                yield scratch
        finally:
            engine.dispose()


def _differences(table: sa.Table, live: sa.Connection, scratch: sa.Connection) -> Iterator[Difference]:
    """Both sides in the order of the primary key, walked together."""
    key = [column.name for column in table.primary_key]
    left, right = _rows(table, live), _rows(table, scratch)
    mine, other = next(left, None), next(right, None)
    while mine is not None or other is not None:
        here = tuple(mine[name] for name in key) if mine else None
        there = tuple(other[name] for name in key) if other else None
        if other is None or (here is not None and there is not None and _sortable(here) < _sortable(there)):
            assert mine is not None and here is not None
            yield Difference(table.name, dict(zip(key, here, strict=True)), mine, None)
            mine = next(left, None)
        elif mine is None or (here is not None and there is not None and _sortable(there) < _sortable(here)):
            assert there is not None
            yield Difference(table.name, dict(zip(key, there, strict=True)), None, other)
            other = next(right, None)
        else:
            assert here is not None
            if mine != other:
                yield Difference(table.name, dict(zip(key, here, strict=True)), mine, other)
            mine, other = next(left, None), next(right, None)


def _rows(table: sa.Table, connection: sa.Connection) -> Iterator[dict[str, Any]]:
    # sorted here: the two databases may sort text differently
    rows = [dict(row._mapping) for row in connection.execute(sa.select(table))]
    key = [column.name for column in table.primary_key]
    rows.sort(key=lambda row: _sortable(tuple(row[name] for name in key)))
    return iter(rows)


def _sortable(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((value is not None, str(type(value).__name__), value) for value in key)
