"""A service may look at a whole batch before its reactions, and write the rows of many decisions together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.eventstore import Message, Store, Transaction
from shared.messaging.consuming import Consumer
from shared.messaging.reactions import Reactions
from tests.unit.shared.toy import file_store, fill

POISON = 3


class Diary:
    """Writes down what happens, and keeps what was handled to write it at the flush."""

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
        assert tx.locals.setdefault(Diary, self) is self

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
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path)


def test_a_batch_is_prepared_once_and_its_rows_are_written(diary: Diary) -> None:
    for owner in (1, 2, 4):
        fill(diary.source, owner, owner)
    diary.consumer.handle(diary.source.messages(0, 10))
    assert diary.prepared == [[1, 2, 4]]
    assert diary.handled() == [1, 2, 4]


def test_what_cannot_be_handled_keeps_nobody_from_being_written(diary: Diary) -> None:
    for owner in (1, POISON, 4):
        fill(diary.source, owner, owner)
    fill(diary.source, POISON, 5)
    diary.consumer.catch_up()
    assert diary.handled() == [1, 4]
    assert [5] not in diary.prepared  # parked behind the one that failed: nothing is to be prepared for it


def test_what_is_to_be_written_is_written_once(diary: Diary) -> None:
    store: Store = diary.store
    with store.transaction() as tx:
        tx.before_flush(lambda: write(tx, 1))
        tx.flush()
        tx.flush()
        tx.before_flush(lambda: write(tx, 2))
    assert diary.handled() == [1, 2]
