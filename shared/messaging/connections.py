"""Kombu connections for greenlets: one writer at a time, time-outs everywhere, publishing that waits for confirms."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import kombu
import orjson
from kombu.exceptions import OperationalError
from kombu.transport import pyamqp

import shared.messaging.local  # noqa: F401  # registers the transport of local:// with kombu
from shared import green
from shared.eventstore import Message
from shared.kernel.errors import Unavailable
from shared.messaging.topology import answers_queue, batches_exchange, calls_queue, events_exchange, routing_key

CONNECT_SECONDS = 3
"""For a connection to be made, and for whatever else the broker is waited for without a time-out of its own."""
REFUSED_SECONDS = 0.5
"""For so long after a connection could not be made nobody tries again: all who waited for the line are told at once."""
TURN_SECONDS = 10.0
CONFIRM_SECONDS = 10
HEARTBEAT_SECONDS = 10
JSON = "application/json"


class BusUnavailable(Unavailable):
    """RabbitMQ cannot be reached now."""


class BusUnreachable(BusUnavailable):
    """No connection is to be had now: to try again at once would end the same."""


class _AmqpConnection(pyamqp.Connection):  # type: ignore[misc]  # the library has no types
    def connect(self, callback: Callable[[], Any] | None = None) -> Any:
        try:
            return super().connect(callback)
        except BaseException:  # the library closes the socket after errors, not after somebody else's time-out
            self.collect()
            raise


def connect(uri: str, *, heartbeat: int = 0) -> kombu.Connection:
    """A connection, in one try; whoever asks for a heartbeat checks it. Raises BusUnavailable."""
    connection = kombu.Connection(
        uri, connect_timeout=CONNECT_SECONDS, heartbeat=0 if uri.startswith("local:") else heartbeat
    )
    if isinstance(connection.transport, pyamqp.Transport):
        connection.transport.Connection = _AmqpConnection
    others = max(len(connection.alt) - 1, 0)  # the URI may name several hosts
    try:
        with bus_errors(connection):
            connection.ensure_connection(max_retries=others, reraise_as_library_errors=False)
    except BaseException:
        drop(connection)
        raise
    wire = getattr(getattr(connection.connection, "transport", None), "sock", None)
    if wire is not None:  # the library waits for ever: to write, and for answers to what it asks by itself
        wire.settimeout(CONNECT_SECONDS)
    return connection


@contextmanager
def bus_errors(connection: kombu.Connection) -> Iterator[None]:
    """Everything that means "the broker is away" in one word."""
    errors = (*connection.connection_errors, *connection.channel_errors, OperationalError, OSError)
    try:
        yield
    except errors as error:
        raise BusUnavailable(f"RabbitMQ cannot be reached: {error}") from error


def drop(connection: kombu.Connection) -> None:
    """Throws a connection away, whatever its state, without waiting for a broker that may be gone."""
    with suppress(Exception):
        connection.collect(socket_timeout=0.1)


class Line:
    """A connection that is made when it is needed and thrown away when it fails; used by one greenlet at a time."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._turn = green.Semaphore()
        self._connection: kombu.Connection | None = None
        self._channel: Any = None
        self._refused_until = 0.0

    @contextmanager
    def channel(self, seconds: float = TURN_SECONDS) -> Iterator[Any]:
        """An open channel, after at most so many seconds; after an error the next caller gets a new one.

        Raises BusUnreachable without one, BusUnavailable when it fails.
        """
        if not self._turn.acquire(timeout=seconds):
            raise BusUnreachable("RabbitMQ cannot be reached: others wait for it")
        try:
            if self._connection is None or self._channel is None:
                self._open()
            assert self._connection is not None
            with bus_errors(self._connection):
                yield self._channel
        except BaseException:  # a time-out of eventlet is no Exception, and leaves the channel in no known state
            self.close()
            raise
        finally:
            self._turn.release()

    def _open(self) -> None:
        if time.monotonic() < self._refused_until:
            raise BusUnreachable("RabbitMQ could not be reached a moment ago")
        try:
            self._connection = connect(self._uri)
            with bus_errors(self._connection):
                self._channel = self._connection.channel()
                self._opened(self._channel)
        except BusUnavailable as error:
            self._refused_until = time.monotonic() + REFUSED_SECONDS
            raise BusUnreachable(error.detail) from error

    def _opened(self, channel: Any) -> None:
        """For subclasses: what a new channel needs."""

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            drop(connection)


