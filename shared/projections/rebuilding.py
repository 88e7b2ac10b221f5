"""Folds a read model again from the log, beside the live one, and says where they differ or puts it in its place.

The second fold goes into a SQLite database of its own, so the live tables are only read. A comparison sees both up to
one position. A rebuild folds and compares while the service goes on; its writers wait only for the last few events to
be folded and for the rows that differ to be written.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import eventlet
import sqlalchemy as sa

from shared.eventstore import Conflict, sql
from shared.eventstore.engines import make_engine
from shared.eventstore.store import Store
from shared.projections import Projection

MAX_DIFFERENCES = 100
PAGE = 1000
BREATH = 100
"""After so many events or rows the others of the process have their turn."""
LOCK_SECONDS = 0.2
"""So long a rebuild waits for the writers, and new ones behind it: less than the second after which PostgreSQL finds a
deadlock and ends one of those in it, who might be a writer."""
LOCK_TRIES, LOCK_PAUSE_SECONDS = 50, 0.2

T = TypeVar("T")
Key = tuple[Any, ...]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log says. ``live`` or ``folded`` is None where it is missing."""

    table: str
    key: dict[str, Any]
    live: dict[str, Any] | None
    folded: dict[str, Any] | None


@dataclass(slots=True)
class Progress:
    """How far a rebuild has folded: ``position`` of ``head``, both of the log."""

    position: int = 0
    head: int = 0
    began: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float | None:
        """If it goes on as it went until now; None before anything is known."""
        if not self.position:
            return None
        return (time.monotonic() - self.began) * (self.head - self.position) / self.position


def compare(store: Store, projection: Projection) -> list[Difference]:
    """Where the live rows differ from the log, at most ``MAX_DIFFERENCES``; an empty list when they are equal."""
    with _fold(store, projection, Progress()) as fold, store.snapshot() as live:
        fold.go_on(live)
        differences: list[Difference] = []
        for table in projection.tables:
            for difference in _differences(table, live, fold.scratch):
                differences.append(difference)
                if len(differences) >= MAX_DIFFERENCES:
                    return differences
        return differences


def rebuild(store: Store, projection: Projection, progress: Progress | None = None) -> int:
    """Puts freshly folded rows in the place of the live ones, in one transaction; gives how many rows there are.

    Only rows that differ are written. Raises Conflict when the writers leave no gap for it.
    """
    with _fold(store, projection, progress or Progress()) as fold:
        fold.catch_up()
        suspects = _Suspects(projection.tables, fold.scratch)
        with store.snapshot() as live:
            fold.go_on(live)
            suspects.compare(live)
        suspects.follow()
        for attempt in range(1, LOCK_TRIES + 1):
            fold.catch_up()
            try:
                with store.transaction() as tx:
                    keep_writers_away(tx.connection, projection.tables)
                    store.log.hold(tx.connection)
                    fold.go_on(tx.connection)
                    suspects.put_right(tx.connection)
                break
            except Conflict:
                if attempt == LOCK_TRIES:
                    raise
                eventlet.sleep(LOCK_PAUSE_SECONDS)
        return sum(_count(table, fold.scratch) for table in projection.tables)


