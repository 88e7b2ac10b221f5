"""The event store: transactions, optimistic locking, the published log, numbers, outcomes of commands."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from shared.eventstore import Conflict, Message, Transaction
from shared.eventstore.errors import StoreUnavailable, translated
from shared.eventstore.outcomes import Call, Outcome, find_outcomes
from shared.eventstore.store import MAX_ATTEMPTS
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.identifiers import stream_id
from tests.unit.shared.toy import START, Jar, file_store, fill, total


def test_events_are_read_as_they_were_stored(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    with store.transaction() as tx:
        jar = Jar.open(START, 1)
        jar.fill(START, 5, Fraction(1, 3), date(2022, 2, 28))
        tx.save(jar)
    with store.reading() as connection:
        (_, _, opened), (_, _, filled) = store.log.events(connection)
    assert opened.owner == 1
    assert (filled.amount, filled.share, filled.until, filled.timestamp) == (
        5,
        Fraction(1, 3),
        date(2022, 2, 28),
        START,
    )


def test_an_aggregate_is_the_same_object_within_a_transaction(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    fill(store, 1, 5)
    with store.transaction() as tx:
        jar = tx.get(Jar, stream_id("jar", 1))
        assert jar is not None
        assert tx.get(Jar, stream_id("jar", 1)) is jar
        assert tx.get(Jar, stream_id("jar", 2)) is None
        assert jar.total == 5


def test_rows_and_events_are_written_atomically(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    fill(store, 1, 5)
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        jar = tx.get(Jar, stream_id("jar", 1))
        assert jar is not None
        jar.fill(START, 7)
        tx.save(jar)
        tx.flush()
        raise ZeroDivisionError
    assert total(store, 1) == 5
    assert store.published_head() == 2


def test_a_stale_version_is_a_conflict(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    fill(store, 1, 5)
    with store.transaction() as tx:
        stale = tx.get(Jar, stream_id("jar", 1))
    assert stale is not None
    fill(store, 1, 7)
    stale.fill(START, 9)
    with pytest.raises(Conflict), store.transaction() as tx:
        tx.save(stale)
    assert total(store, 1) == 12


@pytest.mark.parametrize("row", ["NULL, 1, 1", "1, 13, 1", "1, 1, 99"], ids=["not null", "check", "foreign key"])
def test_a_constraint_violation_is_no_conflict(tmp_path: Path, row: str) -> None:
    """A retry cannot help: the code is wrong."""
    store = file_store(tmp_path)
    with store.transaction() as tx:
        tx.connection.exec_driver_sql(
            "CREATE TABLE lids"
            " (lid INTEGER NOT NULL UNIQUE, size INTEGER CHECK (size < 9), owner INTEGER REFERENCES totals)"
        )
    fill(store, 1, 1)
    with pytest.raises(sa.exc.IntegrityError), store.transaction() as tx:
        tx.connection.exec_driver_sql(f"INSERT INTO lids VALUES ({row})")
    with pytest.raises(Conflict), store.transaction() as tx:
        tx.connection.exec_driver_sql("INSERT INTO lids VALUES (1, 1, 1), (1, 1, 1)")


def test_private_events_leave_no_gap_between_messages(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    fill(store, 1, 5)  # positions 1 (opened, private) and 2
    fill(store, 2, 6)  # 3 (private) and 4
    messages = store.messages(0, 10)
    assert [(m.name, m.position, m.previous) for m in messages] == [("JarFilled", 2, 0), ("JarFilled", 4, 2)]
    assert [m.previous for m in store.messages(2, 10)] == [2]
    assert [m.previous for m in store.messages(3, 10)] == [2]
    assert Message.from_wire(messages[0].to_wire()) == messages[0]


def test_numbers_are_unique(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    with store.transaction() as tx:
        assert [tx.next_number("jar"), tx.next_number("jar", 3), tx.next_number("jar"), tx.next_number("lid")] == [
            1,
            2,
            5,
            1,
        ]
    with store.transaction() as tx:
        assert tx.next_number("jar") == 6


@pytest.mark.parametrize("lost", [psycopg2.OperationalError, psycopg2.InterfaceError])
def test_a_connection_lost_on_its_return_to_the_pool_is_a_transient_failure(lost: type[Exception]) -> None:
    with pytest.raises(StoreUnavailable), translated():
        raise lost("server closed the connection unexpectedly")


class ConflictingWork:
    """Work that raises a conflict on its first attempts."""

    def __init__(self, conflicts: int) -> None:
        self.conflicts_left, self.attempts, self.committed = conflicts, list[int](), list[int]()

    def __call__(self, tx: Transaction) -> Outcome:
        self.attempts.append(tx.attempt)
        tx.after_commit(lambda: self.committed.append(tx.attempt))
        jar = Jar.open(START, tx.attempt)
        jar.fill(START, 5)
        tx.save(jar)
        if self.conflicts_left:
            self.conflicts_left -= 1
            raise Conflict
        return {"attempt": tx.attempt}


def test_a_conflict_is_retried_and_callbacks_run_after_the_commit_only(tmp_path: Path) -> None:
    store, work = file_store(tmp_path), ConflictingWork(2)
    assert store.run(work) == {"attempt": 3}
    assert (work.attempts, work.committed) == ([1, 2, 3], [3])
    with store.reading() as connection:
        assert [event.owner for _, _, event in store.log.events(connection, kinds=[Jar.Opened])] == [3]


def test_retries_are_bounded(tmp_path: Path) -> None:
    store, work = file_store(tmp_path), ConflictingWork(MAX_ATTEMPTS)
    with pytest.raises(Conflict):
        store.run(work)
    assert (len(work.attempts), work.committed, store.published_head()) == (MAX_ATTEMPTS, [], 0)


def test_an_outcome_is_stored_with_its_effects_under_its_key(tmp_path: Path) -> None:
    store, work = file_store(tmp_path), ConflictingWork(1)
    call = Call("fill", {"amount": 5}, "key", Caller(1))
    assert store.decide(call, work) == {"attempt": 2}
    assert store.decide(call, work) == {"attempt": 2}
    assert (work.attempts, work.committed) == ([1, 2], [2])
    other = Call("fill", {"amount": 6}, "key", Caller(1))
    assert isinstance(reused := store.decide(other, work), DomainError)
    assert reused.code == "idempotency-key-reused"


@pytest.mark.parametrize("refusal", [DomainError("no"), Unavailable("not now")])
def test_a_refusal_rolls_back_and_is_stored_unless_it_is_transient(tmp_path: Path, refusal: DomainError) -> None:
    store, call = file_store(tmp_path), Call("fill", {"amount": 5}, "key", Caller(1))

    def work(tx: Transaction) -> Outcome:
        tx.after_commit(lambda: pytest.fail("nothing was committed"))
        tx.save(Jar.open(START, 1))
        raise refusal

    if isinstance(refusal, Unavailable):
        with pytest.raises(Unavailable):
            store.decide(call, work)
    else:
        assert store.decide(call, work) is refusal
        assert isinstance(store.record(call, {"later": True}), DomainError)
    with store.reading() as connection:
        assert list(store.log.events(connection)) == []
        assert len(find_outcomes(connection, [call])) == (not isinstance(refusal, Unavailable))
