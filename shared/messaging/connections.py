"""Connections to RabbitMQ: one green thread at a time, a time-out for everything, publisher confirms."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import kombu
import orjson
from amqp.method_framing import frame_writer
from kombu.exceptions import OperationalError
from kombu.transport import pyamqp

import shared.messaging.local  # noqa: F401  # registers the transport of local:// with kombu
from shared import green
from shared.eventstore import Message
from shared.kernel.errors import Unavailable
from shared.messaging.topology import answers_queue, batches_exchange, calls_queue, events_exchange, routing_key

CONNECT_SECONDS = 3
"""To connect, and for every answer of the broker that has no specific time-out."""
RETRY_SECONDS = 0.5
"""Back-off after a failed attempt to connect; until then every use of the connection fails at once."""
ACQUIRE_SECONDS = 10.0
"""How long a green thread waits for its turn on a connection."""
CONFIRM_SECONDS = 10
HEARTBEAT_SECONDS = 10
JSON = "application/json"


class BusUnavailable(Unavailable):
    """RabbitMQ cannot be reached now."""


class BusUnreachable(BusUnavailable):
    """No connection can be made now. Another attempt would fail as well."""


class WriteBuffer:
    """Between amqp's frame writer and its transport: collects frames, to send them with one system call.

    amqp makes a call for each message, which was 38 % of a busy service's time.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._frames: list[bytes] | None = None

    def write(self, frame: bytes) -> None:
        if self._frames is None:
            self._transport.write(frame)
        else:
            self._frames.append(bytes(frame))  # a copy: the frame writer uses its memory again

    @contextmanager
    def corked(self) -> Iterator[None]:
        """Sends everything that is written within the block at its end, or nothing of it after an exception."""
        frames = self._frames = []
        try:
            yield
        finally:
            self._frames = None
        self._transport.write(b"".join(frames))


class _AmqpConnection(pyamqp.Connection):  # type: ignore[misc]  # the library has no types
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, frame_writer=self._make_frame_writer, **options)

    def _make_frame_writer(self, connection: Any, transport: Any) -> Any:
        self.write_buffer = WriteBuffer(transport)
        return frame_writer(connection, self.write_buffer)

    def connect(self, callback: Callable[[], Any] | None = None) -> Any:
        try:
            return super().connect(callback)
        except BaseException:  # amqp closes the socket after its own errors, but not after a caller's time-out
            self.collect()
            raise


def connect(uri: str, *, heartbeat: int = 0) -> kombu.Connection:
    """Connects, in one attempt for each host of the URI. Raises BusUnavailable.

    With a ``heartbeat`` the caller has to call ``heartbeat_check``.
    """
    connection = kombu.Connection(
        uri, connect_timeout=CONNECT_SECONDS, heartbeat=0 if uri.startswith("local:") else heartbeat
    )
    if isinstance(connection.transport, pyamqp.Transport):
        connection.transport.Connection = _AmqpConnection
    other_hosts = max(len(connection.alt) - 1, 0)
    try:
        with bus_errors(connection):
            connection.ensure_connection(max_retries=other_hosts, reraise_as_library_errors=False)
    except BaseException:
        discard(connection)
        raise
    wire = getattr(getattr(connection.connection, "transport", None), "sock", None)
    if wire is not None:  # by default amqp waits without a time-out, to write and for answers
        wire.settimeout(CONNECT_SECONDS)
    return connection


@contextmanager
def bus_errors(connection: kombu.Connection) -> Iterator[None]:
    """Turns every error that means that the broker cannot be reached into BusUnavailable."""
    errors = (*connection.connection_errors, *connection.channel_errors, OperationalError, OSError)
    try:
        yield
    except errors as error:
        raise BusUnavailable(reason=f"RabbitMQ cannot be reached: {error}") from error


def discard(connection: kombu.Connection) -> None:
    """Closes a connection, whatever its state, without waiting for a broker that may be gone."""
    with suppress(Exception):
        connection.collect(socket_timeout=0.1)