class Sender(Line):
    """Sends commands, queries and answers: no confirms, whoever waits has a time-out.

    ``replies``: where its calls are answered. It is there before the first of them goes.
    """

    _declared: set[str]

    def __init__(self, uri: str, replies: kombu.Queue | None = None) -> None:
        super().__init__(uri)
        self._replies = replies

    def send_calls(
        self, queue: kombu.Queue, reply_to: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float
    ) -> None:
        """The queue is declared first: calls to a service that is not up yet wait there with their callers."""
        expiration = str(int(seconds * 1000))
        properties = {"reply_to": reply_to, "correlation_id": batch_id, "expiration": expiration}
        self._send(queue.name, calls, properties, seconds, queue)

    def send_answers(self, queue: str, batch_id: str, answers: Sequence[dict[str, Any]]) -> None:
        self._send(queue, answers, {"correlation_id": batch_id}, TURN_SECONDS)

    def _send(
        self, name: str, body: Any, properties: dict[str, Any], seconds: float, queue: kombu.Queue | None = None
    ) -> None:
        text = orjson.dumps(body)
        try:
            self._once(name, text, properties, seconds, queue)
        except BusUnreachable:
            raise
        except BusUnavailable:  # the line may only have been old: the broker was restarted since it was last used
            self._once(name, text, properties, seconds, queue)

    def _once(
        self, name: str, text: bytes, properties: dict[str, Any], seconds: float, queue: kombu.Queue | None
    ) -> None:
        with self.channel(seconds) as channel:
            if queue is not None and name not in self._declared:
                queue(channel).declare()
                self._declared.add(name)
            message = channel.prepare_message(text, None, JSON, "utf-8", {}, properties)
            channel.basic_publish(message, "", name)

    def _opened(self, channel: Any) -> None:
        self._declared = set()
        if self._replies is not None:
            self._replies(channel).declare()


