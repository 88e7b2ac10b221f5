"""Commands: idempotency keys, and batches in which one failing call leaves the others alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared.eventstore import Conflict as StoreConflict
from shared.eventstore import Store, StoreUnavailable, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.callers import Caller
from shared.kernel.errors import Conflict, DomainError, Unavailable
from shared.kernel.identifiers import stream_id
from shared.messaging.answering import Commands
from shared.messaging.calls import bulk, by_name, each, one, saga
from tests.unit.shared.toy import Jar, PourEach, PourInASaga, PourInBulk, PourOne, file_store, total


class Full(Conflict):
    code = "full"


def pour(tx: Transaction, call: Call) -> dict[str, Any]:
    owner, amount = call.body.owner, call.body.amount
    jar = tx.get(Jar, stream_id("jar", owner)) or Jar.open(tx.now, owner)
    if jar.total + amount > 10:
        raise Full("it would run over")
    jar.fill(tx.now, amount)
    tx.save(jar)
    return {"total": jar.total}


def pour_all(tx: Transaction, calls: Sequence[Call]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for call in calls:
        if call.body.amount == 666:
            raise ZeroDivisionError
        try:
            outcomes.append(pour(tx, call))
        except DomainError as refusal:
            outcomes.append(refusal)
    return outcomes


def commands(store: Store) -> Commands:
    def pour_in_a_saga(calls: Sequence[Call]) -> list[Outcome]:
        def decide(tx: Transaction) -> list[Outcome]:
            outcomes = pour_all(tx, calls)
            tx.outcomes.store_many(list(zip(calls, outcomes, strict=True)))
            return outcomes

        result: list[Outcome] = store.run(decide)
        return result

    def pour_each(call: Call) -> Outcome:
        return pour_in_a_saga([call])[0]

    handlers = [
        one(PourOne, pour),
        bulk(PourInBulk, pour_all),
        saga(PourInASaga, pour_in_a_saga),
        each(PourEach, pour_each),
    ]
    return Commands(store, by_name(handlers))


def call(name: str, amount: int, key: str | None = None, owner: int = 1, account: int = 7) -> Call:
    return Call(name, {"owner": owner, "amount": amount}, key, Caller(account))


@pytest.mark.parametrize("name", ["one", "bulk", "saga"])
def test_a_repeated_key_replays_the_answer(tmp_path: Path, name: str) -> None:
    store = file_store(tmp_path)
    decide = commands(store).decide
    first, repeated = decide([call(name, 4, "k")])[0], decide([call(name, 4, "k")])[0]
    assert first[0] == repeated[0] == {"total": 4}
    assert (first[2], repeated[2]) == (False, True)
    assert total(store, 1) == 4


@pytest.mark.parametrize("name", ["one", "bulk", "saga"])
def test_a_repeated_key_replays_a_refusal(tmp_path: Path, name: str) -> None:
    store = file_store(tmp_path)
    decide = commands(store).decide
    decide([call(name, 8)])
    (refused, _, replayed) = decide([call(name, 5, "k")])[0]
    assert isinstance(refused, DomainError)
    assert (refused.code, replayed) == ("full", False)
    again, _, replayed = decide([call(name, 5, "k")])[0]
    assert isinstance(again, DomainError)
    assert (again.code, again.status, replayed) == ("full", 409, True)
    assert total(store, 1) == 8


@pytest.mark.parametrize("name", ["one", "bulk", "saga"])
def test_a_key_with_another_body_is_refused(tmp_path: Path, name: str) -> None:
    store = file_store(tmp_path)
    decide = commands(store).decide
    decide([call(name, 4, "k")])
    (refused, _, replayed) = decide([call(name, 5, "k")])[0]
    assert isinstance(refused, DomainError)
    assert (refused.code, replayed) == ("idempotency-key-reused", False), "this refusal is not a stored one"
    assert decide([call(name, 5, "k", account=8)])[0][0] == {"total": 9}  # keys are per caller


@pytest.mark.parametrize("name", ["bulk", "saga"])
def test_a_key_twice_in_one_batch_is_executed_once(tmp_path: Path, name: str) -> None:
    store = file_store(tmp_path)
    answers = commands(store).decide([call(name, 4, "k"), call(name, 4, "k"), call(name, 1, "k")])
    assert [answer[0] for answer in answers[:2]] == [{"total": 4}, {"total": 4}]
    assert isinstance(answers[2][0], DomainError)
    assert answers[2][0].code == "idempotency-key-reused"
    assert total(store, 1) == 4


@pytest.mark.parametrize("keyed", [True, False], ids=["with keys", "without keys"])
@pytest.mark.parametrize("name", ["bulk", "saga", "each"])
def test_bisection_isolates_the_failing_call_of_a_batch(tmp_path: Path, name: str, keyed: bool) -> None:
    store = file_store(tmp_path)
    calls = [call(name, amount, f"k{amount}" if keyed else None) for amount in (1, 666, 2, 3)]
    answers = commands(store).decide(calls)
    assert [answer[0] for answer in answers if not isinstance(answer[0], DomainError)] == [
        {"total": 1},
        {"total": 3},
        {"total": 6},
    ]
    assert isinstance(answers[1][0], DomainError)
    assert answers[1][0].status == 500
    assert "ZeroDivisionError" not in answers[1][0].detail
    assert total(store, 1) == 6


@pytest.mark.parametrize("where", [0, 2, 4])
def test_calls_that_a_failing_saga_had_committed_are_not_repeated(tmp_path: Path, where: int) -> None:
    """The saga commits call by call and fails halfway. The retry finds outcomes by key; a call without a key always has
    a run of its own."""
    store = file_store(tmp_path)
    runs: list[int] = []

    def commit_one_by_one(calls: Sequence[Call]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for one_call in calls:
            runs.append(one_call.body.amount)
            with store.transaction() as tx:
                found = tx.outcomes.find([one_call])
                outcome = next(iter(found.values())) if found else pour_all(tx, [one_call])[0]
                if not found:
                    tx.outcomes.store(one_call, outcome)
            outcomes.append(outcome)
        return outcomes

    calls = [call("saga", 1, "a"), call("saga", 2), call("saga", 3, "b"), call("saga", 4, "c")]
    calls.insert(where, call("saga", 666, "bad"))
    answers = Commands(store, by_name([saga(PourInASaga, commit_one_by_one)])).decide(calls)
    results = [answer[0].status if isinstance(answer[0], DomainError) else answer[0] for answer in answers]
    assert results.pop(where) == 500
    assert results == [{"total": 1}, {"total": 3}, {"total": 6}, {"total": 10}]
    assert runs.count(2) == 1, "a call without a key runs once"
    assert total(store, 1) == 10


@pytest.mark.parametrize(
    ("error", "status"), [(StoreConflict("taken"), 503), (Full("refused"), 409)], ids=["conflict", "refusal"]
)
def test_an_error_of_a_saga_reaches_only_the_call_that_caused_it(tmp_path: Path, error: Exception, status: int) -> None:
    def fails(calls: Sequence[Call]) -> list[Outcome]:
        if any(one.body.amount == 666 for one in calls):
            raise error
        return [{} for _ in calls]

    calls = [call("saga", amount, f"k{amount}") for amount in (1, 2, 666, 3)]
    answers = Commands(file_store(tmp_path), by_name([saga(PourInASaga, fails)])).decide(calls)
    results = [answer[0].status if isinstance(answer[0], DomainError) else answer[0] for answer in answers]
    assert results == [{}, {}, status, {}]


def test_a_transient_failure_of_a_saga_is_not_bisected(tmp_path: Path) -> None:
    runs = []

    def away(calls: Sequence[Call]) -> list[Outcome]:
        runs.append(len(calls))
        raise Unavailable("later")

    answers = Commands(file_store(tmp_path), by_name([saga(PourInASaga, away)])).decide(
        [call("saga", 1, f"{no}") for no in range(8)]
    )
    assert {type(answer[0]) for answer in answers} == {Unavailable}
    assert runs == [8]


def test_a_transient_refusal_is_never_stored(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    away = [True]

    def handler(tx: Transaction, call: Call) -> dict[str, Any]:
        if away[0]:
            raise Unavailable("later")
        return pour(tx, call)

    decide = Commands(store, by_name([one(PourOne, handler)])).decide
    assert isinstance(decide([call("one", 4, "k")])[0][0], Unavailable)
    away[0] = False
    assert decide([call("one", 4, "k")])[0][0] == {"total": 4}


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    answer = commands(file_store(tmp_path)).decide([call("nonsense", 1)])[0][0]
    assert isinstance(answer, DomainError)
    assert answer.code == "unknown-call"


def test_a_refusal_that_cannot_be_stored_becomes_transient(tmp_path: Path) -> None:
    """The database goes away between the command and the storing of its refusal."""
    store = file_store(tmp_path)
    decide = commands(store).decide
    decide([call("one", 8)])

    rolled_back: list[sa.Connection] = []
    sa.event.listen(store.engine, "rollback", rolled_back.append)

    @sa.event.listens_for(store.engine, "before_cursor_execute")
    def lose(*_: Any) -> None:
        if len(rolled_back) == 1:
            raise StoreUnavailable("the database cannot be reached")

    (answer, position, replayed) = decide([call("one", 5, "k")])[0]
    assert isinstance(answer, DomainError)
    assert (answer.status, position, replayed) == (503, None, False)
    rolled_back.clear()
    sa.event.remove(store.engine, "before_cursor_execute", lose)
    (answer, _, replayed) = decide([call("one", 5, "k")])[0]
    assert isinstance(answer, DomainError)
    assert (answer.code, replayed) == ("full", False)


@pytest.mark.parametrize("name", ["one", "bulk"])
def test_a_constraint_violation_is_an_internal_error_and_not_transient(tmp_path: Path, name: str) -> None:
    store = file_store(tmp_path)

    def violate(tx: Transaction, _call: Call) -> dict[str, Any]:
        tx.connection.exec_driver_sql("INSERT INTO numbers (kind) VALUES ('jar')")
        return {}

    def violate_all(tx: Transaction, calls: Sequence[Call]) -> list[Outcome]:
        return [violate(tx, call) for call in calls]

    handlers = by_name([one(PourOne, violate), bulk(PourInBulk, violate_all)])
    answer = Commands(store, handlers).decide([call(name, 1)])[0][0]
    assert isinstance(answer, DomainError)
    assert (answer.status, answer.code) == (500, "internal-error")
