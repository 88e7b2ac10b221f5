"""A service in its container: it is built once, and with it run its relay, its timers and its tasks."""

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
from shared.messaging.bus import CallingBus
from shared.messaging.connections import AmqpCourier, EventPublisher, Inbox
from shared.messaging.extensions.loops import Bell, Loop
from shared.messaging.relay import Relay, RelayOvertaken
from shared.observability.health import Part
from shared.runtime.clocks import restored_clock
from shared.runtime.process import Process
from shared.runtime.service import Service, Task
from shared.runtime.settings import Settings

log = structlog.get_logger()
RELAY_POLL_SECONDS = 1.0
"""A process's own commits wake its relay; what another one of the service wrote before it died is found so."""
OVERTAKEN_SECONDS = 0.1
"""A relay that was overtaken lets the other one send: two side by side would send everything twice."""
A_FEW_MESSAGES, CROWDED_SECONDS = 8, 0.03
"""Who has sent more than a few messages at once waits a moment before the next: under a crowd every message that
travels costs its service, and all that follow it, as much as the events in it. What one caller did goes at once."""
TIMER_POLL_SECONDS = 0.5
OBSERVE_SECONDS = 5.0

Build = Callable[..., Service]
PROCESSES: dict[str, Process] = {}
"""The services that run in this process, for its health and its metrics."""


class HostedProcess(SharedExtension):
    """The service of this container, with its relay, timers and tasks. The service class names how it is built."""

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
            for engine in (self.process.store.engine, *self.process.service.beside.values()):
                engine.dispose()  # an SQLite file is whole by itself then

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
                green.sleep(OVERTAKEN_SECONDS)
                return
            self.process.relayed = relay.position
            if sent > A_FEW_MESSAGES:
                green.sleep(CROWDED_SECONDS)
                return
            self._published.wait(heard, RELAY_POLL_SECONDS)  # all that rang before it looked is sent
            if self._published.rings == heard:
                relay.start()  # perhaps another process of the service sends

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
        green.sleep(OBSERVE_SECONDS)
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
