"""The nameko side: a service class says what it takes, these entrypoints bring it.

``hosted`` builds the service once per container. Everything that waits on the world here waits with backoff and for
ever, says so in the process's ``trouble``, and never ends the container.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import eventlet
import orjson
import structlog
from eventlet.event import Event
from nameko import config
from nameko.extensions import DependencyProvider, Entrypoint, SharedExtension

from shared.eventstore import Conflict, Message, StoreUnavailable
from shared.eventstore.engines import make_engine
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Refused, Unavailable
from shared.messaging.answering import BadData, InternalError, command_envelope, query_envelope, surprise
from shared.messaging.bus import Bus, CallingBus
from shared.messaging.connections import AmqpCourier, BusUnavailable, EventPublisher, Inbox, Sender
from shared.messaging.consuming import Overtaken
from shared.messaging.reading import Unreadable, read_calls, read_messages
from shared.messaging.relay import Relay, RelayOvertaken
from shared.messaging.topology import calls_queue, events_queue
from shared.observability import metrics
from shared.observability.health import Part
from shared.runtime.process import Process, restored_clock
from shared.runtime.service import Service, Task
from shared.runtime.settings import Settings

log = structlog.get_logger()
BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
IDLE_LOOK_SECONDS = 2.0
"""How often a consumer to whom nothing comes asks the source whether there is something."""
RELAY_POLL_SECONDS = 1.0
"""A process's own commits wake its relay; what another one of the service wrote before it died is found so."""
OVERTAKEN_SECONDS = 0.1
"""A relay that was overtaken lets the other one send: two side by side would send everything twice."""
A_FEW_MESSAGES, CROWDED_SECONDS = 8, 0.03
"""Who has sent more than a few messages at once waits a moment before the next: under a crowd every message that
travels costs its service, and all that follow it, as much as the events in it. What one caller did goes at once."""
TIMER_POLL_SECONDS = 0.5
OBSERVE_SECONDS = 5.0
PREFETCH_CALLS = 16
PREFETCH_BATCHES = 20

Build = Callable[..., Service]
PROCESSES: dict[str, Process] = {}
"""The services that run in this process, for its health and its metrics."""


class Bell:
    """Rung when there is something to do. Who waits hears every ring since it last began."""

    def __init__(self) -> None:
        self.rings = 0
        self._rung = Event()

    def ring(self) -> None:
        self.rings += 1
        rung, self._rung = self._rung, Event()
        rung.send(None)

    def wait(self, heard: int, seconds: float) -> None:
        """Until it was rung more often than ``heard``, or the seconds are over."""
        if self.rings == heard:
            with eventlet.Timeout(seconds, False):
                self._rung.wait()


class Loop:
    """Does something again and again until it is stopped; trouble is waited out with backoff and told."""

    def __init__(self, process: Process, name: str) -> None:
        self._service = process.service.name
        self._name = f"{self._service} {name}"
        self.part = process.parts[self._name] = Part()
        self._stopping = False

    def run(self, step: Callable[[], None], pause: float, after_trouble: Callable[[], None]) -> None:
        failures = 0
        while not self._stopping:
            try:
                step()
            except Exception as error:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                self._tell(error, failures)
                after_trouble()
                eventlet.sleep(wait)
            else:
                failures = 0
                self.part.does_well(pause)
                if pause:
                    eventlet.sleep(pause)

    def _tell(self, error: Exception, failures: int) -> None:
        of_the_world = isinstance(error, Unavailable | Conflict)
        if _is_anothers(error):
            self.part.does_well()
        elif not isinstance(error, Conflict):  # somebody else was faster; whoever never wins is stuck
            self.part.has_trouble(f"{type(error).__name__}: {error}"[:300])
        if failures in (1, 10) or not of_the_world:
            log.warning(
                "trouble",
                service=self._service,
                part=self._name,
                error=str(error)[:300],
                exc_info=None if of_the_world else error,
            )

    def stop(self) -> None:
        self._stopping = True
        self.part.lives = lambda: True


def _is_anothers(error: Exception) -> bool:
    """Whether another service does not answer, or with an error of its own: that is its trouble, not this one's."""
    if isinstance(error, Refused):
        return error.status == InternalError.status
    return isinstance(error, Unavailable) and not isinstance(error, BusUnavailable | StoreUnavailable)


