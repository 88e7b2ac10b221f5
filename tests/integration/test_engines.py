"""Connections to PostgreSQL, and what becomes of them when the database ends one."""

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


def end_from_outside(engine: sa.Engine) -> int:
    """Uses a connection, gives it back, and has the server end it; gives its process."""
    with engine.connect() as connection:
        process: int = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    other = sa.create_engine(DATABASE, poolclass=sa.pool.NullPool)
    with other.connect() as connection:
        assert connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": process}).scalar_one()
    return process


def test_a_connection_that_was_ended_while_it_rested_is_replaced(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "TRUSTED_SECONDS", 0.0)
    ended = end_from_outside(engine)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() != ended


def test_one_that_is_trusted_fails_once_and_the_next_is_new(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "TRUSTED_SECONDS", 3600.0)
    end_from_outside(engine)
    with pytest.raises(sa.exc.DBAPIError) as lost, engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    assert lost.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
