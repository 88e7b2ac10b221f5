"""Integrity errors of PostgreSQL: unique violations are conflicts, which a retry may resolve; others are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from shared.eventstore import Conflict, Store
from shared.eventstore.batching import queue
from tests.integration.conftest import MakeStore
from tests.unit.shared.toy import fill

LID = "INSERT INTO lids VALUES (%s, %s, %s)"


@pytest.fixture
def store(make_toy_store: MakeStore) -> Iterator[Store]:
    store = make_toy_store("toy")
    fill(store, 1, 1)
    with store.transaction() as tx:
        tx.connection.exec_driver_sql(
            "CREATE TABLE lids"
            " (lid integer NOT NULL UNIQUE, size integer CHECK (size < 9), owner integer REFERENCES totals)"
        )
        tx.connection.exec_driver_sql(LID, (1, 1, 1))
    return store


@pytest.mark.parametrize("row", [(None, 1, 1), (2, 13, 1), (2, 1, 99)], ids=["not null", "check", "foreign key"])
def test_other_integrity_errors_are_no_conflicts(store: Store, row: tuple[int | None, int, int]) -> None:
    with pytest.raises(sa.exc.IntegrityError), store.transaction() as tx:
        tx.connection.exec_driver_sql(LID, row)


def test_unique_violation_is_a_conflict(store: Store) -> None:
    with pytest.raises(Conflict), store.transaction() as tx:
        tx.connection.exec_driver_sql(LID, (1, 1, 1))


def test_unique_violation_of_a_queued_statement_is_a_conflict(store: Store) -> None:
    """The driver raises the error, and SQLAlchemy does not translate it."""
    with pytest.raises(Conflict), store.transaction() as tx:
        queue(tx.connection, LID, (1, 1, 1))
        tx.connection.exec_driver_sql(LID, [(2, 1, 1), (3, 1, 1)])
