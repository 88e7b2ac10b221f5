"""The service of a container, built once, with its relay, timers and tasks, and the answers to its calls."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import structlog
from nameko.extensions import DependencyProvider, SharedExtension

from shared import green
from shared.eventstore.engines import make_engine
from shared.hosting.loops import Loop, Signal
from shared.messaging.bus import CallingBus
from shared.messaging.connections import AmqpCourier, EventPublisher, Inbox
from shared.messaging.relay import Relay, RelayOvertaken
from shared.observability.health import Part
from shared.runtime.clocks import restored_clock
from shared.runtime.process import Process
from shared.runtime.service import Service, Task
from shared.runtime.settings import Settings

log = structlog.get_logger()
RELAY_POLL_SECONDS = 1.0
"""A process's own commits wake its relay; polling finds what another process wrote before it died."""
OVERTAKEN_SECONDS = 0.1
"""A relay that was overtaken lets the other one send: two side by side would send everything twice."""
MAX_SMALL_BATCH, LINGER_SECONDS = 8, 0.03
"""After a batch of more messages the relay lingers, so that the next one is larger (Nagle's algorithm): under load an
AMQP message costs its service and its consumers as much as the events in it. A lone caller's messages go at once."""
TIMER_POLL_SECONDS = 0.5
OBSERVE_SECONDS = 5.0
MAX_ANSWERS = 1000

Build = Callable[..., Service]
PROCESSES: dict[str, Process] = {}
"""The services that run in this process, by name, for its health and its metrics."""


class HostedProcess(SharedExtension):
    """The service of this container, which its service class builds, and its background loops."""

    process: Process
    settings: Settings

    def setup(self) -> None:
        if hasattr(self, "process"):
            return
        self.settings = self.container.config["settings"]
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
        self.bus.local_queries[name] = self.process.answer
        PROCESSES[name] = self.process
        self._loops: list[Loop] = []
        self._published, self._written = Signal(), Signal()

    def start(self) -> None:
        self.spawn("answers", self._receive_answers())
        self._start_relay()
        if self.settings.clock is None and self.process.service.timers:
            self.spawn("timers", self._step_timers, pause=TIMER_POLL_SECONDS)
        self.spawn("metrics", self._step_metrics)
        for task in self.process.service.tasks:
            self.spawn(f"task {task.name}", *self._task(task))
        self.process.store.on_write.append(self._written.notify)

    def spawn(
        self,
        name: str,
        step: Callable[[], None],
        pause: float = 0.0,
        *,
        on_error: Callable[[], None] = lambda: None,
    ) -> Part:
        """Starts a background loop with so many seconds between its steps; returns its health."""
        loop = Loop(self.process, name)
        self._loops.append(loop)
        run = partial(loop.run, step, pause, on_error)
        thread = self.container.spawn_managed_thread(run, identifier=name)
        loop.part.lives = lambda: not thread.dead
        return loop.part

    def stop(self) -> None:
        for loop in getattr(self, "_loops", ()):
            loop.stop()
        self._published.notify()
        self._written.notify()
        if hasattr(self, "process"):
            self.courier.close()
            for engine in (self.process.store.engine, *self.process.service.extra_engines.values()):
                engine.dispose()  # SQLite moves its write-ahead log into the file

    def _start_relay(self) -> None:
        publisher = EventPublisher(self.settings.amqp_uri, self.settings.namespace, self.process.service.name)
        relay = Relay(self.process.store, publisher.publish)
        is_started = False

        def step() -> None:
            nonlocal is_started
            if not is_started:
                relay.start()
                is_started = True
            seen = self._published.count
            try:
                sent = relay.send()
            except RelayOvertaken:
                green.sleep(OVERTAKEN_SECONDS)
                return
            self.process.relayed = relay.position
            if sent > MAX_SMALL_BATCH:
                green.sleep(LINGER_SECONDS)
                return
            self._published.wait(seen, RELAY_POLL_SECONDS)
            if self._published.count == seen:
                relay.start()  # another process of the service may be sending

        self.process.store.on_commit.append(self._published.notify)
        self.spawn("relay", step)

    def _task(self, task: Task) -> tuple[Callable[[], None], float]:
        """A task as a loop: its step, and the pause after it."""
        if task.idle_seconds is None:
            return task.run, task.seconds
        idle_seconds = task.idle_seconds

        def step() -> None:
            seen = self._written.count
            task.run()
            self._written.wait(seen, idle_seconds)

        return step, task.seconds

    def _step_timers(self) -> None:
        self.process.run_due_timers()

    def _step_metrics(self) -> None:
        green.sleep(OBSERVE_SECONDS)
        self.process.observe()

    def _receive_answers(self) -> Callable[[], None]:
        inbox: list[Inbox] = []

        def step() -> None:
            if not inbox:
                queues = [self.courier.reply_queue]
                inbox.append(Inbox(self.settings.amqp_uri, queues, prefetch=MAX_ANSWERS, no_ack=True))
            try:
                arrived = inbox[0].take(MAX_ANSWERS, 1.0)
            except Exception:
                inbox.pop().close()
                raise
            for message in arrived:
                self._deliver_answers(message)

        return step

    def _deliver_answers(self, message: Any) -> None:
        """Raises nothing: an unreadable batch of answers must not take the others with it."""
        try:
            self.bus.receive(message.properties["correlation_id"], orjson.loads(message.body))
        except Exception:
            log.exception("batch of answers not delivered", service=self.process.service.name)


class Hosted(DependencyProvider):
    """Injects the container's ``Process`` into the service class."""

    host = HostedProcess()

    def get_dependency(self, _worker_ctx: Any) -> Process:
        return self.host.process
