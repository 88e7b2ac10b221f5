"""Statement batching on PostgreSQL: statements whose result nobody reads are queued and sent with the next one.

A round trip costs a service more than the database needs for the statement, and psycopg2 does not know libpq's pipeline
mode. Several statements in one string save the same round trips: in a ``transaction``, ``BEGIN`` and what is queued go
in front of the next statement. The server carries them out in their order, each with a snapshot of its own (READ
COMMITTED). An error of a queued statement is raised by the one that takes it along. ``COMMIT`` is piggybacked as well
(``commit_with``): the log is locked for no round trip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

_BATCH = "batch"
"""Where SQLAlchemy's ``Connection.info`` has the batch of the transaction."""


@dataclass(slots=True)
class _Batch:
    """The statements of a transaction that were not sent yet."""

    queued: list[str] = field(default_factory=list)
    begun: bool = False
    """Whether the server has been sent ``BEGIN``."""

    def take(self) -> list[str]:
        """What goes in front of the next statement."""
        statements = self.queued if self.begun else ["BEGIN", *self.queued]
        self.queued, self.begun = [], True
        return statements


def listen(engine: sa.Engine) -> None:
    """Makes an engine's connections send what is queued."""
    sa.event.listen(engine, "before_cursor_execute", _take_along, retval=True)


@contextmanager
def transaction(connection: sa.Connection) -> Iterator[None]:
    """A transaction on an autocommit connection: committed at the end of the block, rolled back on any exception."""
    batch = connection.info[_BATCH] = _Batch()
    try:
        yield
        if batch.begun or batch.queued:
            connection.exec_driver_sql("COMMIT")
    except BaseException:
        _roll_back(connection, batch)
        raise
    finally:
        if not connection.invalidated and not connection.closed:
            connection.info.pop(_BATCH, None)


def queue(connection: sa.Connection, statement: str, values: Sequence[Any]) -> None:
    """Sends a statement with the next one, or with the commit; at once outside a ``transaction``. Has no result.

    The statement and its values are as psycopg2 takes them.
    """
    batch = connection.info.get(_BATCH)
    if batch is None:
        connection.exec_driver_sql(statement, tuple(values))
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        batch.queued.append(cursor.mogrify(statement, values).decode())


def commit_with(connection: sa.Connection, query: sa.Select[Any], values: Mapping[str, Any]) -> sa.CursorResult[Any]:
    """Commits the transaction and carries out a query, in one round trip.

    psycopg2 returns the result of a string's last statement only: the query reads what was written before the commit.
    On SQLite, where a round trip costs nothing, the end of the block commits.
    """
    batch = connection.info.get(_BATCH)
    if batch is None:
        return connection.execute(query, values)
    batch.queued.append("COMMIT")
    result = connection.execute(query, values)
    batch.begun = False
    return result


def _take_along(
    connection: sa.Connection, cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
) -> tuple[str, Any]:
    batch = connection.info.get(_BATCH)
    before = batch.take() if batch is not None else []
    if not before:
        return statement, parameters
    text = ";\n".join(before)
    if executemany:
        cursor.execute(text)
        return statement, parameters
    return f"{text.replace('%', '%%')};\n{statement}", parameters


def _roll_back(connection: sa.Connection, batch: _Batch) -> None:
    """A connection on which that fails is closed: the database then ends the transaction."""
    if connection.invalidated or connection.closed or not batch.begun:
        return
    batch.queued.clear()
    try:
        connection.exec_driver_sql("ROLLBACK")
    except BaseException as error:
        with suppress(Exception):
            connection.invalidate(error)
        if not isinstance(error, Exception):
            raise
