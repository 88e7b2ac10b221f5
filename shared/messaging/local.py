"""``local://``: the bus within one process, as a kombu transport. Importing this module registers it.

kombu's own in-memory transport polls, ignores ``ack(multiple=True)`` and queue arguments, and requeues at the tail.
This one wakes its consumers when a message arrives, acknowledges many messages at once, drops the oldest beyond
``x-max-length`` and those that have expired, and requeues at the head, in order. As with RabbitMQ, a message to a queue
that does not exist is lost, and an exclusive queue is deleted with its connection.

Its messages are lost with the process: the services' logs have all that must last.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

import kombu.transport
from kombu.exceptions import ChannelError
from kombu.transport import memory, virtual

from shared import green

Raw = dict[str, Any]
"""A message as kombu passes it on: body, headers, content type and encoding, properties."""


@dataclass(slots=True)
class _Stored:
    """A message in a queue. ``expires`` is a time of the monotonic clock."""

    raw: Raw
    expires: float | None
    redelivered: bool = False


@dataclass(slots=True)
class _Queue:
    limit: int | None
    owner: Transport | None
    messages: deque[_Stored] = field(default_factory=deque)
    listeners: list[Transport] = field(default_factory=list)

    def put(self, stored: _Stored) -> None:
        self.messages.append(stored)
        if self.limit is not None and len(self.messages) > self.limit:
            self.messages.popleft()
        self.notify()

    def requeue(self, stored: _Stored) -> None:
        stored.redelivered = True
        self.messages.appendleft(stored)
        self.notify()

    def take(self) -> _Stored:
        """The oldest message that has not expired. Raises Empty."""
        now = time.monotonic()
        while self.messages:
            stored = self.messages.popleft()
            if stored.expires is None or stored.expires > now:
                return stored
        raise Empty

    def notify(self) -> None:
        for transport in self.listeners:
            transport.notify()


_queues: dict[str, _Queue] = {}


def reset() -> None:
    """Deletes every queue, exchange and binding of this process; for tests. Open connections become useless."""
    _queues.clear()
    Transport.global_state.clear()


class Delivered(virtual.Message):
    """A message with its content type among its properties, as from RabbitMQ."""

    def __init__(self, payload: Raw, channel: Any = None, **kwargs: Any) -> None:
        super().__init__(payload, channel=channel, **kwargs)
        self.properties["content_type"] = self.content_type
        self.properties["content_encoding"] = self.content_encoding


class Channel(virtual.Channel):
    """A channel with its consumers and its unacknowledged messages, the oldest first."""

    Message = Delivered
    body_encoding = None
    do_restore = False  # close() below requeues, at the head and in order

    def __init__(self, connection: Transport, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._tags = itertools.count(1)
        self._unacknowledged: OrderedDict[int, tuple[str, _Stored]] = OrderedDict()
        self._prefetch = 0

    def queue_declare(
        self,
        queue: str = "",
        passive: bool = False,
        exclusive: bool = False,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        if queue not in _queues and not passive:
            queue = queue or f"local.gen-{id(self)}-{next(self._tags)}"
            limit = (arguments or {}).get("x-max-length")
            _queues[queue] = _Queue(limit, self.connection if exclusive else None)
        return super().queue_declare(queue, passive=passive)

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> None:
        """Does nothing if there is no such queue, or if it is used or not empty, contrary to the condition."""
        known = _queues.get(queue)
        if known is None or (if_empty and known.messages) or (if_unused and known.listeners):
            return
        self.connection.delete_queue(queue)

    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False) -> None:
        known = self.state.exchanges.pop(exchange, {"table": []})
        for routing_key, _pattern, queue in known["table"]:
            self.state.binding_delete(queue, exchange, routing_key)

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Callable[[Delivered], Any], consumer_tag: str, **kwargs: Any
    ) -> str:
        if queue not in _queues:
            raise ChannelError(f"NOT_FOUND - no queue {queue!r}", (60, 20), "Channel.basic_consume", "404")
        tag = consumer_tag or f"local-{next(self._tags)}"
        super().basic_consume(queue, no_ack, callback, tag, **kwargs)
        self.connection._callbacks[queue] = lambda stored: callback(self._delivery(queue, stored, no_ack))
        _queues[queue].listeners.append(self.connection)
        return tag

    def basic_cancel(self, consumer_tag: str) -> None:
        queue = _queues.get(self._tag_to_queue.get(consumer_tag, ""))
        super().basic_cancel(consumer_tag)
        if queue is not None and self.connection in queue.listeners:
            queue.listeners.remove(self.connection)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Delivered | None:
        try:
            return self._delivery(queue, self._get(queue), no_ack)
        except Empty:
            return None

    def basic_qos(self, prefetch_size: int = 0, prefetch_count: int = 0, apply_global: bool = False) -> None:
        self._prefetch = prefetch_count

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        """Ignores an unknown tag."""
        if multiple:
            while self._unacknowledged and next(iter(self._unacknowledged)) <= delivery_tag:
                self._unacknowledged.popitem(last=False)
        else:
            self._unacknowledged.pop(delivery_tag, None)
        self.connection.notify()  # below the prefetch limit the consumer gets more

    def basic_reject(self, delivery_tag: int, requeue: bool = False) -> None:
        queue, stored = self._unacknowledged.pop(delivery_tag, ("", None))
        if stored is not None and requeue and queue in _queues:
            _queues[queue].requeue(stored)
        self.connection.notify()

    def basic_recover(self, requeue: bool = False) -> None:
        """Requeues all unacknowledged messages at the heads of their queues, in order."""
        while self._unacknowledged:
            self.basic_reject(next(reversed(self._unacknowledged)), requeue=True)

    def drain_events(self, timeout: float | None = None, callback: Any = None) -> Any:
        if not self._consumers or 0 < self._prefetch <= len(self._unacknowledged):
            raise Empty
        return self._poll(self.cycle, callback or self.connection._deliver, timeout=timeout)

    def close(self) -> None:
        if not self.closed:
            for tag in list(self._consumers):
                self.basic_cancel(tag)
            self.basic_recover()
        super().close()

    def _delivery(self, queue: str, stored: _Stored, no_ack: bool) -> Delivered:
        """A delivery has its own copy of the properties: a topic exchange puts one message into several queues."""
        tag = next(self._tags)
        properties = dict(stored.raw["properties"])
        properties["delivery_tag"] = tag
        properties["delivery_info"] = {**properties["delivery_info"], "redelivered": stored.redelivered}
        if not no_ack:
            self._unacknowledged[tag] = (queue, stored)
        return Delivered({**stored.raw, "properties": properties}, channel=self)

    def _get(self, queue: str, timeout: float | None = None) -> _Stored:
        known = _queues.get(queue)
        if known is None:
            raise Empty
        return known.take()

    def _put(self, queue: str, message: Raw, **kwargs: Any) -> None:
        known = _queues.get(queue)
        if known is not None:
            milliseconds = message["properties"].get("expiration")
            expires = None if milliseconds is None else time.monotonic() + int(milliseconds) / 1000
            known.put(_Stored(message, expires))

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return queue in _queues

    def _size(self, queue: str) -> int:
        return len(_queues[queue].messages) if queue in _queues else 0

    def _purge(self, queue: str) -> int:
        size = self._size(queue)
        if size:
            _queues[queue].messages.clear()
        return size

    def _queue_bind(self, *args: Any) -> None:
        """Nothing to do: the bindings are in the state that all connections share."""


class Transport(memory.Transport):
    """A connection. All connections of the process share its exchanges and bindings."""

    Channel = Channel
    global_state = virtual.BrokerState()
    driver_type = driver_name = "local"

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._notified = green.Event()

    def notify(self) -> None:
        """Wakes the green thread that waits in ``drain_events``."""
        notified, self._notified = self._notified, green.Event()
        notified.send(None)

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Delivers one message; waits at most ``timeout`` seconds for it (None: unbounded). Raises socket.timeout."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            notified = self._notified
            try:
                self.cycle.get(self._deliver, timeout=timeout)
                return
            except Empty:
                pass
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise socket.timeout  # noqa: UP041  # what monkey-patched sockets raise
            with green.Timeout(left, False):
                notified.wait()

    def close_connection(self, connection: Any) -> None:
        super().close_connection(connection)
        for name, queue in list(_queues.items()):
            if queue.owner is self:
                self.delete_queue(name)

    def delete_queue(self, name: str) -> None:
        """Deletes a queue and its bindings."""
        del _queues[name]
        for exchange in self.state.exchanges.values():
            exchange["table"][:] = [binding for binding in exchange["table"] if binding[2] != name]
        self.state.queue_bindings_delete(name)


kombu.transport.TRANSPORT_ALIASES["local"] = f"{__name__}:Transport"
