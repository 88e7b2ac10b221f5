"""PostgreSQL and RabbitMQ for tests, and a separate database for each test or platform."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import sqlalchemy as sa

from shared.eventstore.engines import make_engine
from shared.runtime.migrations import upgrade

DATABASE = os.environ.get("DATABASE_TEST_URL", "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")
AMQP = os.environ.get("AMQP_TEST_URI", "amqp://guest:guest@127.0.0.1:5672//")


def amqp_answers() -> bool:
    return _answers(AMQP, 5672)


def postgresql_answers() -> bool:
    return _answers(DATABASE, 5432)


def _answers(url: str, default: int) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or default), timeout=2):
            return True
    except OSError:
        return False


@contextmanager
def own_database() -> Iterator[str]:
    """The URL of an empty database. The database and its roles are dropped afterwards."""
    name = f"pc_test_{uuid.uuid4().hex[:10]}"
    admin = sa.create_engine(DATABASE, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield sa.make_url(DATABASE).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
            own = sa.text("SELECT rolname FROM pg_roles WHERE rolname LIKE :of")
            roles = connection.execute(own, {"of": f"{name}\\_%"})
            for role in roles.scalars().all():
                connection.exec_driver_sql(f"DROP ROLE {role}")
        admin.dispose()


def lock_waiters(engine: sa.Engine) -> int:
    """The number of sessions of the engine's database that wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


class Schema:
    """The tables of a service in a schema: created once, emptied for each test."""

    def __init__(self, database: str, service: str) -> None:
        self.engine = make_engine(database, schema=service)
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {service}")
        upgrade(self.engine, service)
        with self.engine.connect() as connection:
            metadata = sa.MetaData()
            metadata.reflect(connection)
            counters = sa.text("SELECT sequencename FROM pg_sequences WHERE schemaname = :of")
            restart = [f"ALTER SEQUENCE {name} RESTART" for name in connection.scalars(counters, {"of": service})]
            tables = metadata.sorted_tables
            # faster than TRUNCATE for a few rows, because TRUNCATE creates new files
            self._empty = ";".join([*(f"DELETE FROM {table.name}" for table in reversed(tables)), *restart])
            migrated = [(table, connection.execute(sa.select(table)).mappings().all()) for table in tables]
            self._migrated = [(table, rows) for table, rows in migrated if rows]

    def emptied(self) -> sa.Engine:
        """The engine, after restoring the rows to those after the migrations."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(self._empty)
            for table, rows in self._migrated:
                connection.execute(table.insert(), rows)
        return self.engine
