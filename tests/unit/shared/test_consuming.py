"""Whatever the bus loses, doubles or shuffles, a consumer has handled each message once and in order."""

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


class Rig:
    """A source with messages and a consumer that keeps what it handled in its own database."""

    def __init__(self, folder: Path, poison: int | None = None) -> None:
        self.source = file_store(folder, "source")
        self.store = file_store(folder, "sink")
        self.poison = poison
        self.asked = 0
        self.consumer = self.consume()

    def consume(self) -> Consumer:
        consumer = Consumer(self.store, "source", Reactions({("source", "JarFilled", 1): self.react}), self.read_log)
        consumer.start()
        return consumer

    def read_log(self, after: int, limit: int) -> tuple[str, list[Message]]:
        self.asked += 1
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
def make_rig(tmp_path: Path) -> Callable[..., Rig]:
    def make(poison: int | None = None) -> Rig:
        rig = Rig(tmp_path, poison)
        with rig.store.transaction() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE handled (position INTEGER)")
        return rig

    return make


@pytest.mark.parametrize("seed", range(8))
def test_a_bus_that_drops_doubles_and_shuffles_changes_nothing(make_rig: Callable[..., Rig], seed: int) -> None:
    rig = make_rig()
    chance = random.Random(seed)
    for number in range(40):
        fill(rig.source, chance.randrange(5), number)
    messages = rig.source.messages(0, 100)
    battered = [message for message in messages for _ in range(chance.choice([0, 1, 1, 2]))]
    chance.shuffle(battered)
    while battered:
        batch, battered = battered[:7], battered[7:]
        rig.consumer.handle(batch)
    rig.consumer.catch_up()
    assert rig.handled() == [message.position for message in messages]


def test_the_oracle_sees_it_when_the_duplicate_test_is_off(make_rig: Callable[..., Rig]) -> None:
    """The control: a consumer that takes what comes as it comes is caught by the same comparison."""
    rig = make_rig()
    fill(rig.source, 1, 1)
    messages = rig.source.messages(0, 100)
    with rig.store.transaction() as tx:
        for message in messages * 2:
            rig.react(tx, message)
    assert rig.handled() != [message.position for message in messages]


