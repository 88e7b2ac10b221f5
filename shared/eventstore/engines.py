"""Database connections that greenlets may share: a pool on PostgreSQL, one gate before SQLite's single writer."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from shared import green
from shared.eventstore import trips
from shared.eventstore.waiting import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    STATEMENT_SECONDS,
    PatientConnection,
    wait_with_patience,
)

POOL_SIZE = 12
TRUSTED_SECONDS = 1.0
"""For so long after its last use a connection is taken to be alive."""
STATEMENTS = 2_000
"""How many compiled ones are kept for SQLite: about twice what the services have."""


LOST_HOST = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Seconds, and milliseconds, after which the machine itself finds that the other one is gone."""


def make_engine(
    url: str,
    *,
    schema: str | None = None,
    durable: bool = True,
    pool_size: int = POOL_SIZE,
    autocommit: bool = False,
) -> sa.Engine:
    """An engine for ``sqlite:///file`` or ``postgresql+psycopg2://…``; ``schema`` becomes the search path.

    ``durable=False``: a scratch database whose loss is of no account. ``pool_size``: connections at most.
    ``autocommit``: on PostgreSQL each statement is its own transaction unless a ``Store`` begins one; the store asks
    for it otherwise each time that it takes a connection, which is a tenth of a lone caller's command.
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url, durable)
    return _postgresql(url, schema, pool_size, autocommit)


def _postgresql(url: str, schema: str | None, pool_size: int, autocommit: bool) -> sa.Engine:
    wait_with_patience()
    options = f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c timezone=UTC"
    if schema:
        options += f" -c search_path={schema}"
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        pool_use_lifo=True,  # the database's process of the one used last knows the tables, and is in the caches
        json_deserializer=orjson.loads,
        connect_args={
            "options": options,
            "connect_timeout": CONNECT_SECONDS,
            "application_name": f"passculture {schema or ''}",
            "connection_factory": PatientConnection,
            **LOST_HOST,
        },
        **({"isolation_level": "AUTOCOMMIT"} if autocommit else {}),
    )
    engine.autocommit = autocommit  # type: ignore[attr-defined]  # read by Store
    trips.listen(engine)
    sa.event.listen(engine, "connect", _be_patient)
    sa.event.listen(engine, "checkin", _note_rest)
    sa.event.listen(engine, "checkout", _try_rested)
    return engine


def _be_patient(connection: Any, _record: Any) -> None:
    connection.seconds = ANSWER_SECONDS


def _note_rest(connection: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()
    if connection is not None:  # it was not thrown away
        connection.seconds = ANSWER_SECONDS


def _try_rested(connection: Any, record: Any, _fairy: Any) -> None:
    """A connection that lay idle may have been ended by the database: it is tried first, and replaced.

    Asking before every use would be one round trip in three of a read.
    """
    rests_since = record.info.get("rests_since")
    if rests_since is None or time.monotonic() - rests_since < TRUSTED_SECONDS:
        return
    connection.seconds = CONNECT_SECONDS
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise sa.exc.DisconnectionError from error
    connection.seconds = ANSWER_SECONDS


def _sqlite(url: str, durable: bool) -> sa.Engine:
    path = sa.make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    pool: dict[str, Any] = (
        {"poolclass": sa.pool.StaticPool} if not path or path == ":memory:" else {"pool_size": POOL_SIZE}
    )
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": STATEMENT_SECONDS}, **pool)
    sa.event.listen(engine, "connect", lambda connection, _record: _configure_sqlite(connection, durable))
    sa.event.listen(engine, "begin", _begin_sqlite)
    engine.dialect, statements = _spoken()
    engine.update_execution_options(compiled_cache=statements)
    engine.gate = green.Semaphore()  # type: ignore[attr-defined]  # read by Store: one writer at a time, without blocking others
    return engine


@cache
def _spoken() -> tuple[sa.Dialect, sa.util.LRUCache[Any, Any]]:
    """One dialect, and the statements compiled for it, for every file of the process.

    A fold's scratch file lives for a moment: each would compile again, at ten times the cost of carrying them out, what
    the one before it had.
    """
    first = sa.create_engine("sqlite://")
    with first.connect():  # which tells the dialect what it speaks to
        return first.dialect, sa.util.LRUCache(STATEMENTS)


def _configure_sqlite(connection: Any, durable: bool) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; _begin_sqlite does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes its place at once: a reader that became one later could find that its view is out of date.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