class EventPublisher(Line):
    """Publishes messages, persistent, and waits for the broker's confirms.

    Twice: for outsiders every version of every message as an AMQP message of its own, and for the platform's own
    services all of them as one AMQP message, a JSON list. Taking them singly cost a service more than handling them.
    """

    def __init__(self, uri: str, namespace: str, source: str) -> None:
        super().__init__(uri)
        self._exchange = events_exchange(namespace, source)
        self._batches = batches_exchange(namespace, source)
        self._unconfirmed: set[int] = set()
        self._sent = 0
        self._refused = False

    def publish(self, messages: Sequence[Message]) -> None:
        """Returns when all are safe with the broker. Raises BusUnavailable."""
        with self.channel() as channel:
            bodies = [orjson.dumps(message.to_wire()) for message in messages]
            with _one_write(channel):
                if self._confirms:  # within one process there is nobody else to listen
                    for message, body in zip(messages, bodies, strict=True):
                        self._publish_versions(channel, message, body)
                self._publish(channel, b"[" + b",".join(bodies) + b"]", self._batches.name, "", messages[0].id)
            if self._confirms:
                self._wait(channel)

    def _publish_versions(self, channel: Any, message: Message, body: bytes) -> None:
        """The oldest version first: an outsider who takes them all skips the others as duplicates of its position."""
        for version in reversed(message.versions):
            if message.older:
                body = orjson.dumps(message.in_version(version).to_wire())
            self._publish(channel, body, self._exchange.name, routing_key(message.name, version.number), message.id)

    def _publish(self, channel: Any, body: bytes, exchange: str, key: str, message_id: str) -> None:
        properties = {"delivery_mode": 2, "message_id": message_id}
        channel.basic_publish(channel.prepare_message(body, None, JSON, "utf-8", {}, properties), exchange, key)
        if self._confirms:
            self._sent += 1
            self._unconfirmed.add(self._sent)

    def _opened(self, channel: Any) -> None:
        self._exchange.declare(channel=channel)
        self._batches.declare(channel=channel)
        self._confirms = hasattr(channel, "confirm_select")
        self._unconfirmed, self._sent, self._refused = set(), 0, False
        if self._confirms:
            channel.confirm_select()
            channel.events["basic_ack"].add(self._confirmed)
            channel.events["basic_nack"].add(self._nacked)

    def _confirmed(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {waiting for waiting in self._unconfirmed if waiting > tag}
        else:
            self._unconfirmed.discard(tag)

    def _nacked(self, tag: int, multiple: bool) -> None:
        self._refused = True
        self._confirmed(tag, multiple)

    def _wait(self, channel: Any) -> None:
        while self._unconfirmed:
            try:
                channel.connection.drain_events(timeout=CONFIRM_SECONDS)
            except TimeoutError as error:
                raise BusUnavailable("RabbitMQ confirms nothing") from error
        if self._refused:
            raise BusUnavailable("RabbitMQ refused a message")


@contextmanager
def _one_write(channel: Any) -> Iterator[None]:
    """Everything that is published inside goes to the broker at once: the library writes each message by itself."""
    transport: Any = getattr(channel.connection, "transport", None)
    write = getattr(transport, "_write", None)
    if write is None:  # not over a socket
        yield
        return
    waiting: list[bytes] = []
    transport._write = lambda frames: waiting.append(bytes(frames))
    try:
        yield
    finally:
        transport._write = write
    write(b"".join(waiting))


class Inbox:
    """Consumes queues in one greenlet: ``take`` gives what arrived, oldest first, and each is acknowledged by tag."""

    def __init__(self, uri: str, queues: Sequence[kombu.Queue], *, prefetch: int, no_ack: bool = False) -> None:
        self._connection = connect(uri, heartbeat=HEARTBEAT_SECONDS)
        self._arrived: list[Any] = []
        try:
            with bus_errors(self._connection):
                channel = self._connection.channel()
                channel.basic_qos(0, prefetch, False)
                for queue in queues:
                    bound = queue(channel)
                    bound.declare()
                    bound.consume(consumer_tag="", callback=self._arrived.append, no_ack=no_ack)
        except BaseException:  # nobody else knows the connection yet
            self.close()
            raise

    def take(self, most: int, seconds: float) -> list[Any]:
        """Up to ``most`` messages; waits at most ``seconds`` for the first, and for none after it."""
        with bus_errors(self._connection):
            if not self._arrived:
                self._drain(seconds)
            while self._arrived and len(self._arrived) < most and self._drain(0):
                pass
            self._connection.heartbeat_check()
        taken, self._arrived[:] = self._arrived[:most], self._arrived[most:]
        return taken

    def acknowledge(self, message: Any, *, multiple: bool = False) -> None:
        with bus_errors(self._connection):
            message.channel.basic_ack(message.delivery_tag, multiple=multiple)

    def close(self) -> None:
        drop(self._connection)

    def _drain(self, seconds: float) -> bool:
        try:
            self._connection.drain_events(timeout=seconds)
        except (TimeoutError, socket.timeout):  # noqa: UP041  # eventlet's own is the second
            return False
        return True


class AmqpCourier:
    """Carries batches of calls; answers come back to a queue of this process alone."""

    def __init__(self, uri: str, namespace: str, name: str) -> None:
        self._namespace = namespace
        self.reply_queue = answers_queue(namespace, name)
        self._sender = Sender(uri, self.reply_queue)

    def send(self, service: str, kind: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float) -> None:
        queue = calls_queue(self._namespace, service, kind)
        self._sender.send_calls(queue, self.reply_queue.name, batch_id, calls, seconds)

    def close(self) -> None:
        self._sender.close()


Receive = Callable[[str, Sequence[dict[str, Any]]], None]
