"""Messages of the sources: brought in batches, in order, acknowledged once they are handled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog
from nameko.extensions import Entrypoint

from shared.eventstore import Conflict, Message
from shared.kernel.errors import Unavailable
from shared.messaging.connections import Inbox
from shared.messaging.consuming import STORE_SECONDS, Overtaken
from shared.messaging.extensions.hosting import HostedProcess
from shared.messaging.extensions.loops import NotYet, is_anothers
from shared.messaging.reading import Unreadable, pass_over, read_messages
from shared.messaging.topology import events_queue
from shared.runtime.process import Process

log = structlog.get_logger()
IDLE_LOOK_SECONDS = 2.0
"""How often a consumer to whom nothing comes asks the source whether there is something."""
REST_SECONDS = 1.0
PREFETCH_BATCHES = 20


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
        except Exception as error:
            if self._arrived and is_anothers(error):
                raise NotYet(f"what came from {self._source} waits for what came before: {error}") from error
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
            consumer = process.consumers[self._source]
            self._arrived = self._inbox.take(PREFETCH_BATCHES, STORE_SECONDS if consumer.is_ahead else REST_SECONDS)
            if not self._arrived:
                consumer.store_position()
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
            pass_over(process.service.name, self._source, error)
            self._missed = True
            return []

    def _look(self, process: Process) -> None:
        """The last message may have been lost on the way, and none after it would show the gap.

        Who stands by looks too, and leaves it to the active one as long as that moves.
        """
        self._looked = time.monotonic()
        if process.consumers[self._source].is_active():
            try:
                process.catch_up(self._source)
            except Exception as error:
                if not is_anothers(error):
                    raise
                log.info("the source does not tell its log", source=self._source, error=str(error)[:300])
            self._looked = time.monotonic()


takes_messages = TakesMessages.decorator
