"""A service may prepare a whole batch before its reactions, and write the rows of all of them at the flush."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.eventstore import Message, Store, Transaction
from shared.messaging.consuming import Consumer
from shared.messaging.reactions import Reactions
from tests.unit.shared.toy import file_store, fill

POISON = 3


class Pair:
    """A source, and a consumer that records prepared batches and writes handled amounts at the flush."""

    def __init__(self, folder: Path) -> None:
        self.source = file_store(folder, "source")
        self.store = file_store(folder, "sink")
        with self.store.transaction() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE handled (amount INTEGER)")
        self.prepared: list[list[int]] = []
        self.consumer = Consumer(
            self.store, "source", Reactions({("source", "JarFilled", 1): self.react}), self.read_log, self.prepare
        )
        self.consumer.start()

    def read_log(self, after: int, limit: int) -> tuple[str, list[Message]]:
        return self.source.epoch(), self.source.messages(after, limit)

    def prepare(self, tx: Transaction, messages: Sequence[Message]) -> None:
        amounts = [message.data["amount"] for message in messages]
        self.prepared.append(amounts)
        assert tx.locals.setdefault(Pair, self) is self

    def react(self, tx: Transaction, message: Message) -> None:
        amount = message.data["amount"]
        if amount == POISON:
            raise ValueError("cannot be handled")
        tx.before_flush(lambda: write(tx, amount))

    def handled(self) -> list[int]:
        with self.store.reading() as connection:
            return list(connection.exec_driver_sql("SELECT amount FROM handled ORDER BY rowid").scalars())


def write(tx: Transaction, amount: int) -> None:
    tx.connection.exec_driver_sql("INSERT INTO handled VALUES (?)", (amount,))


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_a_batch_is_prepared_once(pair: Pair) -> None:
    for owner in (1, 2, 4):
        fill(pair.source, owner, owner)
    pair.consumer.handle(pair.source.messages(0, 10))
    assert pair.prepared == [[1, 2, 4]]
    assert pair.handled() == [1, 2, 4]


def test_a_poison_message_leaves_the_rows_of_the_others_alone(pair: Pair) -> None:
    for owner in (1, POISON, 4):
        fill(pair.source, owner, owner)
    fill(pair.source, POISON, 5)
    pair.consumer.catch_up()
    assert pair.handled() == [1, 4]
    assert [5] not in pair.prepared  # a parked message is not prepared


def test_a_callback_before_the_flush_runs_once(pair: Pair) -> None:
    store: Store = pair.store
    with store.transaction() as tx:
        tx.before_flush(lambda: write(tx, 1))
        tx.flush()
        tx.flush()
        tx.before_flush(lambda: write(tx, 2))
    assert pair.handled() == [1, 2]