def keep_writers_away(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Until the end of the transaction; readers go on. Before the log's lock, as the writers do it: rows, then the log.

    A writer that waited for one of the rows that are replaced would get no lock on it, and go on without one.
    """
    if connection.dialect.name == "postgresql":
        quote = connection.dialect.identifier_preparer.quote
        names = ", ".join(quote(table.name) for table in tables)
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {round(LOCK_SECONDS * 1000)}; LOCK TABLE {names} IN EXCLUSIVE MODE"
        )


class _Fold:
    """A projection folded from the log into a scratch database."""

    def __init__(self, store: Store, projection: Projection, scratch: sa.Connection, progress: Progress) -> None:
        self._store = store
        self._projection = projection
        self._progress = progress
        self.scratch = scratch

    def catch_up(self) -> None:
        """Beside the service, until little is left."""
        while True:
            with self._store.reading() as log:
                if self.go_on(log) < PAGE:
                    return

    def go_on(self, log: sa.Connection) -> int:
        """Folds what ``log`` has beyond what is folded; gives how many events it was."""
        progress, events = self._progress, 0
        progress.head = self._store.log.head(log)
        for position, _, event in self._store.log.events(log, after=progress.position, until=progress.head):
            self._projection.apply(self.scratch, [event], live=False)
            progress.position = position
            events += 1
            if events % BREATH == 0:
                eventlet.sleep(0)
        return events


@contextmanager
def _fold(store: Store, projection: Projection, progress: Progress) -> Iterator[_Fold]:
    with TemporaryDirectory(prefix="fold-") as folder:
        engine = make_engine(f"sqlite:///{folder}/scratch.sqlite", durable=False)
        try:
            with engine.connect() as scratch, scratch.begin():
                sql.create_tables(scratch, projection.tables)
                yield _Fold(store, projection, scratch, progress)
        finally:
            engine.dispose()


class _Suspects:
    """The rows that may differ: those that did when all were compared, and those that were folded since.

    A row that was equal stays so as long as no event changes it; the two are compared again once nobody writes.
    """

    def __init__(self, tables: Sequence[sa.Table], scratch: sa.Connection) -> None:
        self._scratch = scratch
        self._noted = {table: _keys_of(table) for table in tables}
        sql.create_tables(scratch, self._noted.values())

    def compare(self, live: sa.Connection) -> None:
        """All rows."""
        for table, noted in self._noted.items():
            for found in _pages(_differences(table, live, self._scratch)):
                sql.insert_many(self._scratch, noted, [difference.key for difference in found])

    def follow(self) -> None:
        """From here on whatever is folded is noted."""
        quote = self._scratch.dialect.identifier_preparer.quote
        for table, noted in self._noted.items():
            names = [quote(column.name) for column in noted.columns]
            for what, sides in (("INSERT", ["NEW"]), ("DELETE", ["OLD"]), ("UPDATE", ["OLD", "NEW"])):
                notes = "".join(_note(noted.name, names, side) for side in sides)
                self._scratch.exec_driver_sql(
                    f"CREATE TRIGGER {noted.name}_{what} AFTER {what} ON {quote(table.name)} BEGIN {notes} END"
                )

    def put_right(self, live: sa.Connection) -> None:
        """Writes those that differ as they were folded."""
        for table, noted in self._noted.items():
            keys = [tuple(row) for row in self._scratch.execute(sa.select(noted))]
            missing: list[Row] = []
            for page in _pages(keys):
                wrong, right = _rows_of(table, page, live), _rows_of(table, page, self._scratch)
                differing = [key for key in page if wrong.get(key) != right.get(key)]
                missing += [right[key] for key in differing if key in right]
                if gone := [key for key in differing if key in wrong]:
                    live.execute(table.delete().where(_is_among(table, gone)))
            for rows in _pages(missing):
                live.execute(table.insert(), rows)


def _pages(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while page := list(islice(rest, PAGE)):
        yield page


def _keys_of(table: sa.Table) -> sa.Table:
    """A table for keys of a table."""
    columns = [sa.Column(column.name, column.type, primary_key=True) for column in table.primary_key]
    return sa.Table(f"suspects_in_{table.name}", sa.MetaData(), *columns)


def _note(table: str, names: Sequence[str], side: str) -> str:
    # an OR IGNORE would not hold here: within a trigger the outer statement's own policy does
    values = ", ".join(f"{side}.{name}" for name in names)
    same = " AND ".join(f"{name} = {side}.{name}" for name in names)
    return f"INSERT INTO {table} SELECT {values} WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same}); "


def _is_among(table: sa.Table, keys: Sequence[Key]) -> sa.ColumnElement[bool]:
    return sa.tuple_(*table.primary_key).in_(keys)


def _rows_of(table: sa.Table, keys: Sequence[Key], connection: sa.Connection) -> dict[Key, Row]:
    names = [column.name for column in table.primary_key]
    found = [dict(row._mapping) for row in connection.execute(sa.select(table).where(_is_among(table, keys)))]
    return {tuple(row[name] for name in names): row for row in found}


def _count(table: sa.Table, connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


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
    rows: list[Row] = []
    for page in connection.execute(sa.select(table)).partitions(PAGE):
        rows += [dict(row._mapping) for row in page]
        eventlet.sleep(0)
    key = [column.name for column in table.primary_key]
    rows.sort(key=lambda row: _sortable(tuple(row[name] for name in key)))
    return iter(rows)


def _sortable(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((value is not None, str(type(value).__name__), value) for value in key)
