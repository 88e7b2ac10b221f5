"""The in-process transport behaves as RabbitMQ does."""

from __future__ import annotations

from collections.abc import Iterator

import kombu
import pytest
from kombu.exceptions import ChannelError

from shared import green
from shared.messaging import local
from shared.messaging.connections import Inbox, Sender
from shared.messaging.topology import calls_queue, events_exchange, events_queue

URI = "local://localhost"


@pytest.fixture(autouse=True)
def _fresh_bus() -> Iterator[None]:
    local.reset()
    yield
    local.reset()


@pytest.fixture
def channel() -> Iterator[object]:
    with kombu.Connection(URI) as connection:
        yield connection.channel()


def declared(channel, queue: kombu.Queue) -> str:
    queue(channel).declare()
    return queue.name


def send(channel, queue: str, *bodies: str, exchange: str = "", **properties: str) -> None:
    for body in bodies:
        message = channel.prepare_message(body.encode(), None, "text/plain", "utf-8", {}, dict(properties))
        channel.basic_publish(message, exchange, queue)


def bodies(messages) -> list[str]:
    return [message.body.decode() for message in messages]


def test_a_message_has_the_properties_of_rabbitmq(channel) -> None:
    declared(channel, kombu.Queue("plain"))
    send(channel, "plain", "hello", correlation_id="17")
    message = channel.basic_get("plain")
    assert message.body == b"hello"
    assert message.properties["correlation_id"] == "17"
    assert message.properties["content_type"] == message.content_type == "text/plain"
    assert message.properties["content_encoding"] == "utf-8"
    assert message.delivery_info["redelivered"] is False
    assert channel.basic_get("plain") is None


def test_a_topic_exchange_copies_a_message_to_every_bound_queue(channel) -> None:
    queues = [kombu.Queue(name, events_exchange("test", "booking"), "#") for name in ("wallet", "payout")]
    for queue in queues:
        declared(channel, queue)
    exchange = events_exchange("test", "booking").name
    send(channel, "BookingCreated", "a", exchange=exchange)
    send(channel, "CountermarkValidated", "b", exchange=exchange)
    for queue in queues:
        inbox = Inbox(URI, [queue], prefetch=10)
        taken = inbox.take(10, 0.1)
        assert bodies(taken) == ["a", "b"]
        assert [message.delivery_info["routing_key"] for message in taken] == ["BookingCreated", "CountermarkValidated"]
        inbox.close()


def test_a_waiting_consumer_is_woken_at_once(channel) -> None:
    queue = calls_queue("test", "wallet", "commands")
    inbox = Inbox(URI, [queue], prefetch=10)
    waiting = green.spawn(inbox.take, 1, 5.0)
    green.sleep(0.05)
    send(channel, queue.name, "x")
    for _ in range(5):  # switches of the hub: no time has to pass
        green.sleep(0)
    assert waiting.dead
    assert bodies(waiting.wait()) == ["x"]
    inbox.close()


def test_waiting_without_a_message_times_out() -> None:
    inbox = Inbox(URI, [calls_queue("test", "wallet", "queries")], prefetch=10)
    assert inbox.take(1, 0.05) == []
    inbox.close()


def test_unacknowledged_messages_are_redelivered_first_and_in_order(channel) -> None:
    queue = events_queue("test", "wallet", "booking")
    declared(channel, queue)
    exchange = queue.exchange.name
    send(channel, "M", "1", "2", "3", "4", exchange=exchange)
    first = Inbox(URI, [queue], prefetch=10)
    taken = first.take(4, 0.1)
    first.acknowledge(taken[1], multiple=True)
    send(channel, "M", "5", exchange=exchange)
    first.close()
    second = Inbox(URI, [queue], prefetch=10)
    again = second.take(10, 0.1)
    assert bodies(again) == ["3", "4", "5"]
    assert [message.delivery_info["redelivered"] for message in again] == [True, True, False]
    second.acknowledge(again[-1], multiple=True)
    second.close()
    assert channel.basic_get(queue.name) is None


