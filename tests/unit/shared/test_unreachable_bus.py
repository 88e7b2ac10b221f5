"""A broker that refuses connections or does not answer: callers fail in time, and failed connections are closed."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared import green
from shared.kernel.errors import Unavailable
from shared.messaging import connections
from shared.messaging.bus import CallingBus
from shared.messaging.connections import AmqpCourier, BusUnavailable, Inbox, Sender, connect
from tests.descriptors import no_file_left_open
from tests.waiting import TIMEOUT_SECONDS

CALLERS = 50


@pytest.fixture
def port() -> Iterator[socket.socket]:
    """A reserved port on which nothing listens yet."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        yield port


@pytest.fixture
def silent(port: socket.socket) -> str:
    """The address of a server that accepts connections and sends nothing."""
    port.listen(1000)
    return uri(port)


def uri(port: socket.socket) -> str:
    return f"amqp://guest:guest@127.0.0.1:{port.getsockname()[1]}//"


def concurrent_calls(bus: CallingBus, seconds: float, count: int = CALLERS) -> list[Any]:
    """Greenlets that each send a query, and return the seconds until it failed."""

    def call() -> float:
        start = time.monotonic()
        with pytest.raises(Unavailable):
            bus.send_query("booking", "booking", {}, timeout=seconds)
        return time.monotonic() - start

    return [green.spawn(call) for _ in range(count)]


def longest(calls: list[Any]) -> float:
    """The longest wait, in seconds."""
    return float(max(one.wait() for one in calls))


def test_concurrent_calls_fail_at_once_when_the_broker_refuses(port: socket.socket) -> None:
    bus = CallingBus(AmqpCourier(uri(port), "test", "gateway.1"))
    assert longest(concurrent_calls(bus, TIMEOUT_SECONDS)) < TIMEOUT_SECONDS / 2


def test_many_commands_fail_at_once_when_the_broker_refuses(port: socket.socket) -> None:
    bus = CallingBus(AmqpCourier(uri(port), "test", "gateway.1"))
    start = time.monotonic()
    answers = bus.send_commands("wallet", "reserve", [{}] * 3, timeout=TIMEOUT_SECONDS)
    assert [type(one) for one in answers] == [Unavailable] * 3
    assert time.monotonic() - start < TIMEOUT_SECONDS / 2


def test_concurrent_calls_share_one_attempt_to_connect_to_a_silent_broker(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not try one after the other."""
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.3)
    bus = CallingBus(AmqpCourier(silent, "test", "gateway.1"))
    assert longest(concurrent_calls(bus, TIMEOUT_SECONDS)) < 0.3 * CALLERS / 2


def test_a_caller_of_a_silent_broker_waits_for_its_own_time_out(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", TIMEOUT_SECONDS)
    bus = CallingBus(AmqpCourier(silent, "test", "gateway.1"))
    with no_file_left_open():
        assert longest(concurrent_calls(bus, 0.5)) < TIMEOUT_SECONDS / 2


def test_a_failed_connection_is_retried_after_a_pause(port: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the pause the failure is remembered."""
    monkeypatch.setattr(connections, "RETRY_SECONDS", TIMEOUT_SECONDS)
    sender = Sender(uri(port))
    with pytest.raises(BusUnavailable, match="ECONNREFUSED"):
        sender.send_answers("answers", "batch-1", [])
    with pytest.raises(BusUnavailable, match="not tried again yet"):
        sender.send_answers("answers", "batch-2", [])
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.05)
    sender = Sender(uri(port))
    for batch in ("batch-3", "batch-4"):
        with pytest.raises(BusUnavailable, match="ECONNREFUSED"):
            sender.send_answers("answers", batch, [])
        green.sleep(0.05)


def test_a_failed_or_abandoned_connection_leaves_no_open_file(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.3)
    with no_file_left_open():
        with pytest.raises(BusUnavailable):
            connect(silent)
        with pytest.raises(BusUnavailable):
            Inbox(silent, [], prefetch=1)
        with green.Timeout(0.1, False):
            connect(silent)


def test_every_host_of_an_address_is_tried_once(port: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.3)
    with socket.socket() as second:
        second.bind(("127.0.0.1", 0))
        second.listen(10)
        start = time.monotonic()
        with pytest.raises(BusUnavailable, match="timed out"):
            connect(f"{uri(port)};{uri(second)}")
        assert time.monotonic() - start >= 0.3
        second.setblocking(False)
        second.accept()[0].close()
        with pytest.raises(BlockingIOError):  # it was not tried again
            second.accept()


def test_a_value_that_is_not_json_does_not_close_the_connection() -> None:
    sender = Sender("local://localhost")
    sender.send_answers("answers", "batch-1", [])
    before = sender._connection
    with pytest.raises(TypeError):
        sender.send_answers("answers", "batch-2", [{"result": object()}])
    assert sender._connection is before


def test_an_answer_before_the_first_read_is_not_lost() -> None:
    courier = AmqpCourier("local://localhost", "test", "gateway.1")
    courier.send("booking", "queries", "batch-1", [], 5.0)
    Sender("local://localhost").send_answers(courier.reply_queue.name, "batch-1", [{"result": 1}])
    inbox = Inbox("local://localhost", [courier.reply_queue], prefetch=10, no_ack=True)
    (answer,) = inbox.take(10, 1.0)
    assert answer.properties["correlation_id"] == "batch-1"
    inbox.close()
