"""Folds a read model again from the logs, beside the live one, and says where they differ or puts it in its place.

Of a ``Projection`` that is the service's own log, of a ``Followed`` model the sources', each as far as it was followed.
The second fold goes into a SQLite database of its own, so the live tables are only read. A comparison sees both up to
one position. A rebuild folds and compares while the service goes on; its writers wait only for the last few events to
be folded and for the rows that differ to be written.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog

from shared import green
from shared.eventstore import Conflict, Message, Store, Transaction, sql
from shared.eventstore.engines import make_engine
from shared.eventstore.tables import dead_letters, tracking
from shared.projections import Projection
from shared.projections.followed import Followed, ReadLog

log = structlog.get_logger()
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
Model = Projection | Followed


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log says. ``live`` or ``folded`` is None where it is missing."""

    table: str
    key: dict[str, Any]
    live: dict[str, Any] | None
    folded: dict[str, Any] | None


@dataclass(slots=True)
class Progress:
    """How far a rebuild has folded: ``position`` of ``head``, both of the log, or summed over the sources' logs."""

    position: int = 0
    head: int = 0
    began: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float | None:
        """If it goes on as it went until now; None before anything is known."""
        if not self.position:
            return None
        return (time.monotonic() - self.began) * (self.head - self.position) / self.position


def compare(store: Store, model: Model, read_log: ReadLog | None = None) -> list[Difference]:
    """Where the live rows differ from the logs, at most ``MAX_DIFFERENCES``; an empty list when they are equal.

    ``read_log``: for a ``Followed`` model. Raises what it raises.
    """
    with _fold(store, model, Progress(), read_log) as fold:
        fold.catch_up()
        with store.snapshot() as live:
            fold.go_on(live)
            found = (one for table in model.tables for one in _differences(table, live, fold.scratch))
            return list(islice(found, MAX_DIFFERENCES))


def rebuild(store: Store, model: Model, progress: Progress | None = None, read_log: ReadLog | None = None) -> int:
    """Puts freshly folded rows in the place of the live ones, in one transaction; gives how many rows there are.

    Only rows that differ are written. Raises Conflict when the writers leave no gap for it.
    """
    with _fold(store, model, progress or Progress(), read_log) as fold:
        fold.catch_up()
        suspects = _Suspects(model.tables, fold.scratch)
        with store.snapshot() as live:
            fold.go_on(live)
            suspects.compare(live)
        suspects.follow()
        for attempt in range(1, LOCK_TRIES + 1):
            fold.catch_up()
            try:
                with store.transaction() as tx:
                    keep_writers_away(tx.connection, model.tables)
                    store.log.lock(tx.connection)
                    fold.go_on(tx.connection)
                    suspects.put_right(tx.connection)
                break
            except Conflict:
                if attempt == LOCK_TRIES:
                    raise
                green.sleep(LOCK_PAUSE_SECONDS)
        return sum(_count(table, fold.scratch) for table in model.tables)


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


class _Fold(ABC):
    """A read model folded into a scratch database."""

    def __init__(self, store: Store, scratch: sa.Connection, progress: Progress) -> None:
        self._store = store
        self._progress = progress
        self.scratch = scratch

    def catch_up(self) -> None:
        """Beside the service, until little is left."""
        while True:
            with self._store.reading() as live:
                if self.go_on(live) < PAGE:
                    return

    @abstractmethod
    def go_on(self, live: sa.Connection) -> int:
        """Folds what ``live`` has seen beyond what is folded; gives how many events or messages it was."""


class _OwnFold(_Fold):
    """Of the service's own log."""

    def __init__(self, store: Store, model: Projection, scratch: sa.Connection, progress: Progress) -> None:
        super().__init__(store, scratch, progress)
        self._model = model
        sql.create_tables(scratch, model.tables)

    def go_on(self, live: sa.Connection) -> int:
        progress, events = self._progress, 0
        progress.head = self._store.log.head(live)
        begin, kinds = progress.position, self._model.kinds
        for position, _, event in self._store.log.events(live, after=begin, until=progress.head, kinds=kinds):
            self._model.apply(self.scratch, [event], live=False)
            progress.position = position
            events += 1
            if events % BREATH == 0:
                green.sleep(0)
        progress.position = progress.head
        return events


