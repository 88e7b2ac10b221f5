"""Message delivery over RabbitMQ: at least once, in order, with each message taking effect exactly once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import kombu
import orjson
import pytest
import sqlalchemy as sa

from shared.eventstore import Message, Store, Transaction
from shared.eventstore.tables import relay as relay_position
from shared.eventstore.tables import tracking
from shared.messaging import topology
from shared.messaging.connections import EventPublisher, Inbox, connect
from shared.messaging.consuming import Consumer
from shared.messaging.reactions import Reactions
from shared.messaging.relay import Relay, RelayOvertaken
from tests.integration.conftest import MakeStore
from tests.platform import ROOT
from tests.servers import AMQP
from tests.unit.shared.toy import fill

WAIT_SECONDS = 3.0
EMPTY_SECONDS = 0.3


class Rig:
    """A source and a sink, each with a store. The sink records the handled messages in a table, in order."""

    def __init__(self, make: MakeStore, namespace: str) -> None:
        self.namespace = namespace
        self.source, self.sink = make("source"), make("sink")
        with self.sink.transaction() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE handled (id serial, position bigint)")
        self.publisher = EventPublisher(AMQP, namespace, "source")
        self.inboxes: list[Inbox] = []

    def relay(self) -> Relay:
        relay = Relay(self.source, self.publisher.publish)
        relay.start()
        return relay

    def send(self) -> None:
        relay = self.relay()
        while relay.send():
            pass

    def publish_each(self, numbers: Iterable[int], jars: int) -> None:
        """Fills jars and publishes each event in a separate batch."""
        relay = self.relay()
        for number in numbers:
            fill(self.source, number % jars, number)
            relay.send()

    def consumer(self) -> Consumer:
        consumer = Consumer(self.sink, "source", Reactions({("source", "JarFilled", 1): self._handle}), self._read_log)
        consumer.start()
        return consumer

    def inbox(self, queue: kombu.Queue | None = None) -> Inbox:
        inbox = Inbox(AMQP, [queue or self.queue()], prefetch=1000)
        self.inboxes.append(inbox)
        return inbox

    def queue(self) -> kombu.Queue:
        return topology.events_queue(self.namespace, "sink", "source")

    def published(self) -> list[int]:
        return [message.position for message in self.source.messages(0, 1000)]

    def handled(self) -> list[int]:
        with self.sink.reading() as connection:
            return list(connection.execute(sa.text("SELECT position FROM handled ORDER BY id")).scalars())

    def close(self) -> None:
        for inbox in self.inboxes:
            inbox.close()
        self.publisher.close()

    def _handle(self, tx: Transaction, message: Message) -> None:
        tx.connection.execute(sa.text("INSERT INTO handled (position) VALUES (:at)"), {"at": message.position})

    def _read_log(self, after: int, limit: int) -> tuple[str, list[Message]]:
        return self.source.epoch(), self.source.messages(after, limit)


@pytest.fixture
def rig(make_toy_store: MakeStore, namespace: str) -> Iterator[Rig]:
    rig = Rig(make_toy_store, namespace)
    yield rig
    rig.close()


def take_all(inbox: Inbox, most: int = 1000) -> list[Any]:
    """Takes deliveries until none has arrived for a moment."""
    found: list[Any] = []
    while len(found) < most and (arrived := inbox.take(most - len(found), EMPTY_SECONDS if found else WAIT_SECONDS)):
        found.extend(arrived)
    return found


def messages_of(arrived: list[Any]) -> list[Message]:
    return [Message.from_wire(wire) for batch in arrived for wire in orjson.loads(batch.body)]


def test_relay_killed_before_storing_its_position_publishes_again(rig: Rig) -> None:
    for number in range(1, 31):
        fill(rig.source, number % 3, number)
    url = rig.source.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.integration.crashing_relay", url, rig.namespace]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert stored_relay_position(rig.source) == 0
    rig.send()
    assert stored_relay_position(rig.source) == rig.published()[-1]
    arrived = messages_of(take_all(rig.inbox()))
    assert [message.position for message in arrived] == rig.published() * 2
    rig.consumer().handle(arrived)
    assert rig.handled() == rig.published()


def stored_relay_position(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(sa.select(relay_position.c.position)).scalar_one()


def test_queue_of_a_source_has_a_single_active_consumer(rig: Rig) -> None:
    first, second = rig.inbox(), rig.inbox()
    rig.publish_each(range(1, 41), jars=50)
    arrived = take_all(first)
    assert [message.position for message in messages_of(arrived)] == rig.published()
    assert second.take(10, EMPTY_SECONDS) == []


def test_control_consumers_of_an_ordinary_queue_share_its_messages(rig: Rig) -> None:
    """Without a single active consumer the order across two replicas is lost."""
    ordinary = kombu.Queue(
        f"{rig.namespace}.control", topology.batches_exchange(rig.namespace, "source"), routing_key="#", exclusive=False
    )
    ordinary.auto_delete = True
    first, second = rig.inbox(ordinary), rig.inbox(ordinary)
    rig.publish_each(range(1, 41), jars=50)
    shares = [message.position for message in messages_of(take_all(first))]
    others = [message.position for message in messages_of(take_all(second))]
    assert shares and others
    assert sorted(shares + others) == rig.published()


def test_standby_takes_over_the_unacknowledged_messages_in_order(rig: Rig) -> None:
    """The active replica dies before it acknowledges all handled messages: none is lost, none takes effect twice."""
    first, second = rig.inbox(), rig.inbox()
    rig.publish_each(range(1, 101), jars=7)
    deliveries = take_all(first)
    consumer = rig.consumer()
    consumer.handle(messages_of(deliveries[:30]))
    first.acknowledge(deliveries[29], multiple=True)
    consumer.handle(messages_of(deliveries[30:60]))  # stored, but not acknowledged
    first.close()
    rest = messages_of(take_all(second))
    assert [message.position for message in rest] == rig.published()[30:]
    rig.consumer().handle(rest)
    assert rig.handled() == rig.published()


def test_outsiders_get_messages_one_by_one_by_name(rig: Rig) -> None:
    """As in the AsyncAPI document, also if the platform's own services get them in batches."""
    outsider = kombu.Queue(f"{rig.namespace}.outsider", topology.events_exchange(rig.namespace, "source"), "JarFilled")
    outsider.auto_delete = True
    inbox = rig.inbox(outsider)
    for number in range(1, 31):
        fill(rig.source, number % 3, number)
    rig.send()
    arrived = take_all(inbox)
    assert {one.delivery_info["routing_key"] for one in arrived} == {"JarFilled"}
    assert [orjson.loads(one.body)["position"] for one in arrived] == rig.published()


