"""What PostgreSQL refuses because somebody else was faster, and what it would refuse every time."""

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


@pytest.mark.parametrize(
    "row", [(None, 1, 1), (2, 13, 1), (2, 1, 99)], ids=["an empty column", "a check", "a row that is not there"]
)
def test_what_the_tables_never_admit_is_no_conflict(store: Store, row: tuple[int | None, int, int]) -> None:
    with pytest.raises(sa.exc.IntegrityError), store.transaction() as tx:
        tx.connection.exec_driver_sql(LID, row)


def test_a_key_that_is_taken_is_one(store: Store) -> None:
    with pytest.raises(Conflict), store.transaction() as tx:
        tx.connection.exec_driver_sql(LID, (1, 1, 1))


def test_so_it_is_when_it_was_sent_with_rows_of_another_statement(store: Store) -> None:
    """The driver's own error then, which SQLAlchemy does not see."""
    with pytest.raises(Conflict), store.transaction() as tx:
        queue(tx.connection, LID, (1, 1, 1))
        tx.connection.exec_driver_sql(LID, [(2, 1, 1), (3, 1, 1)])
