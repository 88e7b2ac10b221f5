"""One database: what is read of it in no transaction, what is written to it in one of ours, round trips fewer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import sqlalchemy as sa

from shared.eventstore import trips


class Database:
    """The connections of an engine that ``make_engine`` made."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._gate = getattr(engine, "gate", None)
        is_alone = self._gate is not None or getattr(engine, "autocommit", False)
        self._alone = engine if is_alone else engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def has_one_writer(self) -> bool:
        """As SQLite: whoever writes waits its turn, without blocking the other greenlets."""
        return self._gate is not None

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """On PostgreSQL each statement sees what is committed when it begins, and one that writes commits itself."""
        return self._alone.connect()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction: committed at the end of the block, rolled back on any exception."""
        if self._gate is None:
            with self._alone.connect() as connection, trips.transaction(connection):
                yield connection
        else:
            with self._gate, self.engine.connect() as plain:
                connection = plain.execution_options(writes=True)
                with connection.begin():
                    yield connection


__all__ = ["Database"]
