"""What a service's container does with what its methods give back, raise, or never say."""

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
Does = Callable[[Sequence[Any]], Any]


class Toy:
    """Its methods do what a test has told them to."""

    name = "toy"
    does: ClassVar[dict[str, Does]] = {}
    reactions: ClassVar[Reactions] = Reactions({("source", "JarFilled", 1): lambda _tx, _message: None})
    toy = Hosted()

    @classmethod
    def build(cls, settings: Settings, _clock: Any, bus: CallingBus, _engine: Any) -> Service:
        bus.local_queries["source"] = empty_log
        return Service("toy", open_store(settings.database_url("toy")), reactions=cls.reactions)

    @takes_commands
    def decide(self, calls: Sequence[Call]) -> Any:
        return self.does["decide"](calls)

    @takes_queries
    def answer(self, calls: Sequence[Call]) -> Any:
        return self.does["answer"](calls)

    @takes_messages("source")
    def react(self, _source: str, messages: Sequence[Message]) -> None:
        self.does["react"](messages)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"STATE_DIR": str(tmp_path), "CLOCK": "2021-11-02T09:00:00Z"})


@pytest.fixture
def source(tmp_path: Path) -> Store:
    return file_store(tmp_path, "source")


@pytest.fixture
def container(settings: Settings, tmp_path: Path, source: Store) -> Iterator[ServiceContainer]:
    file_store(tmp_path, "toy").engine.dispose()
    Toy.does = {"react": lambda _messages: None}
    with connect(settings.amqp_uri) as connection:
        topology.declare(connection, settings.namespace, {"source": [], "toy": ["source"]}, purge=False)
    container = ServiceContainer(Toy, {"settings": settings, "max_workers": 8})
    container.start()
    yield container
    container.stop()
    PROCESSES.pop("toy")
    local.reset()


NO_BACKLOG = {"messages": 0, "since": None}


def empty_log(calls: Sequence[Call]) -> list[Any]:
    """The source's log, which says nothing that was not sent."""
    return [NO_BACKLOG if call.name == "backlog" else {"epoch": "", "messages": []} for call in calls]


@pytest.fixture
def caller(settings: Settings, container: ServiceContainer) -> Iterator[CallingBus]:
    """Another service's bus."""
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


def lives(container: ServiceContainer) -> bool:
    green.sleep(0.05)
    return container.started and all(part.lives() for part in PROCESSES["toy"].parts.values())


def test_an_answer_that_is_no_json_is_an_error_of_that_call_alone(
    container: ServiceContainer, caller: CallingBus
) -> None:
    container.service_cls.does["answer"] = lambda calls: [
        NOT_JSON if call.name == "odd" else {"name": call.name} for call in calls
    ]
    asked = [
        green.spawn(caller.send_query, "toy", name, {}, batched=True, timeout=TIMEOUT_SECONDS)
        for name in ("first", "odd", "even")
    ]
    assert asked[0].wait() == {"name": "first"}
    with pytest.raises(Refused) as refused:
        asked[1].wait()
    assert (refused.value.status, refused.value.code) == (500, "internal-error")
    assert asked[2].wait() == {"name": "even"}
    assert lives(container)


def raising(error: BaseException) -> Does:
    def raises(_given: Sequence[Any]) -> Any:
        raise error

    return raises


def test_what_a_method_raises_is_told_to_all_who_asked(container: ServiceContainer, caller: CallingBus) -> None:
    container.service_cls.does["decide"] = raising(KeyError("a bug"))
    with pytest.raises(Refused) as refused:
        caller.send_command("toy", "fill", {}, timeout=TIMEOUT_SECONDS)
    assert refused.value.status == 500
    container.service_cls.does["decide"] = raising(Unavailable("no database"))
    with pytest.raises(Unavailable, match="no database"):
        caller.send_command("toy", "fill", {}, timeout=TIMEOUT_SECONDS)
    container.service_cls.does["decide"] = lambda calls: [({"filled": True}, None, False) for _ in calls]
    assert caller.send_command("toy", "fill", {}, timeout=TIMEOUT_SECONDS) == Answer({"filled": True}, None, False)
    assert lives(container)


