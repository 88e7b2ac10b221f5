"""After a restore from a backup, consumers that are ahead of the log stop until an operator resets their position."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.eventstore import Message, Store, Transaction
from shared.eventstore.histories import kept_until
from shared.eventstore.tables import dead_letters, relay, stored_events
from shared.kernel.errors import Refused
from shared.messaging.consuming import Consumer, Overtaken, SourceCutShort, SourceReplaced
from shared.messaging.reactions import Reactions
from shared.runtime.service import Service
from shared.testing import BusDouble
from tests.unit.shared.toy import file_store, fill

POISON = 13


class Pair:
    """A running source, and a running sink that records the handled amounts."""

    def __init__(self, source: Store, sink: Store) -> None:
        self.source, self.sink = source, sink
        with sink.transaction() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE handled (position BIGINT, amount BIGINT)")
        self.bus = BusDouble()
        self.bus.add(Service("source", source), source.clock)
        reactions = Reactions({("source", "JarFilled", 1): handle})
        self.process = self.bus.add(Service("sink", sink, reactions=reactions), sink.clock)
        self.consumer = self.process.consumers["source"]
        self.consumer.start()

    def pour(self, *amounts: int) -> list[Message]:
        """Fills a jar with these amounts. Returns the messages that the bus would deliver."""
        before = self.source.published_head()
        for amount in amounts:
            fill(self.source, 1, amount)
        return self.source.messages(before, 100)

    def restore(self, head: int) -> None:
        """Sets the source back to a backup that was made at this position."""
        with self.source.transaction() as tx:
            tx.connection.execute(stored_events.delete().where(stored_events.c.id > head))
            tx.connection.execute(relay.update().values(position=min(head, self.source.published_head())))
            if self.source.dialect == "postgresql":
                tx.connection.exec_driver_sql(f"ALTER SEQUENCE stored_events_id_seq RESTART WITH {head + 1}")
            else:
                tx.connection.exec_driver_sql(f"UPDATE sqlite_sequence SET seq = {head}")

    def begin_history(self) -> int:
        return int(self.bus.send_command("source", "begin-history", {}).result["head"])

    def follow(self, position: int | None = None) -> dict[str, int]:
        histories = self.bus.send_query("source", "histories", {})
        data = {"source": "source", "histories": histories, "position": position}
        followed: dict[str, int] = self.bus.send_command("sink", "follow-history", data).result
        return followed

    def handled(self) -> list[int]:
        """The amounts, in the order of handling."""
        with self.sink.reading() as connection:
            return list(connection.execute(sa.text("SELECT amount FROM handled")).scalars())

    def letters(self) -> list[tuple[str, str]]:
        query = sa.select(dead_letters.c.source, dead_letters.c.state).order_by(dead_letters.c.id)
        with self.sink.reading() as connection:
            return [tuple(row) for row in connection.execute(query)]


def handle(tx: Transaction, message: Message) -> None:
    if message.data["amount"] == POISON:
        raise ValueError("cannot be handled")
    row = {"position": message.position, "amount": message.data["amount"]}
    tx.connection.execute(sa.text("INSERT INTO handled VALUES (:position, :amount)"), row)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(file_store(tmp_path, "source"), file_store(tmp_path, "sink"))


def restore_behind_the_consumer(pair: Pair) -> int:
    """The consumer has handled 1, 2 and 3; the source is restored to 1 and 2. Returns the head of the source."""
    head = pair.pour(1, 2)[-1].position
    pair.pour(3)
    pair.consumer.catch_up()
    pair.restore(head)
    return head


def test_a_consumer_ahead_of_the_log_stops(pair: Pair) -> None:
    restore_behind_the_consumer(pair)
    with pytest.raises(SourceCutShort, match="passculture restored source"):
        pair.consumer.catch_up()
    assert pair.handled() == [1, 2, 3]


def test_a_new_message_at_a_known_position_is_not_taken_for_a_duplicate(pair: Pair) -> None:
    pair.pour(9, 9, 9)
    head = pair.source.published_head()
    pair.pour(1, 2, 3, 4)
    pair.consumer.catch_up()
    pair.restore(head)
    with pytest.raises(SourceCutShort):
        pair.process.react("source", pair.pour(5))
    assert pair.handled() == [9, 9, 9, 1, 2, 3, 4]


def test_control_a_consumer_that_does_not_know_the_head_loses_messages(pair: Pair) -> None:
    """It takes the new message for a duplicate of one that it has handled."""

    def read_log(after: int, limit: int) -> tuple[str, list[Message]]:
        return pair.source.epoch(), pair.source.messages(after, limit)

    restore_behind_the_consumer(pair)
    consumer = Consumer(pair.sink, "source", Reactions({("source", "JarFilled", 1): handle}), read_log)
    consumer.start()
    consumer.handle(pair.pour(5))
    assert consumer.catch_up() == 0
    assert pair.handled() == [1, 2, 3]


def test_a_duplicate_is_not_taken_for_a_restore(pair: Pair) -> None:
    messages = pair.pour(1, 2)
    for _ in range(3):
        pair.process.react("source", messages)
    assert pair.handled() == [1, 2]


def test_a_new_epoch_is_followed_after_an_operator_has_confirmed_it(pair: Pair) -> None:
    head = restore_behind_the_consumer(pair)
    assert pair.begin_history() == head
    new = pair.pour(5, 6)
    assert new[0].epoch == pair.source.epoch()
    with pytest.raises(SourceReplaced, match="passculture follow sink source"):
        pair.process.react("source", new)
    assert pair.follow() == {"position": head, "lost": new[0].position - head}
    with pytest.raises(Overtaken):  # the running consumer reads its position again
        pair.process.react("source", new)
    pair.process.react("source", new)
    assert pair.handled() == [1, 2, 3, 5, 6]
    assert pair.follow() == {"position": new[-1].position, "lost": 0}
    with pytest.raises(Refused, match="est déjà suivi"):
        pair.follow(0)


def test_dead_letters_of_lost_messages_are_discarded_and_free_their_positions(pair: Pair) -> None:
    head = pair.pour(1, POISON)[-1].position
    pair.pour(POISON)
    pair.consumer.catch_up()
    pair.restore(head)
    pair.begin_history()
    old = pair.consumer.epoch or ""
    pair.follow()
    retry_once(pair.consumer.catch_up)
    pair.pour(POISON)
    pair.consumer.catch_up()
    assert pair.letters() == [("source", "failed"), (f"source until {old[:8]}", "discarded"), ("source", "parked")]


def retry_once(work: Callable[[], object]) -> None:
    with pytest.raises(Overtaken):
        work()
    work()


def test_after_several_restores_the_earliest_position_counts(pair: Pair) -> None:
    first = pair.pour(1, 2)[-1].position
    pair.pour(3)
    pair.consumer.catch_up()
    pair.restore(first)
    pair.begin_history()
    second = pair.pour(4, 5)[-1].position
    pair.pour(6)
    pair.restore(second)
    pair.begin_history()
    pair.pour(7)
    assert pair.follow()["position"] == first
    retry_once(pair.consumer.catch_up)
    assert pair.handled() == [1, 2, 3, 4, 5, 7]


def test_an_unknown_epoch_is_followed_from_a_position_that_the_operator_gives(pair: Pair, tmp_path: Path) -> None:
    pair.pour(1, 2)
    pair.consumer.catch_up()
    with pair.sink.transaction() as tx:
        tx.connection.exec_driver_sql("UPDATE tracking SET epoch = 'of another store'")
    pair.consumer.start()
    with pytest.raises(Refused, match="indiquez la position"):
        pair.follow()
    assert pair.follow(0)["position"] == 0
    retry_once(pair.consumer.catch_up)
    assert pair.handled() == [1, 2, 1, 2]


def test_an_epoch_is_kept_up_to_the_earliest_later_restore() -> None:
    ended = [{"epoch": "a", "head": 7}, {"epoch": "b", "head": 5}, {"epoch": "c", "head": 9}]
    assert [kept_until(ended, epoch) for epoch in "abcd"] == [5, 5, 9, None]
