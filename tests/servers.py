"""The real servers that tests use, and names of their own on them."""

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
    """The URL of an empty database; it and the roles made for it are gone afterwards."""
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


@contextmanager
def fresh_schema(database: str, service: str) -> Iterator[sa.Engine]:
    """The service's tables, empty, in a schema made anew within the database."""
    engine = make_engine(database, schema=service)
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {service} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {service}"))
    upgrade(engine, service)
    try:
        yield engine
    finally:
        engine.dispose()