@pytest.mark.parametrize(
    "end", [green.Timeout(), GreenletExit(), KeyError("a bug")], ids=lambda end: type(end).__name__
)
def test_messages_whose_worker_ended_are_handed_over_again(
    container: ServiceContainer, settings: Settings, source: Store, end: BaseException
) -> None:
    taken: list[list[int]] = []

    def react(messages: Sequence[Message]) -> None:
        taken.append([message.position for message in messages])
        if len(taken) == 1:
            raise end

    container.service_cls.does["react"] = react
    fill(source, 1, 5)
    EventPublisher(settings.amqp_uri, settings.namespace, "source").publish(source.messages(0, 10))
    with green.Timeout(3.0):
        while len(taken) < 2:
            green.sleep(0.01)
    assert taken[0] == taken[1]
    assert lives(container)


def test_who_waits_for_a_worker_is_told_of_its_end_and_ends_when_it_must(container: ServiceContainer) -> None:
    (entrypoint,) = (one for one in container.entrypoints if one.method_name == "react")
    container.service_cls.does["react"] = raising(GreenletExit())
    with pytest.raises(WorkerLost):
        entrypoint.handle("source", [])
    container.service_cls.does["react"] = lambda _messages: green.sleep(0.2)
    with pytest.raises(green.Timeout), green.Timeout(0.05):
        entrypoint.handle("source", [])


def send(settings: Settings, body: bytes, exchange: str = "", queue: str = "", **properties: str) -> None:
    with connect(settings.amqp_uri) as connection, connection.channel() as channel:
        message = channel.prepare_message(body, None, "application/json", "utf-8", {}, properties)
        channel.basic_publish(message, exchange, queue)


def passed_over(queue: str) -> float:
    return metrics.unreadable.labels("toy", queue)._value.get()


@pytest.mark.parametrize("last", ["readable", "broken"])
def test_a_message_that_cannot_be_read_is_asked_of_the_sources_log(
    container: ServiceContainer, settings: Settings, source: Store, last: str
) -> None:
    process, before = PROCESSES["toy"], passed_over("source")
    container.service_cls.does["react"] = lambda messages: process.react("source", messages)
    process.bus.local_queries["source"] = lambda calls: [page(source, call) for call in calls]
    for number in range(1, 6):
        fill(source, number, 1)
    told = source.messages(0, 10)
    publisher = EventPublisher(settings.amqp_uri, settings.namespace, "source")
    batches = topology.batches_exchange(settings.namespace, "source").name
    unknown = orjson.dumps([{**told[2].to_wire(), "position": "third"}])
    publisher.publish(told[:1])
    for body in (b"{", unknown, b"[{}]"):
        send(settings, body, batches)
    if last == "readable":
        publisher.publish(told[4:])
    wait_until(
        lambda: process.consumers["source"].position == told[-1].position and passed_over("source") >= before + 3
    )
    assert process.health() == {}
    fill(source, 6, 1)
    publisher.publish(source.messages(told[-1].position, 1))
    wait_until(lambda: process.consumers["source"].position == source.published_head())
    assert passed_over("source") - before == 3, "each once: none came again"
    assert lives(container)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, dict[str, Any]]]:
    """What the toy's reaction to version 1 of the message got."""
    found: list[tuple[int, dict[str, Any]]] = []

    def react(_tx: Transaction, message: Message) -> None:
        found.append((message.version, message.data))

    monkeypatch.setattr(Toy, "reactions", Reactions({("source", "JarFilled", 1): react}, SCHEMAS))
    return found


def test_versions_side_by_side_within_one_process(
    heard: list[tuple[int, dict[str, Any]]], container: ServiceContainer, settings: Settings, source: Store
) -> None:
    """Both travel as one message; of one that brings only what is unknown, what can be read is read."""
    process = PROCESSES["toy"]
    container.service_cls.does["react"] = lambda messages: process.react("source", messages)
    process.bus.local_queries["source"] = lambda calls: [page(source, call) for call in calls]
    publisher = EventPublisher(settings.amqp_uri, settings.namespace, "source")
    for number, versions in enumerate([(1,), (2, 1), (2,), (3,)], start=1):
        fill(source, number, number)
        release = upgraded(source, publishing(*versions))
        publisher.publish(release.messages(process.consumers["source"].position or 0, 10))
        wait_until(lambda: process.consumers["source"].position == source.published_head())
    assert heard == [(1, {"owner": number, "amount": number}) for number in (1, 2, 3)]
    with process.store.reading() as connection:
        (letter,) = dead_letters.listed(connection)
    assert letter["error"].startswith("JarFilled version 3 is not understood")
    assert process.health() == {}


