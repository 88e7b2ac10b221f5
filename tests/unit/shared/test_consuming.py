"""A consumer handles each message once and in order, although the bus may lose, duplicate and reorder messages."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.eventstore import Conflict, Message, Store, Transaction
from shared.eventstore.tables import dead_letters, tracking
from shared.kernel.errors import Unavailable
from shared.messaging import consuming
from shared.messaging.consuming import MAX_CONFLICTS, Consumer, Overtaken, SourceReplaced
from shared.messaging.reactions import Reactions
from tests.unit.shared.toy import file_store, fill

Reaction = Callable[[Transaction, Message], None]


class Pair:
    """A source, and a consumer that records the handled positions in its own database."""

    def __init__(self, folder: Path, poison: int | None = None) -> None:
        self.source = file_store(folder, "source")
        self.store = file_store(folder, "sink")
        self.poison = poison
        self.log_reads = 0
        self.consumer = self.start_consumer()

    def start_consumer(self) -> Consumer:
        consumer = Consumer(self.store, "source", Reactions({("source", "JarFilled", 1): self.react}), self.read_log)
        consumer.start()
        return consumer

    def read_log(self, after: int, limit: int) -> tuple[str, list[Message]]:
        self.log_reads += 1
        return self.source.epoch(), self.source.messages(after, limit)

    def react(self, tx: Transaction, message: Message) -> None:
        if message.data["amount"] == self.poison:
            raise ValueError("cannot be handled")
        tx.connection.execute(sa.text("INSERT INTO handled VALUES (:position)"), {"position": message.position})

    def handled(self) -> list[int]:
        return column(self.store, sa.select(sa.text("position FROM handled ORDER BY rowid")))


def column(store: Store, query: sa.Select[tuple[int]]) -> list[int]:
    with store.reading() as connection:
        return list(connection.execute(query).scalars())


@pytest.fixture
def make_pair(tmp_path: Path) -> Callable[..., Pair]:
    def make(poison: int | None = None) -> Pair:
        pair = Pair(tmp_path, poison)
        with pair.store.transaction() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE handled (position INTEGER)")
        return pair

    return make


@pytest.mark.parametrize("seed", range(8))
def test_lost_duplicated_and_reordered_messages_are_handled_once_in_order(
    make_pair: Callable[..., Pair], seed: int
) -> None:
    pair = make_pair()
    chance = random.Random(seed)
    for number in range(40):
        fill(pair.source, chance.randrange(5), number)
    messages = pair.source.messages(0, 100)
    deliveries = [message for message in messages for _ in range(chance.choice([0, 1, 1, 2]))]
    chance.shuffle(deliveries)
    while deliveries:
        batch, deliveries = deliveries[:7], deliveries[7:]
        pair.consumer.handle(batch)
    pair.consumer.catch_up()
    assert pair.handled() == [message.position for message in messages]


def test_control_a_consumer_without_deduplication_is_detected(make_pair: Callable[..., Pair]) -> None:
    """Reactions that are called for every delivery fail the same comparison."""
    pair = make_pair()
    fill(pair.source, 1, 1)
    messages = pair.source.messages(0, 100)
    with pair.store.transaction() as tx:
        for message in messages * 2:
            pair.react(tx, message)
    assert pair.handled() != [message.position for message in messages]


def test_a_poison_message_parks_its_stream_only(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(poison=13)
    fill(pair.source, 1, 13)
    fill(pair.source, 1, 14)
    fill(pair.source, 2, 15)
    messages = pair.source.messages(0, 100)
    pair.consumer.handle(messages)
    assert pair.handled() == [messages[2].position]
    with pair.store.reading() as connection:
        rows = connection.execute(sa.select(dead_letters.c.position, dead_letters.c.state).order_by("position")).all()
    assert [tuple(row) for row in rows] == [(messages[0].position, "failed"), (messages[1].position, "parked")]
    assert pair.consumer.position == messages[2].position


def test_a_transient_failure_makes_no_dead_letter(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    fill(pair.source, 1, 1)
    away = True

    def react(tx: Transaction, message: Message) -> None:
        if away:
            raise Unavailable("the database is away")
        pair.react(tx, message)

    consumer = Consumer(pair.store, "source", Reactions({("source", "JarFilled", 1): react}), pair.read_log)
    consumer.start()
    messages = pair.source.messages(0, 10)
    with pytest.raises(Unavailable):
        consumer.handle(messages)
    assert column(pair.store, sa.select(dead_letters.c.position)) == []
    away = False
    consumer.handle(messages)
    assert pair.handled() == [messages[0].position]


def letters(store: Store) -> list[tuple[int, str]]:
    query = sa.select(dead_letters.c.position, dead_letters.c.state).order_by(dead_letters.c.position)
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_a_constraint_violation_makes_a_dead_letter(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    with pair.store.transaction() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE filled (amount INTEGER NOT NULL CHECK (amount <> 13))")

    def react(tx: Transaction, message: Message) -> None:
        amount = message.data["amount"]
        row = {"amount": None if amount == 12 else amount}
        tx.connection.execute(sa.text("INSERT INTO filled VALUES (:amount)"), row)
        pair.react(tx, message)

    for owner, amount in enumerate((11, 12, 13, 14)):
        fill(pair.source, owner, amount)
    valid, null, refused, other = (message.position for message in pair.source.messages(0, 10))
    consumer = Consumer(pair.store, "source", Reactions({("source", "JarFilled", 1): react}), pair.read_log)
    consumer.start()
    consumer.handle(pair.source.messages(0, 10))
    assert letters(pair.store) == [(null, "failed"), (refused, "failed")]
    assert pair.handled() == [valid, other]


def handle_until_no_conflict(consumer: Consumer, messages: list[Message]) -> int:
    """Retries as the loop of a process does. Returns the number of conflicts."""
    for conflicts in range(10 * MAX_CONFLICTS):
        try:
            consumer.handle(messages)
            return conflicts
        except Conflict:
            continue
    raise AssertionError("the conflicts do not end")


def test_a_message_that_conflicts_every_time_becomes_a_dead_letter(
    make_pair: Callable[..., Pair],
) -> None:
    pair = make_pair()
    with pair.store.transaction() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE filled (amount INTEGER PRIMARY KEY)")

    def react(tx: Transaction, message: Message) -> None:
        tx.connection.execute(sa.text("INSERT INTO filled VALUES (:amount)"), {"amount": message.data["amount"]})
        pair.react(tx, message)

    for owner, amount in enumerate((11, 12, 13, 12, 14)):
        fill(pair.source, owner, amount)
    positions = [message.position for message in pair.source.messages(0, 10)]
    consumer = Consumer(pair.store, "source", Reactions({("source", "JarFilled", 1): react}), pair.read_log)
    consumer.start()
    assert handle_until_no_conflict(consumer, pair.source.messages(0, 10)) == MAX_CONFLICTS - 1
    assert letters(pair.store) == [(positions[3], "failed")]
    assert pair.handled() == [*positions[:3], positions[4]]


def test_control_a_transient_conflict_makes_no_dead_letter(make_pair: Callable[..., Pair]) -> None:
    """One conflict less than the bound."""
    pair = make_pair()
    fill(pair.source, 1, 1)
    fill(pair.source, 1, 2)
    conflicts = [Conflict("a concurrent transaction was faster")] * (MAX_CONFLICTS - 1)

    def react(tx: Transaction, message: Message) -> None:
        if conflicts:
            raise conflicts.pop()
        pair.react(tx, message)

    consumer = Consumer(pair.store, "source", Reactions({("source", "JarFilled", 1): react}), pair.read_log)
    consumer.start()
    assert handle_until_no_conflict(consumer, pair.source.messages(0, 10)) == MAX_CONFLICTS - 1
    assert letters(pair.store) == []
    assert pair.handled() == [message.position for message in pair.source.messages(0, 10)]


def test_the_position_is_stored_in_the_transaction_of_the_reaction(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    fill(pair.source, 1, 1)
    pair.consumer.handle(pair.source.messages(0, 10))
    assert column(pair.store, sa.select(tracking.c.position)) == [2]
    later = pair.start_consumer()
    later.handle(pair.source.messages(0, 10))
    assert pair.handled() == [2]


def test_a_message_of_another_epoch_is_counted_and_skipped(make_pair: Callable[..., Pair], tmp_path: Path) -> None:
    pair = make_pair()
    fill(pair.source, 1, 1)
    pair.consumer.handle(pair.source.messages(0, 10))
    (tmp_path / "old").mkdir()
    other = file_store(tmp_path / "old", "source")
    fill(other, 9, 9)
    pair.consumer.handle(other.messages(0, 10))
    assert (pair.consumer.foreign_messages, pair.handled()) == (1, [2])


def test_the_log_is_read_once_for_many_messages_of_another_epoch(
    make_pair: Callable[..., Pair], tmp_path: Path
) -> None:
    pair = make_pair()
    fill(pair.source, 1, 1)
    pair.consumer.handle(pair.source.messages(0, 10))
    (tmp_path / "old").mkdir()
    other = file_store(tmp_path / "old", "source")
    for number in range(20):
        fill(other, number, 1)
    fill(pair.source, 1, 2)
    before = pair.log_reads
    pair.consumer.handle([*other.messages(0, 30), *pair.source.messages(0, 10)])
    assert (pair.consumer.foreign_messages, len(pair.handled()), pair.log_reads - before) == (20, 2, 1)


def test_a_source_with_another_epoch_stops_the_consumer(make_pair: Callable[..., Pair], tmp_path: Path) -> None:
    pair = make_pair()
    fill(pair.source, 1, 1)
    pair.consumer.catch_up()
    (tmp_path / "restored").mkdir()
    pair.source = file_store(tmp_path / "restored", "source")
    with pytest.raises(SourceReplaced):
        pair.consumer.catch_up()


def stored(pair: Pair) -> int:
    (position,) = column(pair.store, sa.select(tracking.c.position))
    return position


def test_the_position_of_messages_without_a_reaction_is_stored_periodically(
    make_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair()
    for owner in range(6):
        fill(pair.source, owner, 1)
    messages = pair.source.messages(0, 10)
    consumer = Consumer(pair.store, "source", Reactions({}), pair.read_log)
    consumer.start()
    consumer.handle(messages[:1])
    assert stored(pair) == messages[0].position, "the first position is stored at once"
    consumer.handle(messages[1:3])
    assert (stored(pair), consumer.position) == (messages[0].position, messages[2].position)
    assert consumer.is_ahead
    consumer.store_position()
    assert not consumer.is_ahead
    assert stored(pair) == messages[2].position
    monkeypatch.setattr(consuming, "STORE_SECONDS", 0.0)
    consumer.handle(messages[3:])
    assert stored(pair) == messages[5].position == consumer.position


def test_the_next_handled_message_stores_the_position_of_skipped_ones(
    make_pair: Callable[..., Pair],
) -> None:
    pair = make_pair()
    for owner in range(3):
        fill(pair.source, owner, 1)
    messages = pair.source.messages(0, 10)
    pair.consumer.handle([replace(messages[0], name="SomethingElse")])
    pair.consumer.handle([replace(messages[1], name="SomethingElse")])
    pair.consumer.handle(messages[2:])
    assert stored(pair) == messages[2].position
    assert pair.handled() == [messages[2].position]


def test_a_consumer_overtaken_by_another_process_resumes_at_the_stored_position(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    for owner in range(4):
        fill(pair.source, owner, 1)
    messages = pair.source.messages(0, 10)
    ours, other = (Consumer(pair.store, "source", Reactions({}), pair.read_log) for _ in range(2))
    ours.start()
    ours.handle(messages[:1])
    other.start()
    ours.handle(messages[1:2])
    other.handle(messages[1:])
    with pytest.raises(Overtaken):
        ours.store_position()
    assert stored(pair) == messages[3].position
    assert not ours.is_active()
    assert ours.position == messages[3].position
