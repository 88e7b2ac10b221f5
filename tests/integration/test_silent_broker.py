"""RabbitMQ says nothing any more, or no: callers are told in time, and no connection is left behind."""

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

CROWD = 50


class Caller:
    """A bus, and what lies between it and the broker."""

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

    def told_after(self, service: str, seconds: float, count: int = 1) -> float:
        """The longest wait of so many callers at once, whose calls travel alone."""

        def ask() -> float:
            begun = time.monotonic()
            with pytest.raises(Unavailable):
                self.bus.send_query(service, "positions", {}, timeout=seconds)
            return time.monotonic() - begun

        return max(one.wait() for one in [green.spawn(ask) for _ in range(count)])

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


def waiting(namespace: str, service: str) -> list[Any]:
    """The calls in a service's queue."""
    inbox = Inbox(AMQP, [topology.calls_queue(namespace, service, "queries")], prefetch=1000, no_ack=True)
    try:
        return inbox.take(1000, 1.0)
    finally:
        inbox.close()


def test_a_crowd_waits_no_longer_than_its_time_outs_in_a_silence(
    caller: Caller, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", TIMEOUT_SECONDS)
    assert caller.told_after("sink", 0.3) < TIMEOUT_SECONDS / 2  # nobody answers, and the line is made
    caller.cut("silence")
    assert caller.told_after("sink", 1.0, count=CROWD) < CROWD / 2
    caller.restore()
    waiting(namespace, "sink")  # what may still have come of them
    green.sleep(connections.RETRY_SECONDS)
    asked = green.spawn(caller.told_after, "sink", TIMEOUT_SECONDS)
    wait_until(lambda: waiting(namespace, "sink"))
    asked.kill()


def test_a_queue_whose_declaration_is_not_answered_holds_nobody_up(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.5)
    caller.told_after("sink", 0.3)
    caller.cut("silence")
    assert caller.told_after("source", TIMEOUT_SECONDS, count=CROWD) < 0.5 * CROWD / 2


def test_a_crowd_is_told_at_once_when_the_broker_goes_away(caller: Caller) -> None:
    caller.told_after("sink", 0.3)
    caller.cut("refuse")
    assert caller.told_after("sink", TIMEOUT_SECONDS, count=CROWD) < TIMEOUT_SECONDS / 2


def test_an_inbox_whose_queue_is_of_another_kind_leaves_no_connection(namespace: str) -> None:
    other = kombu.Queue(f"{namespace}.sink.from.source", durable=False, auto_delete=True)
    gc.disable()  # which would close it sooner or later
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            with pytest.raises(BusUnavailable):
                Inbox(AMQP, [other], prefetch=1)
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
    finally:
        gc.enable()
