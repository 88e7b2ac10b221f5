"""One database: how it is read, and how it is written to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import sqlalchemy as sa

from shared.eventstore import batching
from shared.eventstore.engines import IS_AUTOCOMMIT, WRITE_LOCK, WRITES


class Database:
    """The connections of an engine that ``make_engine`` made."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        options = engine.get_execution_options()
        self._write_lock = options.get(WRITE_LOCK)
        is_autocommit = self.has_one_writer or options.get(IS_AUTOCOMMIT)
        self._autocommit = engine if is_autocommit else engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def has_one_writer(self) -> bool:
        """Whether writers take turns, as on SQLite."""
        return self._write_lock is not None

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """On PostgreSQL each statement sees what is committed when it begins, and one that writes commits itself."""
        return self._autocommit.connect()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction: committed at the end of the block, rolled back on any exception."""
        if self._write_lock is None:
            with self._autocommit.connect() as connection, batching.transaction(connection):
                yield connection
        else:
            with self._write_lock, self.engine.connect() as plain:
                connection = plain.execution_options(**{WRITES: True})
                with connection.begin():
                    yield connection


__all__ = ["Database"]