def test_a_poisoned_message_parks_its_stream_and_no_other(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(poison=13)
    fill(rig.source, 1, 13)
    fill(rig.source, 1, 14)
    fill(rig.source, 2, 15)
    messages = rig.source.messages(0, 100)
    rig.consumer.handle(messages)
    assert rig.handled() == [messages[2].position]
    with rig.store.reading() as connection:
        rows = connection.execute(sa.select(dead_letters.c.position, dead_letters.c.state).order_by("position")).all()
    assert [tuple(row) for row in rows] == [(messages[0].position, "failed"), (messages[1].position, "parked")]
    assert rig.consumer.position == messages[2].position


def test_what_the_world_does_is_not_the_message_s_fault(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    fill(rig.source, 1, 1)
    away = True

    def react(tx: Transaction, message: Message) -> None:
        if away:
            raise Unavailable("the database is away")
        rig.react(tx, message)

    consumer = Consumer(rig.store, "source", Reactions({("source", "JarFilled", 1): react}), rig.read_log)
    consumer.start()
    messages = rig.source.messages(0, 10)
    with pytest.raises(Unavailable):
        consumer.handle(messages)
    assert column(rig.store, sa.select(dead_letters.c.position)) == []
    away = False
    consumer.handle(messages)
    assert rig.handled() == [messages[0].position]


def letters(store: Store) -> list[tuple[int, str]]:
    query = sa.select(dead_letters.c.position, dead_letters.c.state).order_by(dead_letters.c.position)
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_a_row_that_the_table_never_admits_is_the_message_s_own_failure(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    with rig.store.transaction() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE filled (amount INTEGER NOT NULL CHECK (amount <> 13))")

    def react(tx: Transaction, message: Message) -> None:
        amount = message.data["amount"]
        row = {"amount": None if amount == 12 else amount}
        tx.connection.execute(sa.text("INSERT INTO filled VALUES (:amount)"), row)
        rig.react(tx, message)

    for owner, amount in enumerate((11, 12, 13, 14)):
        fill(rig.source, owner, amount)
    sound, empty, refused, other = (message.position for message in rig.source.messages(0, 10))
    consumer = Consumer(rig.store, "source", Reactions({("source", "JarFilled", 1): react}), rig.read_log)
    consumer.start()
    consumer.handle(rig.source.messages(0, 10))
    assert letters(rig.store) == [(empty, "failed"), (refused, "failed")]
    assert rig.handled() == [sound, other]


def handled_again_and_again(consumer: Consumer, messages: list[Message]) -> int:
    """As the loop of a process does it; gives how often it was a conflict."""
    for conflicts in range(10 * MAX_CONFLICTS):
        try:
            consumer.handle(messages)
            return conflicts
        except Conflict:
            continue
    raise AssertionError("it never ends")


def test_a_key_that_a_message_takes_twice_every_time_is_its_own_failure_in_the_end(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig()
    with rig.store.transaction() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE filled (amount INTEGER PRIMARY KEY)")

    def react(tx: Transaction, message: Message) -> None:
        tx.connection.execute(sa.text("INSERT INTO filled VALUES (:amount)"), {"amount": message.data["amount"]})
        rig.react(tx, message)

    for owner, amount in enumerate((11, 12, 13, 12, 14)):
        fill(rig.source, owner, amount)
    positions = [message.position for message in rig.source.messages(0, 10)]
    consumer = Consumer(rig.store, "source", Reactions({("source", "JarFilled", 1): react}), rig.read_log)
    consumer.start()
    assert handled_again_and_again(consumer, rig.source.messages(0, 10)) == MAX_CONFLICTS - 1
    assert letters(rig.store) == [(positions[3], "failed")]
    assert rig.handled() == [*positions[:3], positions[4]]


def test_a_conflict_that_passes_is_nobody_s_failure(make_rig: Callable[..., Rig]) -> None:
    """The control: somebody else was faster, though often."""
    rig = make_rig()
    fill(rig.source, 1, 1)
    fill(rig.source, 1, 2)
    busy = [Conflict("somebody was faster")] * (MAX_CONFLICTS - 1)

    def react(tx: Transaction, message: Message) -> None:
        if busy:
            raise busy.pop()
        rig.react(tx, message)

    consumer = Consumer(rig.store, "source", Reactions({("source", "JarFilled", 1): react}), rig.read_log)
    consumer.start()
    assert handled_again_and_again(consumer, rig.source.messages(0, 10)) == MAX_CONFLICTS - 1
    assert letters(rig.store) == []
    assert rig.handled() == [message.position for message in rig.source.messages(0, 10)]


def test_the_position_is_stored_with_the_effects(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    fill(rig.source, 1, 1)
    rig.consumer.handle(rig.source.messages(0, 10))
    assert column(rig.store, sa.select(tracking.c.position)) == [2]
    later = rig.consume()
    later.handle(rig.source.messages(0, 10))
    assert rig.handled() == [2]


def test_a_message_of_another_history_is_counted_and_passed_over(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make_rig()
    fill(rig.source, 1, 1)
    rig.consumer.handle(rig.source.messages(0, 10))
    (tmp_path / "old").mkdir()
    other = file_store(tmp_path / "old", "source")
    fill(other, 9, 9)
    rig.consumer.handle(other.messages(0, 10))
    assert (rig.consumer.foreign_messages, rig.handled()) == (1, [2])


def test_the_source_is_asked_once_about_many_messages_of_another_history(
    make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = make_rig()
    fill(rig.source, 1, 1)
    rig.consumer.handle(rig.source.messages(0, 10))
    (tmp_path / "old").mkdir()
    other = file_store(tmp_path / "old", "source")
    for number in range(20):
        fill(other, number, 1)
    fill(rig.source, 1, 2)
    before = rig.asked
    rig.consumer.handle([*other.messages(0, 30), *rig.source.messages(0, 10)])
    assert (rig.consumer.foreign_messages, len(rig.handled()), rig.asked - before) == (20, 2, 1)


def test_a_source_with_another_history_stops_the_consumer(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make_rig()
    fill(rig.source, 1, 1)
    rig.consumer.catch_up()
    (tmp_path / "restored").mkdir()
    rig.source = file_store(tmp_path / "restored", "source")
    with pytest.raises(SourceReplaced):
        rig.consumer.catch_up()


def stored(rig: Rig) -> int:
    (position,) = column(rig.store, sa.select(tracking.c.position))
    return position


def test_what_concerns_nobody_is_written_down_now_and_then(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    for owner in range(6):
        fill(rig.source, owner, 1)
    messages = rig.source.messages(0, 10)
    indifferent = Consumer(rig.store, "source", Reactions({}), rig.read_log)
    indifferent.start()
    indifferent.handle(messages[:1])
    assert stored(rig) == messages[0].position, "the first at once"
    indifferent.handle(messages[1:3])
    assert (stored(rig), indifferent.position) == (messages[0].position, messages[2].position)
    assert indifferent.is_ahead
    indifferent.store_position()
    assert not indifferent.is_ahead
    assert stored(rig) == messages[2].position
    monkeypatch.setattr(consuming, "STORE_SECONDS", 0.0)
    indifferent.handle(messages[3:])
    assert stored(rig) == messages[5].position == indifferent.position


def test_what_was_passed_over_is_written_down_with_the_next_that_concerns_somebody(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig()
    for owner in range(3):
        fill(rig.source, owner, 1)
    messages = rig.source.messages(0, 10)
    rig.consumer.handle([replace(messages[0], name="SomethingElse")])
    rig.consumer.handle([replace(messages[1], name="SomethingElse")])
    rig.consumer.handle(messages[2:])
    assert stored(rig) == messages[2].position
    assert rig.handled() == [messages[2].position]


def test_whoever_is_ahead_of_what_another_process_wrote_begins_there(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    for owner in range(4):
        fill(rig.source, owner, 1)
    messages = rig.source.messages(0, 10)
    mine, other = (Consumer(rig.store, "source", Reactions({}), rig.read_log) for _ in range(2))
    mine.start()
    mine.handle(messages[:1])
    other.start()
    mine.handle(messages[1:2])
    other.handle(messages[1:])
    with pytest.raises(Overtaken):
        mine.store_position()
    assert stored(rig) == messages[3].position
    assert not mine.is_active()
    assert mine.position == messages[3].position
