"""Compares a read model with a second fold of the logs, or replaces its rows by it.

A ``Projection`` is folded from the service's own log, a ``Followed`` model from the logs of its sources, up to the
tracked positions. The second fold has a SQLite database of its own, so the live tables are only read. A comparison sees
both at one position. A rebuild folds and compares while the service runs; writers wait only while it folds the last few
events and writes the rows that differ.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
import structlog

from shared import green
from shared.eventstore import Conflict, Message, Store, Transaction, sql
from shared.messaging.storage import dead_letters
from shared.messaging.storage.positions import tracked_positions
from shared.projections import Projection
from shared.projections.folding import batches, fold, scratch_database
from shared.projections.followed import Followed, ReadLog

log = structlog.get_logger()
MAX_DIFFERENCES = 100
PAGE = 1000
LOCK_SECONDS = 0.2
"""How long a rebuild waits for the locks of writers. PostgreSQL looks for deadlocks after a second and might end a
writer."""
LOCK_TRIES, LOCK_PAUSE_SECONDS = 50, 0.2

Key = tuple[Any, ...]
Row = dict[str, Any]
Values = tuple[Any, ...]
Model = Projection | Followed


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that differs from the fold. ``live`` or ``folded`` is None when the row is missing there."""

    table: str
    key: dict[str, Any]
    live: dict[str, Any] | None
    folded: dict[str, Any] | None


@dataclass(slots=True)
class Progress:
    """How far a rebuild has folded: ``position`` of ``head``, in the log or summed over the logs of the sources."""

    position: int = 0
    head: int = 0
    began: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float | None:
        """An estimate from the speed so far; None before the first batch."""
        if not self.position:
            return None
        return (time.monotonic() - self.began) * (self.head - self.position) / self.position


def compare(store: Store, model: Model, read_log: ReadLog | None = None) -> list[Difference]:
    """Where the live rows differ from the logs, at most ``MAX_DIFFERENCES``; an empty list when they are equal.

    ``read_log``: for a ``Followed`` model; what it raises is passed on.
    """
    with _fold(store, model, Progress(), read_log) as fold:
        return _compared(store, fold, model.tables)


def compare_own(store: Store) -> list[Difference]:
    """``compare`` for all read models that are folded from the service's own log, in one pass over it."""
    tables = [table for model in store.projections for table in model.tables]
    with scratch_database(tables) as scratch:
        return _compared(store, _OwnFold(store, store.projections, scratch, Progress()), tables)


def _compared(store: Store, fold: _Fold, tables: Sequence[sa.Table]) -> list[Difference]:
    fold.catch_up()
    with store.snapshot() as live:
        fold.advance(live)
        found = (one for table in tables for one in _differences(table, live, fold.scratch))
        return list(islice(found, MAX_DIFFERENCES))


def rebuild(store: Store, model: Model, progress: Progress | None = None, read_log: ReadLog | None = None) -> int:
    """Replaces the live rows that differ by the folded ones, in one transaction; returns how many rows the model has.

    Raises Conflict when writers hold the locks all the time.
    """
    with _fold(store, model, progress or Progress(), read_log) as fold:
        fold.catch_up()
        suspects = _Suspects(model.tables, fold.scratch)
        with store.snapshot() as live:
            fold.advance(live)
            suspects.compare(live)
        suspects.note_changes()
        for attempt in range(1, LOCK_TRIES + 1):
            fold.catch_up()
            try:
                with store.transaction() as tx:
                    keep_writers_away(tx.connection, model.tables)
                    store.log.lock(tx.connection)
                    fold.advance(tx.connection)
                    suspects.replace_differing(tx.connection)
                break
            except Conflict:
                if attempt == LOCK_TRIES:
                    raise
                green.sleep(LOCK_PAUSE_SECONDS)
        return sum(_count(table, fold.scratch) for table in model.tables)