class LazyConnection:
    """A connection that is made when it is needed and closed when it fails, for one green thread at a time."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._lock = green.Semaphore()
        self._connection: kombu.Connection | None = None
        self._channel: Any = None
        self._retry_at = 0.0

    @contextmanager
    def channel(self, seconds: float = ACQUIRE_SECONDS) -> Iterator[Any]:
        """An open channel. It may take so many seconds to get it. After an error the next caller gets a new one.

        Raises BusUnreachable if there is none, and BusUnavailable if it fails.
        """
        if not self._lock.acquire(timeout=seconds):
            raise BusUnreachable(reason="RabbitMQ cannot be reached: other callers wait for it")
        try:
            if self._connection is None or self._channel is None:
                self._open()
            assert self._connection is not None
            with bus_errors(self._connection):
                yield self._channel
        except BaseException:  # green.Timeout is no Exception, and leaves the channel in an unknown state
            self.close()
            raise
        finally:
            self._lock.release()

    def _open(self) -> None:
        if time.monotonic() < self._retry_at:
            raise BusUnreachable(reason="RabbitMQ could not be reached, and is not tried again yet")
        try:
            self._connection = connect(self._uri)
            with bus_errors(self._connection):
                self._channel = self._connection.channel()
                self._opened(self._channel)
        except BusUnavailable as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            raise BusUnreachable(reason=str(error)) from error

    def _opened(self, channel: Any) -> None:
        """Prepares a new channel; for subclasses."""

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            discard(connection)


class Sender(LazyConnection):
    """Sends commands, queries and answers, without publisher confirms: every caller has a time-out.

    ``replies``: the queue for answers to its calls, declared before the first of them is sent.
    """

    _declared: set[str]

    def __init__(self, uri: str, replies: kombu.Queue | None = None) -> None:
        super().__init__(uri)
        self._replies = replies

    def send_calls(
        self, queue: kombu.Queue, reply_to: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float
    ) -> None:
        """Declares the queue first: calls to a service that is not running yet wait there."""
        expiration = str(int(seconds * 1000))
        properties = {"reply_to": reply_to, "correlation_id": batch_id, "expiration": expiration}
        self._send(queue.name, calls, properties, seconds, queue)

    def send_answers(self, queue: str, batch_id: str, answers: Sequence[dict[str, Any]]) -> None:
        self._send(queue, answers, {"correlation_id": batch_id}, ACQUIRE_SECONDS)

    def _send(
        self, name: str, body: Any, properties: dict[str, Any], seconds: float, queue: kombu.Queue | None = None
    ) -> None:
        text = orjson.dumps(body)
        try:
            self._send_once(name, text, properties, seconds, queue)
        except BusUnreachable:
            raise
        except BusUnavailable:  # the broker may have been restarted since the connection was last used
            self._send_once(name, text, properties, seconds, queue)

    def _send_once(
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


class EventPublisher(LazyConnection):
    """Publishes messages as persistent and waits for the publisher confirms.

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
        """Returns when the broker has confirmed all of them. Raises BusUnavailable."""
        with self.channel() as channel:
            bodies = [orjson.dumps(message.to_wire()) for message in messages]
            with _corked(channel):
                if self._confirms:  # the in-process transport has no outsiders
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
                raise BusUnavailable(reason="RabbitMQ does not confirm") from error
        if self._refused:
            raise BusUnavailable(reason="RabbitMQ refused a message")


def _corked(channel: Any) -> AbstractContextManager[None]:
    buffer: WriteBuffer | None = getattr(channel.connection, "write_buffer", None)
    return nullcontext() if buffer is None else buffer.corked()


class Inbox:
    """Consumes queues in one green thread: ``take`` returns messages, the oldest first, to be acknowledged."""

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
        except BaseException:  # no caller has the object yet that could close it
            self.close()
            raise

    def take(self, most: int, seconds: float) -> list[Any]:
        """Up to ``most`` messages; waits for the first one only, at most so many seconds."""
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
        discard(self._connection)

    def _drain(self, seconds: float) -> bool:
        try:
            self._connection.drain_events(timeout=seconds)
        except (TimeoutError, socket.timeout):  # noqa: UP041  # monkey-patched sockets raise the second
            return False
        return True


class AmqpCourier:
    """Sends batches of calls. The answers come to a queue of this process."""

    def __init__(self, uri: str, namespace: str, name: str) -> None:
        self._namespace = namespace
        self.reply_queue = answers_queue(namespace, name)
        self._sender = Sender(uri, self.reply_queue)

    def send(self, service: str, kind: str, batch_id: str, calls: Sequence[dict[str, Any]], seconds: float) -> None:
        queue = calls_queue(self._namespace, service, kind)
        self._sender.send_calls(queue, self.reply_queue.name, batch_id, calls, seconds)

    def close(self) -> None:
        self._sender.close()
