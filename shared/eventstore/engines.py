"""Database connections that greenlets may share: a pool on PostgreSQL, one gate before SQLite's single writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from eventlet.semaphore import Semaphore

POOL_SIZE = 12
CONNECT_SECONDS = 3
STATEMENT_SECONDS = 30


def make_engine(url: str, *, schema: str | None = None, durable: bool = True) -> sa.Engine:
    """An engine for ``sqlite:///file`` or ``postgresql+psycopg2://…``; ``schema`` becomes the search path.

    ``durable=False``: a scratch database whose loss is of no account.
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url, durable)
    return _postgresql(url, schema)


def _postgresql(url: str, schema: str | None) -> sa.Engine:
    options = f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c timezone=UTC"
    if schema:
        options += f" -c search_path={schema}"
    return sa.create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        pool_pre_ping=True,
        connect_args={
            "options": options,
            "connect_timeout": CONNECT_SECONDS,
            "application_name": f"passculture {schema or ''}",
        },
    )


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
    engine.gate = Semaphore()  # type: ignore[attr-defined]  # read by Store: one writer at a time, without blocking others
    return engine


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
