"""The entrypoint for other services' messages: in batches, in order, acknowledged once they are handled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import structlog
from nameko.extensions import Entrypoint

from shared import green
from shared.eventstore import Conflict, Message
from shared.hosting.hosted import HostedProcess
from shared.hosting.loops import NotYet, is_of_another_service
from shared.kernel.errors import Unavailable
from shared.messaging.connections import Inbox
from shared.messaging.consuming import STORE_SECONDS, Overtaken
from shared.messaging.reading import Unreadable, read_messages, skip
from shared.messaging.topology import events_queue
from shared.runtime.process import Process

log = structlog.get_logger()
IDLE_CHECK_SECONDS = 2.0
"""How often a consumer that receives nothing queries the source's log."""
POLL_SECONDS = 1.0
PREFETCH_BATCHES = 20

Handler = Callable[[Any, str, Sequence[Message]], None]
"""A method of a service class: ``react(self, source, messages)``."""


class WorkerLost(Exception):
    """The worker ended without a result. Its messages are redelivered."""


class TakesMessages(Entrypoint):
    """Delivers the messages of some sources to the decorated method, in batches, in order."""

    host = HostedProcess()

    def __init__(self, *sources: str, **kwargs: Any) -> None:
        self.sources = sources
        super().__init__(expected_exceptions=(Unavailable, Conflict), **kwargs)  # transient: the loop reports them

    def start(self) -> None:
        for source in self.sources:
            feed = _Feed(self, source)
            part = self.host.spawn(f"messages from {source}", feed.step)
            self.host.process.consumers[source].moved = part.moves

    def handle(self, source: str, messages: Sequence[Message]) -> None:
        """Runs the decorated method in a nameko worker and waits for it; raises what it raised."""
        outcome = green.Event()

        def finished(_worker: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
            if exc_info is None:
                outcome.send(result)
            else:
                outcome.send_exception(exc_info[1])
            return result, exc_info

        self.container.spawn_worker(self, (source, messages), {}, handle_result=finished)
        outcome.wait()


def takes_messages(*sources: str) -> Callable[[Handler], Handler]:
    """Decorates the method of a service class that handles the messages of some sources."""

    def decorate(method: Handler) -> Handler:
        @wraps(method)
        def handle(service: Any, source: str, messages: Sequence[Message]) -> None:
            try:
                method(service, source, messages)
            except Exception:
                raise
            except BaseException as error:  # a time-out, a killed thread: nameko would give the worker no result
                raise WorkerLost(f"the worker of {len(messages)} messages from {source} ended: {error!r}") from error

        decorated: Handler = TakesMessages.decorator(*sources)(handle)
        return decorated

    return decorate


class _Feed:
    """The queue of one source.

    Each process of the service consumes it, and RabbitMQ delivers to one of them (single active consumer).
    """

    def __init__(self, entrypoint: TakesMessages, source: str) -> None:
        self._entrypoint = entrypoint
        self._source = source
        self._inbox: Inbox | None = None
        self._arrived: list[Any] = []
        """AMQP messages that are not acknowledged yet."""
        self._messages: list[Message] = []
        """The messages in them."""
        self._has_unreadable = False
        """Whether some were unreadable: the source's log has them."""
        self._is_started = False
        self._checked_at = 0.0

    def step(self) -> None:
        try:
            self._take_and_handle()
        except Overtaken:
            pass  # the next step skips what another process of the service has handled
        except Conflict:
            raise  # the messages stay for the next step: returned to the queue they would go to another process
        except Exception as error:
            if self._arrived and is_of_another_service(error):
                raise NotYet(reason=f"messages from {self._source} wait for earlier ones: {error}") from error
            self.close()
            raise

    def close(self) -> None:
        """Closes the connection. The broker redelivers what was not acknowledged on the next one."""
        inbox, self._inbox, self._arrived = self._inbox, None, []
        if inbox is not None:
            inbox.close()

    def _take_and_handle(self) -> None:
        process, settings = self._entrypoint.host.process, self._entrypoint.host.settings
        consumer = process.consumers[self._source]
        if not self._is_started:
            consumer.start()
            self._is_started = True
        if self._inbox is None:
            queue = events_queue(settings.namespace, process.service.name, self._source)
            self._inbox = Inbox(settings.amqp_uri, [queue], prefetch=PREFETCH_BATCHES)
            self._check_log(process)
        if not self._arrived:
            self._arrived = self._inbox.take(PREFETCH_BATCHES, STORE_SECONDS if consumer.is_ahead else POLL_SECONDS)
            if not self._arrived:
                consumer.store_position()
            self._messages = [message for batch in self._arrived for message in self._read(process, batch)]
        if self._arrived:
            if self._messages:
                self._entrypoint.handle(self._source, self._messages)
            self._inbox.acknowledge(self._arrived[-1], multiple=True)
            self._arrived = []
            self._checked_at = 0.0 if self._has_unreadable else time.monotonic()
            self._has_unreadable = False
        elif time.monotonic() - self._checked_at > IDLE_CHECK_SECONDS:
            self._check_log(process)

    def _read(self, process: Process, batch: Any) -> list[Message]:
        """The messages of a batch; none if it is unreadable, as it would be redelivered without end.

        The consumer then reads them from the source's log, when the next message shows a gap or the queue is idle.
        """
        try:
            return read_messages(batch.body)
        except Unreadable as error:
            skip(process.service.name, self._source, error)
            self._has_unreadable = True
            return []

    def _check_log(self, process: Process) -> None:
        """Handles what the source's log has after the tracked position: no later message would show that the last one
        was lost. A process on standby leaves that to the active one as long as the tracked position moves."""
        self._checked_at = time.monotonic()
        if process.consumers[self._source].is_active():
            try:
                process.catch_up(self._source)
            except Exception as error:
                if not is_of_another_service(error):
                    raise
                log.info("source's log not available", source=self._source, error=str(error)[:300])
            self._checked_at = time.monotonic()