class _FollowedFold(_Fold):
    """Of the sources' logs, each as far as the service has followed it."""

    def __init__(
        self, store: Store, model: Followed, scratch: sa.Connection, progress: Progress, read_log: ReadLog
    ) -> None:
        super().__init__(store, scratch, progress)
        self._model, self._read_log = model, read_log
        self._reached = dict.fromkeys(model.sources, 0)
        self._apart: dict[tuple[str, int], Message] = {}
        """What has a letter that was not replayed: the live rows are without it, too."""
        sql.create_tables(scratch, model.all_tables())

    def go_on(self, live: sa.Connection) -> int:
        followed = {row.source: row.position for row in live.execute(sa.select(tracking))}
        targets = {source: followed.get(source, 0) for source in self._model.sources}
        self._progress.head = sum(targets.values())
        letters = self._letters(live)
        handled = sum(self._follow(source, target, letters) for source, target in targets.items())
        for which in [which for which in self._apart if which not in letters]:
            self._react([self._apart.pop(which)])
        return handled

    def _letters(self, live: sa.Connection) -> set[tuple[str, int]]:
        """(source, position) of what failed, waits behind it or was discarded."""
        query = sa.select(dead_letters.c.source, dead_letters.c.position).where(dead_letters.c.state != "replayed")
        return {(row.source, row.position) for row in live.execute(query)}

    def _follow(self, source: str, target: int, letters: set[tuple[str, int]]) -> int:
        handled = 0
        while self._reached[source] < target:
            page = self._read_log(source, self._reached[source], PAGE)
            told = [message for message in page if message.position <= target]
            apart = {(source, one.position): one for one in told if (source, one.position) in letters}
            self._apart |= apart
            self._react([one for one in told if (source, one.position) not in apart])
            handled += len(told)
            self._reached[source] = told[-1].position if len(told) == len(page) and told else target
            self._progress.position = sum(self._reached.values())
            green.sleep(0)
        return handled

    def _react(self, messages: Sequence[Message]) -> None:
        """All of them; when one fails, the others."""
        if not messages:
            return
        try:
            with self.scratch.begin_nested():
                self._model.react(Transaction(self._store, self.scratch), messages)
        except Exception as error:
            if len(messages) == 1:
                log.warning("not folded", model=self._model.name, message_id=messages[0].id, error=repr(error))
                return
            half = len(messages) // 2
            self._react(messages[:half])
            self._react(messages[half:])


@contextmanager
def _fold(store: Store, model: Model, progress: Progress, read_log: ReadLog | None) -> Iterator[_Fold]:
    with TemporaryDirectory(prefix="fold-") as folder:
        engine = make_engine(f"sqlite:///{folder}/scratch.sqlite", durable=False)
        try:
            with engine.connect() as scratch, scratch.begin():
                if isinstance(model, Projection):
                    yield _OwnFold(store, model, scratch, progress)
                else:
                    assert read_log is not None
                    yield _FollowedFold(store, model, scratch, progress, read_log)
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
    """In pages of either side, each beside the other side's rows of the same keys: the two databases may sort text
    differently, and neither side need fit into memory."""
    names = [column.name for column in table.primary_key]
    for mine in _rows(table, live):
        folded = _rows_of(table, list(mine), scratch)
        for key, row in mine.items():
            if row != folded.get(key):
                yield Difference(table.name, dict(zip(names, key, strict=True)), row, folded.get(key))
    for folded in _rows(table, scratch):
        there = _rows_of(table, list(folded), live)
        for key, row in folded.items():
            if key not in there:
                yield Difference(table.name, dict(zip(names, key, strict=True)), None, row)


def _rows(table: sa.Table, connection: sa.Connection) -> Iterator[dict[Key, Row]]:
    """All of a table, page by page, in the order of its primary key."""
    key = list(table.primary_key)
    query = sa.select(table).order_by(*key).limit(PAGE)
    page = [dict(row._mapping) for row in connection.execute(query)]
    while page:
        yield {tuple(row[column.name] for column in key): row for row in page}
        green.sleep(0)
        last = [sa.literal(page[-1][column.name], column.type) for column in key]
        later = query.where(sa.tuple_(*key) > sa.tuple_(*last))
        page = [dict(row._mapping) for row in connection.execute(later)]
