"""The public read model on PostgreSQL: the very tests that run on SQLite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import fresh_schema, own_database
from tests.unit.gateway_catalogue.shelf import Shelf
from tests.unit.gateway_catalogue.test_offer import *  # noqa: F403 - the same tests, another database
from tests.unit.gateway_catalogue.test_search import *  # noqa: F403


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with own_database() as url:
        yield url


@pytest.fixture
def shelf(database: str) -> Iterator[Shelf]:
    """In a schema of its own, made anew for each test."""
    with fresh_schema(database, "gateway") as engine:
        yield Shelf(engine)
