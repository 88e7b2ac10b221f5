"""Consumers and senders of the tests' own on RabbitMQ: a test reads, changes and forwards what services exchange."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import kombu
import orjson

from shared import green
from shared.eventstore import Message
from shared.messaging.answering import query_envelope
from shared.messaging.connections import JSON, Inbox, Sender, connect
from shared.messaging.topology import answers_queue, batches_exchange, calls_queue
from tests.servers import AMQP
from tests.waiting import TIMEOUT_SECONDS

ANSWER_SECONDS = TIMEOUT_SECONDS
LOOK_SECONDS = 0.02
MOST = 1_000
TRAVELS = ("reply_to", "correlation_id", "expiration", "delivery_mode", "message_id")
"""Properties of a message that say where it goes on to, and for how long."""
AT_ONCE = 3
"""Batches that come between two looks at what the follower asks."""
Batch = list[dict[str, Any]]
"""Messages that travel together."""


def told(namespace: str, service: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Sends a command as another service would; returns the envelope of the answer."""
    replies = answers_queue(namespace, f"test.{uuid.uuid4().hex[:12]}")
    sender, inbox = Sender(AMQP), Inbox(AMQP, [replies], prefetch=1, no_ack=True)
    call = {"name": name, "data": data, "key": None, "caller": None, "correlationId": ""}
    try:
        queue = calls_queue(namespace, service, "commands")
        sender.send_calls(queue, replies.name, "told", [call], ANSWER_SECONDS)
        (answer,) = inbox.take(1, ANSWER_SECONDS)
    finally:
        sender.close()
        inbox.close()
    (envelope,) = orjson.loads(answer.body)
    return dict(envelope)


class Interceptor:
    """A consumer of the test between a source's queue and a follower, which has a namespace of its own.

    ``listen`` declares queues of its own for what the sources publish. While it is ``forwarding``, and after
    ``begin``, it consumes them and sends the follower what ``changed`` makes of each batch. When the follower asks for
    a source's log, it returns what the source has published so far, forwarded or dropped. ``logs``: all messages of
    each source, in order.
    """

    def __init__(self, here: str, there: str, sources: Sequence[str]) -> None:
        self._here, self.there, self.sources = here, there, list(sources)
        self.taken = self.sent = 0
        """Messages."""
        self.heads: dict[str, int] = {}
        """Up to where each source has published, for the follower."""
        self._begun = False

    def listen(self) -> None:
        with connect(AMQP) as connection, connection.channel() as channel:
            for source in self.sources:
                self._queue(source)(channel).declare()

    @contextmanager
    def forwarding(
        self, logs: Mapping[str, Sequence[Message]], changed: Callable[[Batch], Iterable[Batch]]
    ) -> Iterator[None]:
        """Forwards in the background until everything has arrived. Raises what failed meanwhile."""
        self.heads = {source: logs[source][-1].position for source in self.sources}
        waiting = [self._first_waiting(source) for source in self.sources]
        self.heads |= {one["source"]: one["previous"] for one in waiting if one is not None}
        heard = Inbox(AMQP, [self._queue(source) for source in self.sources], prefetch=MOST)
        asked = Inbox(AMQP, [calls_queue(self.there, source, "queries") for source in self.sources], prefetch=MOST)
        out = _Out()
        ends: list[bool] = []

        def forward() -> None:
            while not ends:
                for message in asked.take(MOST, LOOK_SECONDS):
                    asked.acknowledge(message)
                    self._answer(message, logs, out)
                for message in heard.take(AT_ONCE, LOOK_SECONDS) if self._begun else ():
                    self._pass_on(message, changed, out)
                    heard.acknowledge(message)

        beside = green.spawn(forward)
        try:
            yield
        finally:
            ends.append(True)
            beside.wait()
            for one in (heard, asked, out):
                one.close()

    def begin(self) -> None:
        self._begun = True

    def close(self) -> None:
        with connect(AMQP) as connection, connection.channel() as channel:
            for source in self.sources:
                self._queue(source)(channel).delete()

    def _queue(self, source: str) -> kombu.Queue:
        exchange = batches_exchange(self._here, source)
        return kombu.Queue(f"{self.there}.between.{source}", exchange=exchange, routing_key="#", durable=True)

    def _first_waiting(self, source: str) -> dict[str, Any] | None:
        with connect(AMQP) as connection, connection.channel() as channel:
            message = self._queue(source)(channel).get()
            if message is None:
                return None
            message.requeue()
            first: dict[str, Any] = orjson.loads(message.body)[0]
            return first

    def _pass_on(self, message: Any, changed: Callable[[Batch], Iterable[Batch]], out: _Out) -> None:
        batch = orjson.loads(message.body)
        source = batch[0]["source"]
        self.taken += len(batch)
        self.heads[source] = max(self.heads[source], batch[-1]["position"])
        for made in changed(batch):
            self.sent += len(made)
            out.put(orjson.dumps(made), batches_exchange(self.there, source).name, "", message.properties)

    def _answer(self, message: Any, logs: Mapping[str, Sequence[Message]], out: _Out) -> None:
        """Answers queries for a source's log itself and forwards all others to the source."""
        queue, calls = message.delivery_info["routing_key"], orjson.loads(message.body)
        source = queue.removeprefix(f"{self.there}.").removesuffix(".queries")
        if any(call["name"] != "log" for call in calls):
            out.put(message.body, "", calls_queue(self._here, source, "queries").name, message.properties)
            return
        pages = [self._page(logs[source], self.heads[source], **call["data"]) for call in calls]
        out.send_answers(message.properties["reply_to"], message.properties["correlation_id"], pages)

    @staticmethod
    def _page(log: Sequence[Message], head: int, after: int, limit: int) -> dict[str, Any]:
        found = [message.to_wire() for message in log if after < message.position <= head][:limit]
        return query_envelope({"epoch": log[0].epoch, "messages": found})


class _Out(Sender):
    """Publishes bodies unchanged."""

    def __init__(self) -> None:
        super().__init__(AMQP)

    def put(self, body: str | bytes, exchange: str, key: str, properties: dict[str, Any]) -> None:
        kept = {name: properties[name] for name in TRAVELS if name in properties}
        with self.channel() as channel:
            channel.basic_publish(channel.prepare_message(body, None, JSON, "utf-8", {}, kept), exchange, key)
