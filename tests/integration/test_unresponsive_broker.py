"""An unresponsive RabbitMQ: calls fail within their time-out, and no connection leaks."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kombu
import pytest

from shared import green
from shared.kernel.errors import Unavailable
from shared.messaging import connections, topology
from shared.messaging.bus import CallingBus
from shared.messaging.connections import AmqpCourier, BusUnavailable, Inbox, connect
from tests.chaos.proxy import Proxies
from tests.servers import AMQP
from tests.waiting import TIMEOUT_SECONDS, wait_until

pytestmark = pytest.mark.slow

CALLERS = 50


class Caller:
    """A bus that is connected to the broker through a proxy."""

    def __init__(self, namespace: str) -> None:
        parts = urlsplit(AMQP)
        self._proxies = Proxies({"rabbitmq": (parts.hostname or "127.0.0.1", parts.port or 5672)})
        port = self._proxies.ports["rabbitmq"]
        uri = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()
        self.courier = AmqpCourier(uri, namespace, "gateway.1")
        self.bus = CallingBus(self.courier)

    def cut(self, how: str) -> None:
        self._proxies.cut(["rabbitmq"], how)

    def restore(self) -> None:
        self._proxies.restore(["rabbitmq"])

    def longest_failure(self, service: str, seconds: float, count: int = 1) -> float:
        """Makes ``count`` concurrent calls, which all fail; returns the longest wait in seconds."""

        def fail() -> float:
            begun = time.monotonic()
            with pytest.raises(Unavailable):
                self.bus.send_query(service, "positions", {}, timeout=seconds)
            return time.monotonic() - begun

        return max(one.wait() for one in [green.spawn(fail) for _ in range(count)])

    def close(self) -> None:
        self.courier.close()
        self._proxies.close()


@pytest.fixture
def caller(namespace: str) -> Iterator[Caller]:
    caller = Caller(namespace)
    yield caller
    caller.close()
    with connect(AMQP) as connection, connection.channel() as channel:
        caller.courier.reply_queue(channel).delete()


def queued_calls(namespace: str, service: str) -> list[Any]:
    """Takes the calls in a service's queue."""
    inbox = Inbox(AMQP, [topology.calls_queue(namespace, service, "queries")], prefetch=1000, no_ack=True)
    try:
        return inbox.take(1000, 1.0)
    finally:
        inbox.close()


def test_concurrent_calls_time_out_while_the_broker_is_silent(
    caller: Caller, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", TIMEOUT_SECONDS)
    assert caller.longest_failure("sink", 0.3) < TIMEOUT_SECONDS / 2  # without an answer, but connects
    caller.cut("silence")
    assert caller.longest_failure("sink", 1.0, count=CALLERS) < CALLERS / 2
    caller.restore()
    queued_calls(namespace, "sink")  # discards calls that arrived after their time-out
    green.sleep(connections.RETRY_SECONDS)
    call = green.spawn(caller.longest_failure, "sink", TIMEOUT_SECONDS)
    wait_until(lambda: queued_calls(namespace, "sink"))
    call.kill()


def test_unanswered_queue_declaration_does_not_block_callers(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.5)
    caller.longest_failure("sink", 0.3)
    caller.cut("silence")
    assert caller.longest_failure("source", TIMEOUT_SECONDS, count=CALLERS) < 0.5 * CALLERS / 2


def test_concurrent_calls_fail_at_once_when_the_broker_disconnects(caller: Caller) -> None:
    caller.longest_failure("sink", 0.3)
    caller.cut("refuse")
    assert caller.longest_failure("sink", TIMEOUT_SECONDS, count=CALLERS) < TIMEOUT_SECONDS / 2


def test_failed_queue_declaration_leaks_no_connection(namespace: str) -> None:
    other = kombu.Queue(f"{namespace}.sink.from.source", durable=False, auto_delete=True)
    gc.disable()  # the collector would close a leaked connection
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            with pytest.raises(BusUnavailable):
                Inbox(AMQP, [other], prefetch=1)
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
    finally:
        gc.enable()