def test_messages_of_a_deleted_queue_are_read_from_the_log(rig: Rig) -> None:
    for number in range(1, 6):
        fill(rig.source, 1, number)
    rig.send()
    inbox, consumer = rig.inbox(), rig.consumer()
    consumer.handle(messages_of(take_all(inbox)))
    inbox.close()
    with connect(AMQP) as connection, connection.channel() as channel:
        rig.queue()(channel).delete()
    for number in range(6, 11):
        fill(rig.source, 1, number)
    rig.send()  # without a bound queue the broker drops them
    again = rig.inbox()
    fill(rig.source, 1, 11)
    rig.send()
    arrived = messages_of(take_all(again))
    assert [message.position for message in arrived] == rig.published()[-1:]
    consumer.handle(arrived)
    assert rig.handled() == rig.published()


def test_idle_poll_of_the_log_finds_the_lost_last_message(rig: Rig) -> None:
    """No later message reveals the gap."""
    consumer = rig.consumer()
    with connect(AMQP) as connection, connection.channel() as channel:
        rig.queue()(channel).delete()
    fill(rig.source, 1, 1)
    rig.send()
    assert rig.handled() == []
    assert consumer.catch_up() == 1
    assert rig.handled() == rig.published()


class CountingRelay:
    """A relay that records the sent positions and may let another relay send in between."""

    def __init__(self, rig: Rig, kind: type[Relay] = Relay) -> None:
        self.sent: list[int] = []
        self.interleaved: list[CountingRelay] = []
        self._publish = rig.publisher.publish
        self.relay = kind(rig.source, self._send)
        self.relay.start()

    def _send(self, messages: Sequence[Message]) -> None:
        while self.interleaved:
            self.interleaved.pop().relay.send()
        self.sent.extend(message.position for message in messages)
        self._publish(messages)


class StaleRelay(Relay):
    """Continues from its own position without reading the stored one."""

    def send(self) -> int:
        messages = self._store.messages(self.position, 200)
        if messages:
            self._publish(messages)
            self._move(messages[-1].position)
        return len(messages)


def send_alternately(rig: Rig, kind: type[Relay]) -> list[int]:
    """The positions that two relays of one service send in turn."""
    one, other = CountingRelay(rig, kind), CountingRelay(rig, kind)
    for number in range(1, 21):
        fill(rig.source, number, number)
        with suppress(RelayOvertaken):
            (one if number % 4 else other).relay.send()
    return sorted(one.sent + other.sent)


def test_alternating_relays_send_each_message_once(rig: Rig) -> None:
    assert send_alternately(rig, Relay) == rig.published()


def test_control_relays_without_the_stored_position_send_duplicates(rig: Rig) -> None:
    assert len(send_alternately(rig, StaleRelay)) > len(rig.published())


def test_duplicates_of_concurrent_relays_take_effect_once(rig: Rig) -> None:
    for number in range(1, 21):
        fill(rig.source, number, number)
    one, other = CountingRelay(rig), CountingRelay(rig)
    one.interleaved.append(other)
    with pytest.raises(RelayOvertaken):
        one.relay.send()
    assert one.relay.send() == 0
    assert one.sent == other.sent == rig.published()
    consumer = rig.consumer()
    consumer.handle(messages_of(take_all(rig.inbox())))
    assert rig.handled() == rig.published()
    with rig.sink.reading() as connection:
        assert connection.execute(sa.select(tracking.c.position)).scalar_one() == rig.published()[-1]
