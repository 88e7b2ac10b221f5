"""The entrypoints of a service's container: results, exceptions and lost workers of its methods, unreadable input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import kombu
import orjson
import pytest
from greenlet import GreenletExit
from nameko.containers import ServiceContainer

from shared import green
from shared.eventstore import Message, Store, Transaction
from shared.eventstore.outcomes import Call
from shared.hosting import (
    PROCESSES,
    Hosted,
    WorkerLost,
    feeds,
    hosted,
    takes_commands,
    takes_messages,
    takes_queries,
)
from shared.kernel.errors import Refused, Unavailable
from shared.messaging import dead_letters, local, topology
from shared.messaging.answering import InternalError
from shared.messaging.bus import Answer, CallingBus
from shared.messaging.connections import AmqpCourier, EventPublisher, Inbox, connect
from shared.messaging.reactions import Reactions
from shared.observability import health, metrics
from shared.runtime.service import Service
from shared.runtime.settings import Settings
from tests.unit.shared.toy import SCHEMAS, file_store, fill, open_store, publishing, upgraded
from tests.waiting import TIMEOUT_SECONDS, wait_until

NOT_JSON = object()
Behaviour = Callable[[Sequence[Any]], Any]


class ToyService:
    """A service whose methods behave as a test sets them in ``behaviour``."""

    name = "toy"
    behaviour: ClassVar[dict[str, Behaviour]] = {}
    reactions: ClassVar[Reactions] = Reactions({("source", "JarFilled", 1): lambda _tx, _message: None})
    toy = Hosted()

    @classmethod
    def build(cls, settings: Settings, _clock: Any, bus: CallingBus, _engine: Any) -> Service:
        bus.local_queries["source"] = empty_log
        return Service("toy", open_store(settings.database_url("toy")), reactions=cls.reactions)

    @takes_commands
    def decide(self, calls: Sequence[Call]) -> Any:
        return self.behaviour["decide"](calls)

    @takes_queries
    def answer(self, calls: Sequence[Call]) -> Any:
        return self.behaviour["answer"](calls)

    @takes_messages("source")
    def react(self, _source: str, messages: Sequence[Message]) -> None:
        self.behaviour["react"](messages)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": "2021-11-02T09:00:00Z"})


@pytest.fixture
def source(tmp_path: Path) -> Store:
    return file_store(tmp_path, "source")


@pytest.fixture
def container(settings: Settings, tmp_path: Path, source: Store) -> Iterator[ServiceContainer]:
    file_store(tmp_path, "toy").engine.dispose()
    ToyService.behaviour = {"react": lambda _messages: None}
    with connect(settings.amqp_uri) as connection:
        topology.declare(connection, settings.namespace, {"source": [], "toy": ["source"]}, purge=False)
    container = ServiceContainer(ToyService, {"settings": settings, "max_workers": 8})
    container.start()
    yield container
    container.stop()
    PROCESSES.pop("toy")
    local.reset()


NO_BACKLOG = {"messages": 0, "since": None}


def empty_log(calls: Sequence[Call]) -> list[Any]:
    """The answers of a source whose log is empty."""
    return [NO_BACKLOG if call.name == "backlog" else {"epoch": "", "messages": []} for call in calls]


@pytest.fixture
def caller(settings: Settings, container: ServiceContainer) -> Iterator[CallingBus]:
    """The bus of another service."""
    courier = AmqpCourier(settings.amqp_uri, settings.namespace, "caller.1")
    bus = CallingBus(courier)
    inbox = Inbox(settings.amqp_uri, [courier.reply_queue], prefetch=100, no_ack=True)

    def receive() -> None:
        while True:
            for message in inbox.take(100, 1.0):
                bus.receive(message.properties["correlation_id"], orjson.loads(message.body))

    receiving = green.spawn(receive)
    yield bus
    receiving.kill()
    inbox.close()


def is_alive(container: ServiceContainer) -> bool:
    green.sleep(0.05)
    return container.started and all(part.lives() for part in PROCESSES["toy"].parts.values())


def test_an_answer_that_is_not_json_fails_its_call_only(container: ServiceContainer, caller: CallingBus) -> None:
    container.service_cls.behaviour["answer"] = lambda calls: [
        NOT_JSON if call.name == "odd" else {"name": call.name} for call in calls
    ]
    calls = [
        green.spawn(caller.send_query, "toy", name, {}, batched=True, timeout=TIMEOUT_SECONDS)
        for name in ("first", "odd", "even")
    ]
    assert calls[0].wait() == {"name": "first"}
    with pytest.raises(Refused) as refused:
        calls[1].wait()
    assert (refused.value.status, refused.value.code) == (500, "internal-error")
    assert calls[2].wait() == {"name": "even"}
    assert is_alive(container)


def raising(error: BaseException) -> Behaviour:
    def raises(_batch: Sequence[Any]) -> Any:
        raise error

    return raises


def test_an_exception_of_a_method_reaches_its_callers(container: ServiceContainer, caller: CallingBus) -> None:
    container.service_cls.behaviour["decide"] = raising(KeyError("a bug"))
    with pytest.raises(Refused) as refused:
        caller.send_command("toy", "fill", {}, timeout=TIMEOUT_SECONDS)
    assert refused.value.status == 500
    container.service_cls.behaviour["decide"] = raising(Unavailable("no database"))
    with pytest.raises(Unavailable, match="no database"):
        caller.send_command("toy", "fill", {}, timeout=TIMEOUT_SECONDS)
    container.service_cls.behaviour["decide"] = lambda calls: [({"filled": True}, None, False) for _ in calls]
    assert caller.send_command("toy", "fill", {}, timeout=TIMEOUT_SECONDS) == Answer({"filled": True}, None, False)
    assert is_alive(container)


@pytest.mark.parametrize(
    "end", [green.Timeout(), GreenletExit(), KeyError("a bug")], ids=lambda end: type(end).__name__
)
def test_messages_of_a_lost_worker_are_redelivered(
    container: ServiceContainer, settings: Settings, source: Store, end: BaseException
) -> None:
    deliveries: list[list[int]] = []

    def react(messages: Sequence[Message]) -> None:
        deliveries.append([message.position for message in messages])
        if len(deliveries) == 1:
            raise end

    container.service_cls.behaviour["react"] = react
    fill(source, 1, 5)
    EventPublisher(settings.amqp_uri, settings.namespace, "source").publish(source.messages(0, 10))
    with green.Timeout(3.0):
        while len(deliveries) < 2:
            green.sleep(0.01)
    assert deliveries[0] == deliveries[1]
    assert is_alive(container)


def test_waiting_for_a_worker_ends_when_it_is_lost_or_times_out(container: ServiceContainer) -> None:
    (entrypoint,) = (one for one in container.entrypoints if one.method_name == "react")
    container.service_cls.behaviour["react"] = raising(GreenletExit())
    with pytest.raises(WorkerLost):
        entrypoint.handle("source", [])
    container.service_cls.behaviour["react"] = lambda _messages: green.sleep(0.2)
    with pytest.raises(green.Timeout), green.Timeout(0.05):
        entrypoint.handle("source", [])


def send(settings: Settings, body: bytes, exchange: str = "", queue: str = "", **properties: str) -> None:
    with connect(settings.amqp_uri) as connection, connection.channel() as channel:
        message = channel.prepare_message(body, None, "application/json", "utf-8", {}, properties)
        channel.basic_publish(message, exchange, queue)


def unreadable_count(queue: str) -> float:
    return metrics.unreadable.labels("toy", queue)._value.get()


@pytest.mark.parametrize("last", ["readable", "broken"])
def test_an_unreadable_message_is_read_from_the_log_of_its_source(
    container: ServiceContainer, settings: Settings, source: Store, last: str
) -> None:
    process, before = PROCESSES["toy"], unreadable_count("source")
    container.service_cls.behaviour["react"] = lambda messages: process.react("source", messages)
    process.bus.local_queries["source"] = lambda calls: [page(source, call) for call in calls]
    for number in range(1, 6):
        fill(source, number, 1)
    messages = source.messages(0, 10)
    publisher = EventPublisher(settings.amqp_uri, settings.namespace, "source")
    batches = topology.batches_exchange(settings.namespace, "source").name
    unknown = orjson.dumps([{**messages[2].to_wire(), "position": "third"}])
    publisher.publish(messages[:1])
    for body in (b"{", unknown, b"[{}]"):
        send(settings, body, batches)
    if last == "readable":
        publisher.publish(messages[4:])
    wait_until(
        lambda: (
            process.consumers["source"].position == messages[-1].position and unreadable_count("source") >= before + 3
        )
    )
    assert process.health() == {}
    fill(source, 6, 1)
    publisher.publish(source.messages(messages[-1].position, 1))
    wait_until(lambda: process.consumers["source"].position == source.published_head())
    assert unreadable_count("source") - before == 3, "each is counted once: none is redelivered"
    assert is_alive(container)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, dict[str, Any]]]:
    """The versions and data that the reaction to version 1 received."""
    found: list[tuple[int, dict[str, Any]]] = []

    def react(_tx: Transaction, message: Message) -> None:
        found.append((message.version, message.data))

    monkeypatch.setattr(ToyService, "reactions", Reactions({("source", "JarFilled", 1): react}, SCHEMAS))
    return found


def test_versions_of_a_message_within_one_process(
    received: list[tuple[int, dict[str, Any]]], container: ServiceContainer, settings: Settings, source: Store
) -> None:
    """Several versions travel in one message. A newer one alone is read if the known schema admits it."""
    process = PROCESSES["toy"]
    container.service_cls.behaviour["react"] = lambda messages: process.react("source", messages)
    process.bus.local_queries["source"] = lambda calls: [page(source, call) for call in calls]
    publisher = EventPublisher(settings.amqp_uri, settings.namespace, "source")
    for number, versions in enumerate([(1,), (2, 1), (2,), (3,)], start=1):
        fill(source, number, number)
        release = upgraded(source, publishing(*versions))
        publisher.publish(release.messages(process.consumers["source"].position or 0, 10))
        wait_until(lambda: process.consumers["source"].position == source.published_head())
    assert received == [(1, {"owner": number, "amount": number}) for number in (1, 2, 3)]
    with process.store.reading() as connection:
        (letter,) = dead_letters.listed(connection)
    assert letter["error"].startswith("JarFilled version 3 is not understood")
    assert process.health() == {}


def test_a_gap_that_the_source_cannot_fill_makes_the_consumer_stuck(
    container: ServiceContainer, settings: Settings, source: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that does not answer is no trouble while there is no gap."""
    for module, pause in ((feeds, "IDLE_CHECK_SECONDS"), (feeds, "POLL_SECONDS"), (hosted, "OBSERVE_SECONDS")):
        monkeypatch.setattr(module, pause, 0.01)
    process, log_reads = PROCESSES["toy"], list[Call]()

    def refusing(calls: Sequence[Call]) -> list[Any]:
        log_reads.extend(calls)
        return [Refused(InternalError("an event that cannot be translated").to_outcome())]

    container.service_cls.behaviour["react"] = lambda messages: process.react("source", messages)
    process.bus.local_queries["source"] = refusing
    wait_until(lambda: len(log_reads) >= 2)
    assert process.health() == {}
    for number in range(1, 4):
        fill(source, number, 1)
    with monkeypatch.context() as shorter:
        shorter.setattr(health, "STUCK_SECONDS", 0.5)
        rounds = len(log_reads)
        wait_until(lambda: len(log_reads) >= rounds + 2)  # the shorter time applies from the next round on
        EventPublisher(settings.amqp_uri, settings.namespace, "source").publish(source.messages(0, 10)[2:])
        wait_until(lambda: process.health().get("toy messages from source") == "stuck")
    process.bus.local_queries["source"] = lambda calls: [page(source, call) for call in calls]
    wait_until(lambda: process.consumers["source"].position == source.published_head() and process.health() == {})