def test_a_gap_that_its_source_does_not_fill_makes_a_consumer_stuck(
    container: ServiceContainer, settings: Settings, source: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not so that the source does not answer while there is nothing to be done."""
    for module, pause in ((feeds, "IDLE_CHECK_SECONDS"), (feeds, "POLL_SECONDS"), (hosted, "OBSERVE_SECONDS")):
        monkeypatch.setattr(module, pause, 0.01)
    process, asked = PROCESSES["toy"], list[Call]()

    def refusing(calls: Sequence[Call]) -> list[Any]:
        asked.extend(calls)
        return [Refused(InternalError("an event of ours that is no message").to_outcome())]

    container.service_cls.does["react"] = lambda messages: process.react("source", messages)
    process.bus.local_queries["source"] = refusing
    wait_until(lambda: len(asked) >= 2)
    assert process.health() == {}
    for number in range(1, 4):
        fill(source, number, 1)
    with monkeypatch.context() as shorter:
        shorter.setattr(health, "STUCK_SECONDS", 0.5)
        rounds = len(asked)
        wait_until(lambda: len(asked) >= rounds + 2)  # from the end of a round on the shorter time counts
        EventPublisher(settings.amqp_uri, settings.namespace, "source").publish(source.messages(0, 10)[2:])
        wait_until(lambda: process.health().get("toy messages from source") == "stuck")
    process.bus.local_queries["source"] = lambda calls: [page(source, call) for call in calls]
    wait_until(lambda: process.consumers["source"].position == source.published_head() and process.health() == {})


def page(source: Store, call: Call) -> dict[str, Any]:
    if call.name == "backlog":  # the metrics ask for it every few seconds
        return NO_BACKLOG
    messages = source.messages(call.data["after"], call.data["limit"])
    return {"epoch": source.epoch(), "messages": [message.to_wire() for message in messages]}


def test_what_is_no_call_is_refused_and_its_neighbours_are_decided(
    container: ServiceContainer, settings: Settings, caller: CallingBus
) -> None:
    taken: list[str] = []

    def decide(calls: Sequence[Call]) -> Any:
        taken.extend(call.name for call in calls)
        return [({"done": call.name}, None, False) for call in calls]

    container.service_cls.does["decide"] = decide
    before, queue = passed_over("commands"), topology.calls_queue(settings.namespace, "toy", "commands").name
    good = {"name": "good", "data": {}, "key": None, "caller": None, "correlationId": "c"}
    answers = kombu.Queue(f"{settings.namespace}.answers.odd", durable=False, auto_delete=True)
    inbox = Inbox(settings.amqp_uri, [answers], prefetch=10, no_ack=True)
    back = {"reply_to": answers.name, "correlation_id": "odd"}
    send(settings, b"{", "", queue, **back)
    send(settings, orjson.dumps([good]), "", queue)  # nobody to be answered
    send(settings, orjson.dumps([{"name": "bad"}, good, {**good, "data": 5}]), "", queue, **back)
    send(settings, orjson.dumps([None]), "", queue, **back)
    mixed, alone = (orjson.loads(inbox.take(1, TIMEOUT_SECONDS)[0].body) for _ in range(2))
    if len(mixed) == 1:  # the one without a worker may be the faster
        mixed, alone = alone, mixed
    assert [one.get("result", one.get("refused", {}).get("status")) for one in mixed] == [422, {"done": "good"}, 422]
    assert [one["refused"]["status"] for one in alone] == [422]
    assert caller.send_command("toy", "next", {}, timeout=TIMEOUT_SECONDS).result == {"done": "next"}
    assert taken == ["good", "next"]
    assert passed_over("commands") - before == 4
    assert PROCESSES["toy"].health() == {}
    inbox.close()


def test_answers_that_cannot_be_read_do_not_take_others_along(container: ServiceContainer, settings: Settings) -> None:
    process = PROCESSES["toy"]
    queue = process.bus._courier.reply_queue

    def decide(calls: Sequence[Call]) -> Any:
        with connect(settings.amqp_uri) as connection, connection.channel() as channel:
            message = channel.prepare_message("{", None, "application/json", "utf-8", {}, {"correlation_id": "odd"})
            channel.basic_publish(message, "", queue.name)
        return [({"done": call.name}, None, False) for call in calls]

    container.service_cls.does["decide"] = decide
    assert process.bus.send_command("toy", "fill", {}, timeout=TIMEOUT_SECONDS).result == {"done": "fill"}
    assert process.health() == {}
