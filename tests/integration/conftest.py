"""Databases, schemas and namespaces for tests on PostgreSQL and RabbitMQ."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from shared.eventstore import Store
from shared.messaging import topology
from shared.messaging.connections import connect
from tests.servers import AMQP, Schema, own_database
from tests.unit.shared.toy import make_store

MakeStore = Callable[[str], Store]
Empty = Callable[[str], sa.Engine]


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """Shared by all tests of the level; a test drops the schemas that it creates."""
    with own_database() as url:
        yield url


@pytest.fixture(scope="session")
def empty(database: str) -> Iterator[Empty]:
    """An engine with the empty tables of a service. Tests must not alter the tables or listen to the engine."""
    made: dict[str, Schema] = {}

    def schema(service: str) -> sa.Engine:
        if service not in made:
            made[service] = Schema(database, service)
        return made[service].emptied()

    yield schema
    for one in made.values():
        one.engine.dispose()


@pytest.fixture
def make_toy_store(database: str) -> Iterator[MakeStore]:
    """Creates the store of a toy service in a schema with the service's name."""
    admin = sa.create_engine(database, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    made: dict[str, Store] = {}

    def make(service: str) -> Store:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {service}")
        made[service] = make_store(database, service=service, schema=service)
        return made[service]

    yield make
    for service, store in made.items():
        store.engine.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {service} CASCADE")


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace whose exchange ``source`` feeds the queue ``sink.from.source``. It is deleted afterwards."""
    name = f"pc_test_{uuid.uuid4().hex[:10]}"
    services = {"source": [], "sink": ["source"]}
    connection = connect(AMQP)
    topology.declare(connection, name, services, purge=False)
    yield name
    topology.delete(connection, name, services)
    connection.release()
