"""Batched statements: a queued statement runs with the next one, in order and in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from shared import green
from shared.eventstore import Conflict, Store, StoreUnavailable, sql
from tests.integration.conftest import MakeStore
from tests.unit.shared.toy import Jar, totals
from tests.waiting import TIMEOUT_SECONDS

AWKWARD = 'l\'été, 100 %s \\ "b"; COMMIT'


@pytest.fixture
def store(make_toy_store: MakeStore) -> Store:
    store = make_toy_store("source")
    with store.transaction() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE notes (id bigint PRIMARY KEY, body text)")
    return store


@pytest.fixture
def sent(store: Store) -> Iterator[list[str]]:
    """Every string sent to the database; each may have several statements."""
    strings: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        strings.append(statement)

    sa.event.listen(store.engine, "after_cursor_execute", record)
    yield strings
    sa.event.remove(store.engine, "after_cursor_execute", record)


notes = sa.Table("notes", sa.MetaData(), sa.Column("id", sql.BigNumber, primary_key=True), sa.Column("body", sa.Text))


def found(store: Store) -> list[tuple[int, str]]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(sa.select(notes).order_by(notes.c.id))]


def fill_one(store: Store, owner: int) -> None:
    with store.transaction() as tx:
        jar = Jar.open(tx.now, owner)
        jar.fill(tx.now, 5)
        tx.save(jar)
        sql.insert_many(tx.connection, notes, [{"id": owner, "body": AWKWARD}])
        sql.upsert(tx.connection, notes, [{"id": owner, "body": AWKWARD}])


def test_many_writes_take_few_round_trips(store: Store, sent: list[str]) -> None:
    fill_one(store, 1)
    assert [one.count("INSERT INTO notes") for one in sent] == [
        2,
        0,
    ]  # first the read model, then the log and the commit
    assert sent[0].startswith("BEGIN") and "COMMIT" in sent[-1]
    assert found(store) == [(1, AWKWARD)]


def test_last_statement_is_sent_with_the_commit(store: Store, sent: list[str]) -> None:
    with store.transaction() as tx:
        sql.insert_many(tx.connection, notes, [{"id": 1, "body": AWKWARD}])
    assert len(sent) == 1 and sent[0].endswith("COMMIT")
    assert found(store) == [(1, AWKWARD)]


def test_empty_transaction_sends_nothing(store: Store, sent: list[str]) -> None:
    with store.transaction():
        pass
    assert sent == []


def test_transaction_reads_its_own_queued_writes(store: Store) -> None:
    with store.transaction() as tx:
        sql.insert_many(tx.connection, notes, [{"id": 1, "body": "a"}])
        assert tx.connection.execute(sa.select(notes.c.body)).scalars().all() == ["a"]
        tx.connection.execute(notes.insert(), [{"id": 2, "body": "b"}, {"id": 3, "body": "c"}])
        sql.delete_many(tx.connection, notes, "id", [2])
    assert found(store) == [(1, "a"), (3, "c")]


def test_error_of_a_queued_statement_rolls_back_the_transaction(store: Store) -> None:
    fill_one(store, 1)
    with pytest.raises(Conflict), store.transaction() as tx:
        sql.insert_many(tx.connection, notes, [{"id": 2, "body": "b"}])
        sql.insert_many(tx.connection, notes, [{"id": 1, "body": "a clash"}])
    assert found(store) == [(1, AWKWARD)]
    fill_one(store, 3)  # on the same connection
    assert [number for number, _ in found(store)] == [1, 3]


def test_exception_in_the_block_discards_queued_statements(store: Store, sent: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        sql.insert_many(tx.connection, notes, [{"id": 1, "body": "a"}])
        tx.connection.execute(sa.select(totals)).all()
        sql.insert_many(tx.connection, notes, [{"id": 2, "body": "b"}])
        raise ZeroDivisionError
    assert sent[-1] == "ROLLBACK" and not any("'2'" in one for one in sent)
    assert found(store) == []


def test_timeout_during_a_statement_leaves_no_open_transaction(store: Store) -> None:
    """The time-out interrupts the green thread in the statement: the pool discards the connection."""
    with pytest.raises(green.Timeout), green.Timeout(0.2), store.transaction() as tx:
        sql.insert_many(tx.connection, notes, [{"id": 1, "body": "a"}])
        tx.connection.execute(sa.text(f"SELECT pg_sleep({TIMEOUT_SECONDS})"))
    with store.reading() as connection:
        idle = sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND state LIKE 'idle in transaction%'"
        )
        assert connection.execute(idle).scalar_one() == 0
    fill_one(store, 2)
    assert found(store) == [(2, AWKWARD)]
    asleep = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE wait_event = 'PgSleep' AND datname = current_database()"
    )
    with store.reading() as connection:  # PostgreSQL does not notice that the client has gone
        assert connection.execute(asleep).scalars().all() == [True]


def test_lost_connection_in_a_transaction_is_a_transient_failure(store: Store) -> None:
    with pytest.raises(StoreUnavailable), store.transaction() as tx:
        sql.insert_many(tx.connection, notes, [{"id": 1, "body": "a"}])
        own = tx.connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with store.reading() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:own, 5000)"), {"own": own})
        tx.connection.execute(sa.select(notes))
    assert found(store) == []
    fill_one(store, 2)
    assert found(store) == [(2, AWKWARD)]
