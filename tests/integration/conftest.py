"""Databases, schemas and names of a test's own on the real servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from shared.eventstore import Store
from shared.messaging import topology
from shared.messaging.connections import connect
from tests.servers import AMQP, own_database
from tests.unit.shared.toy import make_store

MakeStore = Callable[[str], Store]


@pytest.fixture
def database() -> Iterator[str]:
    with own_database() as url:
        yield url


@pytest.fixture
def make_toy_store(database: str) -> Iterator[MakeStore]:
    """A toy service's store in a schema named like the service."""
    made: list[Store] = []

    def make(service: str) -> Store:
        admin = sa.create_engine(database, poolclass=sa.pool.NullPool)
        with admin.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {service}")
        made.append(make_store(database, service=service, schema=service))
        return made[-1]

    yield make
    for store in made:
        store.engine.dispose()


@pytest.fixture
def namespace() -> Iterator[str]:
    """A prefix on the broker whose exchange ``source`` feeds the queue ``sink.from.source``; gone afterwards."""
    name = f"pc_test_{uuid.uuid4().hex[:10]}"
    services = {"source": [], "sink": ["source"]}
    connection = connect(AMQP)
    topology.declare(connection, name, services, purge=False)
    yield name
    topology.delete(connection, name, services)
    connection.release()