def test_a_rejected_message_is_requeued_at_the_head_or_dropped(channel) -> None:
    declared(channel, kombu.Queue("plain"))
    send(channel, "plain", "1", "2")
    channel.basic_get("plain").reject(requeue=True)
    assert channel.basic_get("plain").body == b"1"
    channel.basic_get("plain").reject()
    assert channel.basic_get("plain") is None


def test_prefetch_limits_unacknowledged_messages(channel) -> None:
    queue = kombu.Queue("plain")
    declared(channel, queue)
    send(channel, "plain", *"abcde")
    inbox = Inbox(URI, [queue], prefetch=2)
    taken = inbox.take(5, 0.05)
    assert bodies(taken) == ["a", "b"]
    assert inbox.take(5, 0.05) == []
    more = green.spawn(inbox.take, 1, 5.0)
    green.sleep(0.02)
    inbox.acknowledge(taken[0])
    assert bodies(more.wait()) == ["c"]
    inbox.close()


def test_a_full_queue_drops_its_head(channel) -> None:
    declared(channel, kombu.Queue("small", queue_arguments={"x-max-length": 3, "x-overflow": "drop-head"}))
    send(channel, "small", *"abcde")
    assert [channel.basic_get("small").body for _ in range(3)] == [b"c", b"d", b"e"]
    assert channel.basic_get("small") is None


def test_an_expired_message_is_dropped(channel) -> None:
    declared(channel, kombu.Queue("plain"))
    send(channel, "plain", "old", expiration="1")
    send(channel, "plain", "new", expiration="10000")
    green.sleep(0.01)
    assert channel.basic_get("plain").body == b"new"


def test_a_message_without_a_queue_is_dropped(channel) -> None:
    send(channel, "nobody", "x")
    send(channel, "M", "x", exchange="no-exchange")
    declared(channel, kombu.Queue("nobody"))
    assert channel.basic_get("nobody") is None
    with pytest.raises(ChannelError):
        channel.basic_consume("no-queue", True, print, "")


def test_an_exclusive_queue_is_deleted_with_its_connection(channel) -> None:
    answers = kombu.Queue("answers", durable=False, exclusive=True, auto_delete=True)
    inbox = Inbox(URI, [answers], prefetch=10, no_ack=True)
    sender = Sender(URI)
    sender.send_answers("answers", "batch-1", [{"result": 1}])
    (taken,) = inbox.take(1, 1.0)
    assert taken.properties["correlation_id"] == "batch-1"
    inbox.close()
    sender.send_answers("answers", "batch-2", [{"result": 2}])
    with pytest.raises(ChannelError):
        channel.queue_declare("answers", passive=True)


def test_deleting_a_queue_or_an_exchange_removes_its_bindings(channel) -> None:
    queue = events_queue("test", "wallet", "booking")
    declared(channel, queue)
    channel.queue_delete(queue.name)
    send(channel, "M", "lost", exchange=queue.exchange.name)
    declared(channel, queue)
    send(channel, "M", "kept", exchange=queue.exchange.name)
    assert channel.basic_get(queue.name).body == b"kept"
    channel.exchange_delete(queue.exchange.name)
    send(channel, "M", "lost", exchange=queue.exchange.name)
    assert channel.basic_get(queue.name) is None


def test_competing_consumers_share_a_queue_without_loss(channel) -> None:
    queue = kombu.Queue("shared")
    declared(channel, queue)
    inboxes = [Inbox(URI, [queue], prefetch=5) for _ in range(3)]
    received: list[str] = []

    def consume(inbox: Inbox) -> None:
        while len(received) < 100:
            for message in inbox.take(5, 0.05):
                received.append(message.body.decode())
                inbox.acknowledge(message)
                green.sleep(0)

    consumers = [green.spawn(consume, inbox) for inbox in inboxes]
    for number in range(100):
        send(channel, "shared", str(number))
        green.sleep(0)
    for consumer in consumers:
        consumer.wait()
    assert sorted(received, key=int) == [str(number) for number in range(100)]
    for inbox in inboxes:
        inbox.close()
