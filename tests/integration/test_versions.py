"""Two versions of a message side by side over RabbitMQ: each consumer gets the version that it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import kombu
import orjson
import pytest

from shared.eventstore import Message, Store
from shared.messaging import connections, topology
from shared.messaging.connections import EventPublisher, Inbox
from shared.messaging.consuming import Consumer
from shared.messaging.reactions import Reactions
from shared.messaging.reading import read_messages
from shared.messaging.relay import Relay
from tests.integration.conftest import MakeStore
from tests.servers import AMQP
from tests.unit.shared.toy import SCHEMAS, fill, publishing, upgraded

WAIT_SECONDS, EMPTY_SECONDS = 3.0, 0.3
Listen = Callable[[str], Inbox]


@pytest.fixture
def source(make_toy_store: MakeStore) -> Store:
    return upgraded(make_toy_store("source"), publishing(2, 1))


@pytest.fixture
def listen(namespace: str) -> Iterator[Listen]:
    """Creates the queue of an outsider, bound to the public exchange with a routing key."""
    made: list[Inbox] = []

    def bind(key: str) -> Inbox:
        queue = kombu.Queue(f"{namespace}.{key}", topology.events_exchange(namespace, "source"), key, auto_delete=True)
        made.append(Inbox(AMQP, [queue], prefetch=100))
        return made[-1]

    yield bind
    for inbox in made:
        inbox.close()


def publish(source: Store, namespace: str) -> None:
    """Runs the relay of the release."""
    publisher = EventPublisher(AMQP, namespace, "source")
    relay = Relay(source, publisher.publish)
    relay.start()
    while relay.send():
        pass
    publisher.close()


def take_all(inbox: Inbox) -> list[Any]:
    found: list[Any] = []
    while arrived := inbox.take(100, EMPTY_SECONDS if found else WAIT_SECONDS):
        found.extend(arrived)
    return found


def wires(inbox: Inbox) -> list[dict[str, Any]]:
    return [orjson.loads(one.body) for one in take_all(inbox)]


@pytest.mark.parametrize(("known", "more"), [(1, {}), (2, {"lid": "red"})])
def test_service_handles_the_newest_version_that_it_knows(
    source: Store, make_toy_store: MakeStore, namespace: str, known: int, more: dict[str, str]
) -> None:
    inbox = Inbox(AMQP, [topology.events_queue(namespace, "sink", "source")], prefetch=100)
    for number in (1, 2, 3):
        fill(source, number, number)
    publish(source, namespace)
    messages = [message for batch in take_all(inbox) for message in read_messages(batch.body)]
    inbox.close()
    assert messages == source.messages(0, 10)
    handled: list[Message] = []
    reactions = Reactions({("source", "JarFilled", known): lambda _tx, message: handled.append(message)}, SCHEMAS)
    consumer = Consumer(make_toy_store("sink"), "source", reactions, lambda *_: (source.epoch(), []))
    consumer.start()
    consumer.handle(messages)
    assert [one.version for one in handled] == [known] * 3
    assert [one.data for one in handled] == [{"owner": number, "amount": number, **more} for number in (1, 2, 3)]


def test_outsiders_get_the_versions_of_their_routing_key(source: Store, namespace: str, listen: Listen) -> None:
    """Version 1 has the routing key without a version, and the same bytes as if it were published alone."""
    first, second, single_word, everything = map(listen, ("JarFilled", "JarFilled.v2", "*", "#"))
    fill(source, 1, 5)
    fill(source, 2, 6)
    publish(source, namespace)
    alone = [message.to_wire() for message in upgraded(source, publishing(1)).messages(0, 10)]
    assert wires(first) == wires(single_word) == alone
    newer = [{**wire, "version": 2, "data": {**wire["data"], "lid": "red"}} for wire in alone]
    assert wires(second) == newer
    assert wires(everything) == [alone[0], newer[0], alone[1], newer[1]], "the oldest version comes first"


def test_control_without_versioned_routing_keys_outsiders_get_unknown_versions(
    source: Store, namespace: str, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "routing_key", lambda name, _version: name)
    first = listen("JarFilled")
    fill(source, 1, 5)
    publish(source, namespace)
    assert [wire["version"] for wire in wires(first)] == [1, 2]


def test_version_2_keeps_its_routing_key_without_version_1(source: Store, namespace: str, listen: Listen) -> None:
    """Outsiders bound to version 1, which is no longer published, get nothing."""
    first, second = listen("JarFilled"), listen("JarFilled.v2")
    later = upgraded(source, publishing(2))
    fill(later, 1, 5)
    publish(later, namespace)
    assert [wire["version"] for wire in wires(second)] == [2]
    assert first.take(1, EMPTY_SECONDS) == []
