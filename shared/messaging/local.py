"""``local://``: the bus within one process, as a kombu transport. Importing this module registers it.

kombu's own in-memory transport polls, acknowledges one message at a time whatever it is told, knows no queue argument
and puts back at the tail. This one wakes whoever waits when a message comes, acknowledges many at once, keeps to
``x-max-length`` (the oldest go), drops what has expired, and puts back at the head, in order. As with RabbitMQ, what
is sent to a queue that does not exist is gone, and an exclusive queue goes with its connection.

All of it stands in this process's memory: what must outlive it stands in the services' logs.
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
"""A message on its way: body, headers, content type and encoding, properties."""


@dataclass(slots=True)
class _Parcel:
    """A message in one queue. ``expires`` is on the machine's monotonic clock."""

    raw: Raw
    expires: float | None
    redelivered: bool = False


@dataclass(slots=True)
class _Queue:
    limit: int | None
    owner: Transport | None
    parcels: deque[_Parcel] = field(default_factory=deque)
    listeners: list[Transport] = field(default_factory=list)

    def put(self, parcel: _Parcel) -> None:
        self.parcels.append(parcel)
        if self.limit is not None and len(self.parcels) > self.limit:
            self.parcels.popleft()
        self.ring()

    def put_back(self, parcel: _Parcel) -> None:
        parcel.redelivered = True
        self.parcels.appendleft(parcel)
        self.ring()

    def take(self) -> _Parcel:
        """The oldest that has not expired. Raises Empty."""
        now = time.monotonic()
        while self.parcels:
            parcel = self.parcels.popleft()
            if parcel.expires is None or parcel.expires > now:
                return parcel
        raise Empty

    def ring(self) -> None:
        for transport in self.listeners:
            transport.ring()


_queues: dict[str, _Queue] = {}


def reset() -> None:
    """Forgets every queue, exchange and binding of this process: for tests. Open connections are of no more use."""
    _queues.clear()
    Transport.global_state.clear()


class Delivered(virtual.Message):
    """As it comes from RabbitMQ: the content type is among the properties too."""

    def __init__(self, payload: Raw, channel: Any = None, **kwargs: Any) -> None:
        super().__init__(payload, channel=channel, **kwargs)
        self.properties["content_type"] = self.content_type
        self.properties["content_encoding"] = self.content_encoding


class Channel(virtual.Channel):
    """A channel with its consumers and what it was handed and has not yet acknowledged, oldest first."""

    Message = Delivered
    body_encoding = None
    do_restore = False  # put back by close() below, in order and at the head

    def __init__(self, connection: Transport, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._tags = itertools.count(1)
        self._unacknowledged: OrderedDict[int, tuple[str, _Parcel]] = OrderedDict()
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
        """A queue that is not there, or not as asked, is left alone."""
        known = _queues.get(queue)
        if known is None or (if_empty and known.parcels) or (if_unused and known.listeners):
            return
        self.connection.forget(queue)

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
        self.connection._callbacks[queue] = lambda parcel: callback(self._handed(queue, parcel, no_ack))
        _queues[queue].listeners.append(self.connection)
        return tag

    def basic_cancel(self, consumer_tag: str) -> None:
        queue = _queues.get(self._tag_to_queue.get(consumer_tag, ""))
        super().basic_cancel(consumer_tag)
        if queue is not None and self.connection in queue.listeners:
            queue.listeners.remove(self.connection)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Delivered | None:
        try:
            return self._handed(queue, self._get(queue), no_ack)
        except Empty:
            return None

    def basic_qos(self, prefetch_size: int = 0, prefetch_count: int = 0, apply_global: bool = False) -> None:
        self._prefetch = prefetch_count

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        """An unknown tag is passed over."""
        if multiple:
            while self._unacknowledged and next(iter(self._unacknowledged)) <= delivery_tag:
                self._unacknowledged.popitem(last=False)
        else:
            self._unacknowledged.pop(delivery_tag, None)
        self.connection.ring()  # whoever waits at the prefetch limit may go on

    def basic_reject(self, delivery_tag: int, requeue: bool = False) -> None:
        queue, parcel = self._unacknowledged.pop(delivery_tag, ("", None))
        if parcel is not None and requeue and queue in _queues:
            _queues[queue].put_back(parcel)
        self.connection.ring()

    def basic_recover(self, requeue: bool = False) -> None:
        """Everything that was handed out goes back to the head of its queue, in order."""
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

    def _handed(self, queue: str, parcel: _Parcel, no_ack: bool) -> Delivered:
        """Each delivery has properties of its own: a topic exchange puts the same message into several queues."""
        tag = next(self._tags)
        properties = dict(parcel.raw["properties"])
        properties["delivery_tag"] = tag
        properties["delivery_info"] = {**properties["delivery_info"], "redelivered": parcel.redelivered}
        if not no_ack:
            self._unacknowledged[tag] = (queue, parcel)
        return Delivered({**parcel.raw, "properties": properties}, channel=self)

    def _get(self, queue: str, timeout: float | None = None) -> _Parcel:
        known = _queues.get(queue)
        if known is None:
            raise Empty
        return known.take()

    def _put(self, queue: str, message: Raw, **kwargs: Any) -> None:
        known = _queues.get(queue)
        if known is not None:
            milliseconds = message["properties"].get("expiration")
            expires = None if milliseconds is None else time.monotonic() + int(milliseconds) / 1000
            known.put(_Parcel(message, expires))

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return queue in _queues

    def _size(self, queue: str) -> int:
        return len(_queues[queue].parcels) if queue in _queues else 0

    def _purge(self, queue: str) -> int:
        size = self._size(queue)
        if size:
            _queues[queue].parcels.clear()
        return size

    def _queue_bind(self, *args: Any) -> None:
        """Bindings stand in the state that all connections share."""


class Transport(memory.Transport):
    """One for each connection; exchanges and bindings are shared by all of the process."""

    Channel = Channel
    global_state = virtual.BrokerState()
    driver_type = driver_name = "local"

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._bell = green.Event()

    def ring(self) -> None:
        """Wakes whoever waits in ``drain_events``."""
        bell, self._bell = self._bell, green.Event()
        bell.send(None)

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Delivers one message; waits for it at most ``timeout`` seconds (None: for ever). Raises socket.timeout."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            bell = self._bell
            try:
                self.cycle.get(self._deliver, timeout=timeout)
                return
            except Empty:
                pass
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise socket.timeout  # noqa: UP041  # under eventlet it is a class of its own, and what callers wait for
            with green.Timeout(left, False):
                bell.wait()

    def close_connection(self, connection: Any) -> None:
        super().close_connection(connection)
        for name, queue in list(_queues.items()):
            if queue.owner is self:
                self.forget(name)

    def forget(self, name: str) -> None:
        """Removes a queue and its bindings."""
        del _queues[name]
        for exchange in self.state.exchanges.values():
            exchange["table"][:] = [binding for binding in exchange["table"] if binding[2] != name]
        self.state.queue_bindings_delete(name)


kombu.transport.TRANSPORT_ALIASES["local"] = f"{__name__}:Transport"
