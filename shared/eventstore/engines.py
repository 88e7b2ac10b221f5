"""SQLAlchemy engines for green threads: a pool of connections on PostgreSQL, a write lock for SQLite's single writer.

What ``Database`` has to know of an engine is in the engine's execution options, SQLAlchemy's place for such options.
"""

from __future__ import annotations

import sqlite3
import time
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from shared import green
from shared.eventstore import batching
from shared.eventstore.waiting import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    STATEMENT_SECONDS,
    TimedConnection,
    install_wait_callback,
)

POOL_SIZE = 12
TRUSTED_SECONDS = 1.0
"""For so long after its last use a connection is not tested before the next."""
MAX_COMPILED_STATEMENTS = 2_000
"""Kept for SQLite: about twice as many as the services have."""
IS_AUTOCOMMIT, WRITE_LOCK, WRITES = "is_autocommit", "write_lock", "writes"
"""Execution options: of engines whose connections are in autocommit mode; of SQLite's engines, the lock that a writer
holds; of connections, whether a transaction writes."""

SCRATCH_CACHE_KIB = 32 * 1024
KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""After how long TCP finds that the server's machine is gone: seconds, and milliseconds."""


def make_engine(
    url: str,
    *,
    schema: str | None = None,
    durable: bool = True,
    pool_size: int = POOL_SIZE,
    autocommit: bool = False,
) -> sa.Engine:
    """An engine for ``sqlite:///file`` or ``postgresql+psycopg2://…``; ``schema`` becomes the search path.

    ``durable=False``: a scratch database that may be lost with the machine. ``pool_size``: connections at most.
    ``autocommit``: PostgreSQL's connections are in autocommit mode from the start, and a ``Database`` need not switch
    each one when it takes it, which is a tenth of a lone caller's command.
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url, durable)
    return _postgresql(url, schema, pool_size, autocommit)


def _postgresql(url: str, schema: str | None, pool_size: int, autocommit: bool) -> sa.Engine:
    install_wait_callback()
    options = f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c timezone=UTC"
    if schema:
        options += f" -c search_path={schema}"
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        pool_use_lifo=True,  # the server process of the connection used last has the tables in its caches
        json_deserializer=orjson.loads,
        connect_args={
            "options": options,
            "connect_timeout": CONNECT_SECONDS,
            "application_name": f"passculture {schema or ''}",
            "connection_factory": TimedConnection,
            **KEEPALIVES,
        },
        execution_options={IS_AUTOCOMMIT: autocommit},
        **({"isolation_level": "AUTOCOMMIT"} if autocommit else {}),
    )
    batching.listen(engine)
    sa.event.listen(engine, "connect", _allow_statements)
    sa.event.listen(engine, "checkin", _note_return)
    sa.event.listen(engine, "checkout", _test_idle)
    return engine


def _allow_statements(connection: Any, _record: Any) -> None:
    connection.seconds = ANSWER_SECONDS


def _note_return(connection: Any, record: Any) -> None:
    record.info["returned_at"] = time.monotonic()
    if connection is not None:  # it was not invalidated
        connection.seconds = ANSWER_SECONDS


def _test_idle(connection: Any, record: Any, _fairy: Any) -> None:
    """Tests a connection that was idle, which the server may have closed, and has the pool replace it.

    SQLAlchemy's ``pool_pre_ping`` tests before every use: one round trip in three of a read.
    """
    returned_at = record.info.get("returned_at")
    if returned_at is None or time.monotonic() - returned_at < TRUSTED_SECONDS:
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
    made = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": STATEMENT_SECONDS}, **pool)
    dialect, statements = _shared_dialect()
    options = {"compiled_cache": statements, WRITE_LOCK: green.Semaphore()}
    engine = sa.Engine(made.pool, dialect, made.url, execution_options=options)
    sa.event.listen(engine, "connect", lambda connection, _record: _configure_sqlite(connection, durable))
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def pool_size(engine: sa.Engine) -> int:
    """How many connections it has at most."""
    return engine.pool.size() if isinstance(engine.pool, sa.pool.QueuePool) else 1


def connections_in_use(engine: sa.Engine) -> int:
    """How many connections are taken from the pool. An in-memory database has a single connection, always in use."""
    return engine.pool.checkedout() if isinstance(engine.pool, sa.pool.QueuePool) else 1


def scratch_engine() -> sa.Engine:
    """SQLite's own temporary database, on one connection: SQLite writes pages to an unnamed file once they outgrow the
    cache, and deletes it with the connection."""
    made = sa.create_engine(
        "sqlite://", creator=lambda: sqlite3.connect("", check_same_thread=False), poolclass=sa.pool.StaticPool
    )
    dialect, statements = _shared_dialect()
    engine = sa.Engine(made.pool, dialect, made.url, execution_options={"compiled_cache": statements})
    sa.event.listen(engine, "connect", _configure_scratch)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


@cache
def _shared_dialect() -> tuple[sa.Dialect, sa.util.LRUCache[Any, Any]]:
    """One dialect, and the statements compiled for it, for all SQLite files of the process.

    A rebuild's scratch file lives for a moment, and to compile a statement takes ten times as long as to carry it out.
    """
    first = sa.create_engine("sqlite://")
    with first.connect():  # the first connection tells the dialect the version of SQLite
        return first.dialect, sa.util.LRUCache(MAX_COMPILED_STATEMENTS)


def _configure_sqlite(connection: Any, durable: bool) -> None:
    connection.isolation_level = None  # the driver begins no transactions; _begin_sqlite does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _configure_scratch(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # as above
    connection.executescript(
        f"PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-{SCRATCH_CACHE_KIB}"
    )


def _begin_sqlite(connection: sa.Connection) -> None:
    # IMMEDIATE takes SQLite's own write lock: a transaction that wrote after it has read could find its snapshot stale
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