def page(source: Store, call: Call) -> dict[str, Any]:
    if call.name == "backlog":  # the metrics query it every few seconds
        return NO_BACKLOG
    messages = source.messages(call.data["after"], call.data["limit"])
    return {"epoch": source.epoch(), "messages": [message.to_wire() for message in messages]}


def test_an_unreadable_call_is_refused_and_the_others_are_executed(
    container: ServiceContainer, settings: Settings, caller: CallingBus
) -> None:
    executed: list[str] = []

    def decide(calls: Sequence[Call]) -> Any:
        executed.extend(call.name for call in calls)
        return [({"done": call.name}, None, False) for call in calls]

    container.service_cls.behaviour["decide"] = decide
    before, queue = unreadable_count("commands"), topology.calls_queue(settings.namespace, "toy", "commands").name
    good = {"name": "good", "data": {}, "key": None, "caller": None, "correlationId": "c"}
    answers = kombu.Queue(f"{settings.namespace}.answers.odd", durable=False, auto_delete=True)
    inbox = Inbox(settings.amqp_uri, [answers], prefetch=10, no_ack=True)
    back = {"reply_to": answers.name, "correlation_id": "odd"}
    send(settings, b"{", "", queue, **back)
    send(settings, orjson.dumps([good]), "", queue)  # without a reply queue
    send(settings, orjson.dumps([{"name": "bad"}, good, {**good, "data": 5}]), "", queue, **back)
    send(settings, orjson.dumps([None]), "", queue, **back)
    mixed, single = (orjson.loads(inbox.take(1, TIMEOUT_SECONDS)[0].body) for _ in range(2))
    if len(mixed) == 1:  # the batch that needs no worker may be answered first
        mixed, single = single, mixed
    assert [one.get("result", one.get("refused", {}).get("status")) for one in mixed] == [422, {"done": "good"}, 422]
    assert [one["refused"]["status"] for one in single] == [422]
    assert caller.send_command("toy", "next", {}, timeout=TIMEOUT_SECONDS).result == {"done": "next"}
    assert executed == ["good", "next"]
    assert unreadable_count("commands") - before == 4
    assert PROCESSES["toy"].health() == {}
    inbox.close()


def test_an_unreadable_answer_leaves_the_others_alone(container: ServiceContainer, settings: Settings) -> None:
    process = PROCESSES["toy"]
    queue = process.bus._courier.reply_queue

    def decide(calls: Sequence[Call]) -> Any:
        with connect(settings.amqp_uri) as connection, connection.channel() as channel:
            message = channel.prepare_message("{", None, "application/json", "utf-8", {}, {"correlation_id": "odd"})
            channel.basic_publish(message, "", queue.name)
        return [({"done": call.name}, None, False) for call in calls]

    container.service_cls.behaviour["decide"] = decide
    assert process.bus.send_command("toy", "fill", {}, timeout=TIMEOUT_SECONDS).result == {"done": "fill"}
    assert process.health() == {}