def keep_writers_away(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Locks the tables against writers until the end of the transaction; readers continue.

    The order of locks is that of the writers: rows first, then the log. A row lock would not do: a writer that waits
    for a row which is deleted and inserted again continues without a lock.
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
        """Folds while the service runs, until little is left."""
        while True:
            with self._store.reading() as live:
                if self.advance(live) < PAGE:
                    return

    @abstractmethod
    def advance(self, live: sa.Connection) -> int:
        """Folds the events or messages that ``live`` sees and that are not folded yet; returns how many there were."""


class _OwnFold(_Fold):
    """From the service's own log, several read models in one pass."""

    def __init__(self, store: Store, models: Sequence[Projection], scratch: sa.Connection, progress: Progress) -> None:
        super().__init__(store, scratch, progress)
        self._models = models
        self._kinds = [kind for model in models for kind in model.kinds]

    def advance(self, live: sa.Connection) -> int:
        progress, count = self._progress, 0
        progress.head = self._store.log.head(live)
        events = self._store.log.events(live, after=progress.position, until=progress.head, kinds=self._kinds)
        for progress.position, folded in fold(self._models, events, self.scratch):
            count += len(folded)
        progress.position = progress.head
        return count


class _FollowedFold(_Fold):
    """From the logs of the sources, each up to the tracked position of the service."""

    def __init__(
        self, store: Store, model: Followed, scratch: sa.Connection, progress: Progress, read_log: ReadLog
    ) -> None:
        super().__init__(store, scratch, progress)
        self._model, self._read_log = model, read_log
        self._reached = dict.fromkeys(model.sources, 0)
        self._left_out: dict[tuple[str, int], Message] = {}
        """Messages among the dead letters that were not replayed: the live rows lack them too."""

    def advance(self, live: sa.Connection) -> int:
        followed = tracked_positions(live)
        targets = {source: followed.get(source, 0) for source in self._model.sources}
        self._progress.head = sum(targets.values())
        dead = dead_letters.not_replayed(live)
        handled = sum(self._follow(source, target, dead) for source, target in targets.items())
        for which in [which for which in self._left_out if which not in dead]:
            self._react([self._left_out.pop(which)])
        return handled

    def _follow(self, source: str, target: int, dead: set[tuple[str, int]]) -> int:
        handled = 0
        while self._reached[source] < target:
            page = self._read_log(source, self._reached[source], PAGE)
            messages = [message for message in page if message.position <= target]
            left_out = {(source, one.position): one for one in messages if (source, one.position) in dead}
            self._left_out |= left_out
            self._react([one for one in messages if (source, one.position) not in left_out])
            handled += len(messages)
            self._reached[source] = messages[-1].position if len(messages) == len(page) and messages else target
            self._progress.position = sum(self._reached.values())
            green.sleep(0)
        return handled

    def _react(self, messages: Sequence[Message]) -> None:
        """Handles messages; bisects when one of them fails, so that the others are handled."""
        if not messages:
            return
        try:
            with self.scratch.begin_nested():
                self._model.react(Transaction(self._store, self.scratch), messages)
        except Exception as error:
            if len(messages) == 1:
                log.warning("message not folded", model=self._model.name, message_id=messages[0].id, error=repr(error))
                return
            half = len(messages) // 2
            self._react(messages[:half])
            self._react(messages[half:])


@contextmanager
def _fold(store: Store, model: Model, progress: Progress, read_log: ReadLog | None) -> Iterator[_Fold]:
    if isinstance(model, Projection):
        with scratch_database(model.tables) as scratch:
            yield _OwnFold(store, [model], scratch, progress)
    else:
        assert read_log is not None
        with scratch_database(model.all_tables()) as scratch:
            yield _FollowedFold(store, model, scratch, progress, read_log)


class _Suspects:
    """The rows that may differ: those that differed when all were compared, and those folded since.

    An equal row stays equal until an event changes it. The suspects are compared again once writers are locked out.
    """

    def __init__(self, tables: Sequence[sa.Table], scratch: sa.Connection) -> None:
        self._scratch = scratch
        self._noted = {table: _keys_of(table) for table in tables}
        sql.create_tables(scratch, self._noted.values())

    def compare(self, live: sa.Connection) -> None:
        """Compares all rows and records the keys that differ."""
        for table, noted in self._noted.items():
            for found in batches(_differences(table, live, self._scratch), PAGE):
                sql.insert_many(self._scratch, noted, [difference.key for difference in found])

    def note_changes(self) -> None:
        """Notes every row that is folded from now on."""
        quote = self._scratch.dialect.identifier_preparer.quote
        for table, noted in self._noted.items():
            names = [quote(column.name) for column in noted.columns]
            for what, sides in (("INSERT", ["NEW"]), ("DELETE", ["OLD"]), ("UPDATE", ["OLD", "NEW"])):
                notes = "".join(_note(noted.name, names, side) for side in sides)
                self._scratch.exec_driver_sql(
                    f"CREATE TRIGGER {noted.name}_{what} AFTER {what} ON {quote(table.name)} BEGIN {notes} END"
                )

    def replace_differing(self, live: sa.Connection) -> None:
        """Replaces those that differ by the folded rows."""
        for table, noted in self._noted.items():
            keys = [tuple(row) for row in self._scratch.execute(sa.select(noted))]
            missing: list[Row] = []
            for page in batches(keys, PAGE):
                wrong, right = _rows_of(table, page, live), _rows_of(table, page, self._scratch)
                differing = [key for key in page if wrong.get(key) != right.get(key)]
                missing += [right[key] for key in differing if key in right]
                if gone := [key for key in differing if key in wrong]:
                    live.execute(table.delete().where(_is_among(table, gone)))
            for rows in batches(missing, PAGE):
                live.execute(table.insert(), rows)


def _keys_of(table: sa.Table) -> sa.Table:
    """A table of the keys of another."""
    columns = [sa.Column(column.name, column.type, primary_key=True) for column in table.primary_key]
    return sa.Table(f"suspects_in_{table.name}", sa.MetaData(), *columns)


def _note(table: str, names: Sequence[str], side: str) -> str:
    # not OR IGNORE: within a trigger SQLite applies the conflict policy of the outer statement
    values = ", ".join(f"{side}.{name}" for name in names)
    same = " AND ".join(f"{name} = {side}.{name}" for name in names)
    return f"INSERT INTO {table} SELECT {values} WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same}); "


def _is_among(table: sa.Table, keys: Sequence[Key]) -> sa.ColumnElement[bool]:
    return sa.tuple_(*table.primary_key).in_(keys)


def _rows_of(table: sa.Table, keys: Sequence[Key], connection: sa.Connection) -> dict[Key, Row]:
    return {key: _named(table, row) for key, row in _fetched(table, keys, connection).items()}


def _fetched(table: sa.Table, keys: Sequence[Key], connection: sa.Connection) -> dict[Key, Values]:
    return _by_key(table, connection.execute(sa.select(table).where(_is_among(table, keys))))


def _by_key(table: sa.Table, rows: Iterable[Any]) -> dict[Key, Values]:
    key_of = itemgetter(*_key_places(table))
    if len(table.primary_key) == 1:
        return {(key_of(row),): tuple(row) for row in rows}
    return {key_of(row): tuple(row) for row in rows}


def _key_places(table: sa.Table) -> list[int]:
    names = list(table.columns.keys())
    return [names.index(column.name) for column in table.primary_key]


def _named(table: sa.Table, values: Values) -> Row:
    return dict(zip(table.columns.keys(), values, strict=True))


def _count(table: sa.Table, connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _differences(table: sa.Table, live: sa.Connection, scratch: sa.Connection) -> Iterator[Difference]:
    """Compares page by page, each page with the rows of the same keys on the other side: the two databases may sort
    text differently, and neither side has to fit into memory."""
    names = [column.name for column in table.primary_key]

    def difference(key: Key, row: Values | None, folded: Values | None) -> Difference:
        return Difference(table.name, dict(zip(names, key, strict=True)), shown(row), shown(folded))

    def shown(values: Values | None) -> Row | None:
        return None if values is None else _named(table, values)

    known = 0
    for page in _pages(table, live):
        folded = _fetched(table, list(page), scratch)
        known += len(folded)
        for key, row in page.items():
            if row != folded.get(key):
                yield difference(key, row, folded.get(key))
    if known == _count(table, scratch):
        return
    for folded in _pages(table, scratch):
        stored = _fetched(table, list(folded), live)
        for key, row in folded.items():
            if key not in stored:
                yield difference(key, None, row)


def _pages(table: sa.Table, connection: sa.Connection) -> Iterator[dict[Key, Values]]:
    """The rows of a table by key, page by page, in the order of the primary key."""
    key = list(table.primary_key)
    query = sa.select(table).order_by(*key).limit(PAGE)
    page = _by_key(table, connection.execute(query))
    while page:
        yield page
        green.sleep(0)
        last = [sa.literal(value, column.type) for value, column in zip(next(reversed(page)), key, strict=True)]
        page = _by_key(table, connection.execute(query.where(sa.tuple_(*key) > sa.tuple_(*last))))