class HostedProcess(SharedExtension):
    """The service of this container, with its relay, timers and tasks. The service class names how it is built."""

    process: Process
    settings: Settings

    def setup(self) -> None:
        if hasattr(self, "process"):
            return
        self.settings = config["settings"]
        name = self.container.service_cls.name
        build: Build = self.container.service_cls.build
        engine = make_engine(
            self.settings.database_url(name),
            schema=self.settings.schema(name),
            pool_size=self.settings.pool_size,
            autocommit=True,
        )
        clock = restored_clock(self.settings.clock, engine)
        self.courier = AmqpCourier(self.settings.amqp_uri, self.settings.namespace, f"{name}.{uuid.uuid4().hex[:12]}")
        self.bus = CallingBus(self.courier)
        self.process = Process(build(self.settings, clock, self.bus, engine), clock, self.bus)
        self.bus.here[name] = self.process.answer
        PROCESSES[name] = self.process
        self._loops: list[Loop] = []
        self._published, self._written = Bell(), Bell()

    def start(self) -> None:
        self.spawn("answers", self._receive_answers())
        self._start_relay()
        if self.settings.clock is None and self.process.service.timers:
            self.spawn("timers", self._step_timers, pause=TIMER_POLL_SECONDS)
        self.spawn("metrics", self._step_metrics)
        for task in self.process.service.tasks:
            self.spawn(f"task {task.name}", *self._task(task))
        self.process.store.on_write.append(self._written.ring)

    def spawn(
        self,
        name: str,
        step: Callable[[], None],
        pause: float = 0.0,
        *,
        after_trouble: Callable[[], None] = lambda: None,
    ) -> Part:
        """A loop of this container under a name, with so many seconds between its rounds."""
        loop = Loop(self.process, name)
        self._loops.append(loop)
        run = partial(loop.run, step, pause, after_trouble)
        greenlet = self.container.spawn_managed_thread(run, identifier=name)
        loop.part.lives = lambda: not greenlet.dead
        return loop.part

    def stop(self) -> None:
        for loop in getattr(self, "_loops", ()):
            loop.stop()
        self._published.ring()
        self._written.ring()
        if hasattr(self, "process"):
            self.courier.close()
            self.process.store.engine.dispose()

    def _start_relay(self) -> None:
        publisher = EventPublisher(self.settings.amqp_uri, self.settings.namespace, self.process.service.name)
        relay = Relay(self.process.store, publisher.publish)
        state = {"started": False}

        def step() -> None:
            if not state["started"]:
                relay.start()
                state["started"] = True
            heard = self._published.rings
            try:
                sent = relay.send()
            except RelayOvertaken:
                eventlet.sleep(OVERTAKEN_SECONDS)
                return
            self.process.relayed = relay.position
            if not sent:
                self._published.wait(heard, RELAY_POLL_SECONDS)
                if self._published.rings == heard:
                    relay.start()  # perhaps another process of the service sends
            elif sent > A_FEW_MESSAGES:
                eventlet.sleep(CROWDED_SECONDS)

        self.process.store.on_commit.append(self._published.ring)
        self.spawn("relay", step)

    def _task(self, task: Task) -> tuple[Callable[[], None], float]:
        """One round of it, and how long to wait until the next."""
        if task.idle_seconds is None:
            return task.run, task.seconds
        idle_seconds = task.idle_seconds

        def step() -> None:
            heard = self._written.rings
            task.run()
            self._written.wait(heard, idle_seconds)

        return step, task.seconds

    def _step_timers(self) -> None:
        self.process.run_due_timers()

    def _step_metrics(self) -> None:
        eventlet.sleep(OBSERVE_SECONDS)
        self.process.observe()

    def _receive_answers(self) -> Callable[[], None]:
        inbox: list[Inbox] = []

        def step() -> None:
            if not inbox:
                inbox.append(Inbox(self.settings.amqp_uri, [self.courier.reply_queue], prefetch=1000, no_ack=True))
            try:
                arrived = inbox[0].take(1000, 1.0)
            except Exception:
                inbox.pop().close()
                raise
            for message in arrived:
                self._hand_over(message)

        return step

    def _hand_over(self, message: Any) -> None:
        """Answers that cannot be read are no reason to lose those that came with them."""
        try:
            self.bus.receive(message.properties["correlation_id"], orjson.loads(message.body))
        except Exception:
            log.exception("answers could not be handed over", service=self.process.service.name)


class Hosted(DependencyProvider):
    """Gives the service's methods its ``Process``."""

    host = HostedProcess()

    def get_dependency(self, _worker_ctx: Any) -> Process:
        return self.host.process


