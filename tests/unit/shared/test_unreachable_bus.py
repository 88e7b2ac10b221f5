"""What callers hear of a broker that refuses, or says nothing; and what is left of the connections that failed."""

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

CROWD = 50


@pytest.fixture
def place() -> Iterator[socket.socket]:
    """A port where nobody listens yet, and that nobody else takes."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        yield place


@pytest.fixture
def silent(place: socket.socket) -> str:
    """Where connections are taken, and nothing is ever said."""
    place.listen(1000)
    return uri(place)


def uri(place: socket.socket) -> str:
    return f"amqp://guest:guest@127.0.0.1:{place.getsockname()[1]}//"


def crowd_of(bus: CallingBus, seconds: float, count: int = CROWD) -> list[Any]:
    """Callers of queries that travel alone, and when each was told to come again, in seconds."""

    def ask() -> float:
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            bus.send_query("booking", "booking", {}, timeout=seconds)
        return time.monotonic() - begun

    return [green.spawn(ask) for _ in range(count)]


def waited(crowd: list[Any]) -> float:
    """The longest wait."""
    return float(max(one.wait() for one in crowd))


def test_a_crowd_is_told_at_once_when_the_broker_refuses(place: socket.socket) -> None:
    bus = CallingBus(AmqpCourier(uri(place), "test", "gateway.1"))
    assert waited(crowd_of(bus, TIMEOUT_SECONDS)) < TIMEOUT_SECONDS / 2


def test_many_commands_are_told_at_once_when_the_broker_refuses(place: socket.socket) -> None:
    bus = CallingBus(AmqpCourier(uri(place), "test", "gateway.1"))
    begun = time.monotonic()
    told = bus.send_commands("wallet", "reserve", [{}] * 3, timeout=TIMEOUT_SECONDS)
    assert [type(one) for one in told] == [Unavailable] * 3
    assert time.monotonic() - begun < TIMEOUT_SECONDS / 2


def test_a_crowd_is_told_when_the_first_has_not_been_connected_to_a_silent_broker(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not each after a try of its own."""
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.3)
    bus = CallingBus(AmqpCourier(silent, "test", "gateway.1"))
    assert waited(crowd_of(bus, TIMEOUT_SECONDS)) < 0.3 * CROWD / 2


def test_nobody_waits_longer_than_the_own_time_out_for_a_silent_broker(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", TIMEOUT_SECONDS)
    bus = CallingBus(AmqpCourier(silent, "test", "gateway.1"))
    with no_file_left_open():
        assert waited(crowd_of(bus, 0.5)) < TIMEOUT_SECONDS / 2


def test_whoever_comes_after_a_failure_tries_again(place: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of what is remembered: not for long."""
    monkeypatch.setattr(connections, "RETRY_SECONDS", TIMEOUT_SECONDS)
    sender = Sender(uri(place))
    with pytest.raises(BusUnavailable, match="ECONNREFUSED"):
        sender.send_answers("answers", "batch-1", [])
    with pytest.raises(BusUnavailable, match="not tried again yet"):
        sender.send_answers("answers", "batch-2", [])
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.05)
    sender = Sender(uri(place))
    for batch in ("batch-3", "batch-4"):
        with pytest.raises(BusUnavailable, match="ECONNREFUSED"):
            sender.send_answers("answers", batch, [])
        green.sleep(0.05)


def test_a_connection_that_fails_or_is_given_up_leaves_nothing_open(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.3)
    with no_file_left_open():
        with pytest.raises(BusUnavailable):
            connect(silent)
        with pytest.raises(BusUnavailable):
            Inbox(silent, [], prefetch=1)
        with green.Timeout(0.1, False):
            connect(silent)


def test_all_hosts_of_an_address_are_tried_once(place: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.3)
    with socket.socket() as second:
        second.bind(("127.0.0.1", 0))
        second.listen(10)
        begun = time.monotonic()
        with pytest.raises(BusUnavailable, match="timed out"):
            connect(f"{uri(place)};{uri(second)}")
        assert time.monotonic() - begun >= 0.3
        second.setblocking(False)
        second.accept()[0].close()
        with pytest.raises(BlockingIOError):  # it was not tried again
            second.accept()


def test_what_is_no_json_costs_no_connection() -> None:
    sender = Sender("local://localhost")
    sender.send_answers("answers", "batch-1", [])
    before = sender._connection
    with pytest.raises(TypeError):
        sender.send_answers("answers", "batch-2", [{"result": object()}])
    assert sender._connection is before


def test_an_answer_that_comes_before_anybody_reads_answers_is_kept() -> None:
    courier = AmqpCourier("local://localhost", "test", "gateway.1")
    courier.send("booking", "queries", "batch-1", [], 5.0)
    Sender("local://localhost").send_answers(courier.reply_queue.name, "batch-1", [{"result": 1}])
    inbox = Inbox("local://localhost", [courier.reply_queue], prefetch=10, no_ack=True)
    (answer,) = inbox.take(10, 1.0)
    assert answer.properties["correlation_id"] == "batch-1"
    inbox.close()
