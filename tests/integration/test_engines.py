"""Connection pools for PostgreSQL after the server has terminated a connection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from shared.eventstore import engines
from shared.eventstore.engines import make_engine
from tests.servers import DATABASE


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = make_engine(DATABASE)
    yield engine
    engine.dispose()


def terminate_pooled_connection(engine: sa.Engine) -> int:
    """Returns a connection to the pool and lets the server terminate it; returns its server process."""
    with engine.connect() as connection:
        process: int = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    other = sa.create_engine(DATABASE, poolclass=sa.pool.NullPool)
    with other.connect() as connection:
        assert connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": process}).scalar_one()
    return process


def test_terminated_idle_connection_is_replaced(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "TRUSTED_SECONDS", 0.0)
    terminated = terminate_pooled_connection(engine)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() != terminated


def test_recently_used_connection_fails_once_and_is_replaced(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "TRUSTED_SECONDS", 3600.0)
    terminate_pooled_connection(engine)
    with pytest.raises(sa.exc.DBAPIError) as lost, engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    assert lost.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