@dataclass(frozen=True, slots=True)
class _Back:
    """Where the answers of a batch go, and which of its calls could not be read."""

    queue: str
    batch_id: str
    batch: Sequence[Call | None]

    def whole(self, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """With the refusals of what could not be read, in the order of the batch."""
        rest = iter(answers)
        no_call = {"refused": BadData("this is no call").to_outcome()}
        return [no_call if call is None else next(rest) for call in self.batch]


class _TakesCalls(Entrypoint, ABC):
    """Brings batches of calls to the decorated method, and its answers back."""

    kind: ClassVar[str]
    host = HostedProcess()

    def start(self) -> None:
        self._stopped = False
        self._inbox: Inbox | None = None
        settings = self.host.settings
        self._queue = calls_queue(settings.namespace, self.container.service_name, self.kind)
        self._answers = Sender(settings.amqp_uri)
        self.host.spawn(self.kind, self._step, after_trouble=self._drop_inbox)

    def stop(self) -> None:
        self._stopped = True

    def _step(self) -> None:
        if self._stopped:
            eventlet.sleep(0.05)
            return
        if self._inbox is None:
            self._inbox = Inbox(self.host.settings.amqp_uri, [self._queue], prefetch=PREFETCH_CALLS)
        for message in self._inbox.take(PREFETCH_CALLS, 1.0):
            # acknowledged when a worker takes it: what is lost in a crash is asked again by whoever waits
            self._inbox.acknowledge(message)
            self._take(message)

    def _take(self, message: Any) -> None:
        """Hands a batch to a worker. What is no call is refused beside the others; what is no batch has no answer."""
        try:
            batch = read_calls(message.body)
            back = _Back(message.properties["reply_to"], message.properties["correlation_id"], batch)
        except (Unreadable, KeyError) as error:
            _pass_over(self.container.service_name, self.kind, error)
            return
        calls = [call for call in batch if call is not None]
        if len(calls) < len(batch):
            _pass_over(self.container.service_name, self.kind, Unreadable("a call among others"))
        if calls:
            self.container.spawn_worker(self, (calls,), {}, handle_result=partial(self._reply, back))
        else:
            self._answer(back, calls, [], None)

    def _drop_inbox(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            inbox.close()

    def _reply(self, back: _Back, worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        self._answer(back, worker.args[0], result, exc_info)
        return result, exc_info

    def _answer(self, back: _Back, calls: Sequence[Call], result: Any, exc_info: Any) -> None:
        """Raises nothing: nameko would end the process, with all that it does for others."""
        try:
            envelopes = self._envelopes(calls, result, exc_info)
            try:
                self._answers.send_answers(back.queue, back.batch_id, back.whole(envelopes))
            except orjson.JSONEncodeError:  # one of them is no JSON, the others are
                envelopes = [_in_json(*pair) for pair in zip(calls, envelopes, strict=True)]
                self._answers.send_answers(back.queue, back.batch_id, back.whole(envelopes))
        except Unavailable:
            log.warning("an answer could not be sent", service=self.container.service_name, kind=self.kind)
        except Exception:
            log.exception("an answer could not be sent", service=self.container.service_name, kind=self.kind)

    def _envelopes(self, calls: Sequence[Call], result: Any, exc_info: Any) -> list[dict[str, Any]]:
        if exc_info is None:
            return [self.envelope(answer) for answer in result]
        error = exc_info[1]
        told = error if isinstance(error, Unavailable) else surprise(calls[0], error)
        return [{"refused": told.to_outcome()} for _ in calls]

    @abstractmethod
    def envelope(self, answer: Any) -> dict[str, Any]:
        """An answer as it goes back over the bus."""


class TakesCommands(_TakesCalls):
    kind = "commands"

    def envelope(self, answer: Any) -> dict[str, Any]:
        return command_envelope(answer)


class TakesQueries(_TakesCalls):
    kind = "queries"

    def envelope(self, answer: Any) -> dict[str, Any]:
        return query_envelope(answer)


class WorkerLost(Exception):
    """Nobody knows how far it came: the same messages are handed over again."""


class TakesMessages(Entrypoint):
    """Brings the messages of some sources to the decorated method, in batches, in order, acknowledged once handled."""

    host = HostedProcess()

    def __init__(self, *sources: str, **kwargs: Any) -> None:
        self.sources = sources
        super().__init__(expected_exceptions=(Unavailable, Conflict), **kwargs)  # they are waited out, and told

    def start(self) -> None:
        for source in self.sources:
            feed = _Feed(self, source)
            part = self.host.spawn(f"messages from {source}", feed.step)
            self.host.process.consumers[source].moved = part.moves

    def handle(self, source: str, messages: Sequence[Message]) -> None:
        """Runs the service's method as a nameko worker and waits for it; raises what it raised."""
        outcome: list[Any] = []

        def finished(_worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
            outcome.append(exc_info)
            return result, exc_info

        worker = self.container.spawn_worker(self, (source, messages), {}, handle_result=finished)
        greenlet = self.container._worker_threads[worker]
        try:
            greenlet.wait()
        except BaseException:  # what is no Exception ends a worker without a word to ``finished``
            if not greenlet.dead:  # it is who waits here that is ended
                raise
        if not outcome:
            raise WorkerLost(f"a worker ended before it had handled {len(messages)} messages from {source}")
        if outcome[0] is not None:
            raise outcome[0][1]


class _Feed:
    """The queue of one source.

    Each process of the service has one: RabbitMQ gives what comes to one of them, the others stand by.
    """

    def __init__(self, entrypoint: TakesMessages, source: str) -> None:
        self._entrypoint = entrypoint
        self._source = source
        self._inbox: Inbox | None = None
        self._arrived: list[Any] = []
        """What came and is not handled yet."""
        self._messages: list[Message] = []
        """What could be read of it."""
        self._missed = False
        """Whether something could not be: the source's log has it."""
        self._started = False
        self._looked = 0.0

    def step(self) -> None:
        try:
            self._round()
        except Overtaken:
            pass  # what another process of the service has handled meanwhile is passed over in the next round
        except Conflict:
            raise  # what arrived stays, to be handled again: to give it back would make another process the active one
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """What was not acknowledged comes again on the next connection."""
        inbox, self._inbox, self._arrived = self._inbox, None, []
        if inbox is not None:
            inbox.close()

    def _round(self) -> None:
        process, settings = self._entrypoint.host.process, self._entrypoint.host.settings
        if not self._started:
            process.consumers[self._source].start()
            self._started = True
        if self._inbox is None:
            queue = events_queue(settings.namespace, process.service.name, self._source)
            self._inbox = Inbox(settings.amqp_uri, [queue], prefetch=PREFETCH_BATCHES)
            self._look(process)
        if not self._arrived:
            self._arrived = self._inbox.take(PREFETCH_BATCHES, IDLE_LOOK_SECONDS / 2)
            self._messages = [message for batch in self._arrived for message in self._read(process, batch)]
        if self._arrived:
            if self._messages:
                self._entrypoint.handle(self._source, self._messages)
            self._inbox.acknowledge(self._arrived[-1], multiple=True)
            self._arrived = []
            self._looked = 0.0 if self._missed else time.monotonic()
            self._missed = False
        elif time.monotonic() - self._looked > IDLE_LOOK_SECONDS:
            self._look(process)

    def _read(self, process: Process, batch: Any) -> list[Message]:
        """Nothing of what cannot be read: it would come again and again. What the source said with it is asked of its
        log, once the next message shows the gap, or as soon as nothing comes."""
        try:
            return read_messages(batch.body)
        except Unreadable as error:
            _pass_over(process.service.name, self._source, error)
            self._missed = True
            return []

    def _look(self, process: Process) -> None:
        """The last message may have been lost on the way, and none after it would show the gap.

        Who stands by looks too, and leaves it to the active one as long as that moves.
        """
        self._looked = time.monotonic()
        if process.consumers[self._source].stands():
            process.catch_up(self._source)
            self._looked = time.monotonic()


def _in_json(call: Call, envelope: dict[str, Any]) -> dict[str, Any]:
    """The envelope, or, where it is no JSON, the one that says so."""
    try:
        orjson.dumps(envelope)
    except orjson.JSONEncodeError as error:
        return {"refused": surprise(call, error).to_outcome()}
    return envelope


def _pass_over(service: str, queue: str, error: Exception) -> None:
    metrics.unreadable.labels(service, queue).inc()
    log.error("not readable, passed over", service=service, queue=queue, error=str(error)[:300])


takes_commands = TakesCommands.decorator
takes_queries = TakesQueries.decorator
takes_messages = TakesMessages.decorator

__all__ = ["Bus", "Hosted", "HostedProcess", "takes_commands", "takes_messages", "takes_queries"]
