"""A process of a toy service on PostgreSQL and RabbitMQ: ``… SERVICE URL NAMESPACE STATE``.

The ``source`` publishes continuously. The ``sink`` records each handled message and its own process in the table
``handled``. The ``clashing-sink`` first gets a conflict for every fiftieth message.
"""

from __future__ import annotations

from shared import green

green.monkey_patch()

import itertools  # noqa: E402  # after the patch
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import replace  # noqa: E402
from typing import Any  # noqa: E402

import sqlalchemy as sa  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402

from shared.eventstore import Conflict, Message, Transaction  # noqa: E402
from shared.eventstore.outcomes import Call  # noqa: E402
from shared.hosting import Hosted, feeds, takes_messages, takes_queries  # noqa: E402
from shared.kernel.time import Clock  # noqa: E402
from shared.messaging.bus import Bus  # noqa: E402
from shared.messaging.reactions import Reactions  # noqa: E402
from shared.runtime import logging as logs  # noqa: E402
from shared.runtime.service import Service, Task  # noqa: E402
from shared.runtime.settings import Settings  # noqa: E402
from tests.servers import AMQP  # noqa: E402
from tests.unit.shared.toy import fill, opened  # noqa: E402

PAUSE_SECONDS = 0.02
IDLE_CHECK_SECONDS = 0.2
"""A standby polls more often than in production, so that a short test includes several polls."""


def build_source(_settings: Settings, clock: Clock, _bus: Bus, engine: sa.Engine) -> Service:
    store = opened(engine, "source", clock)
    amounts = itertools.count(1)

    def pour() -> None:
        fill(store, os.getpid(), next(amounts))

    return Service("source", store, tasks=[Task("pour", PAUSE_SECONDS, pour)])


def build_sink(_settings: Settings, clock: Clock, _bus: Bus, engine: sa.Engine) -> Service:
    return Service("sink", opened(engine, "sink", clock), reactions=Reactions({("source", "JarFilled", 1): handle}))


clashed: set[int] = set()
"""The positions of messages that have had their transient conflict."""


def handle(tx: Transaction, message: Message) -> None:
    if message.data["amount"] % 50 == 0 and "clashing-sink" in sys.argv and message.position not in clashed:
        clashed.add(message.position)
        raise Conflict("a concurrent write")
    row = {"position": message.position, "process": os.getpid()}
    tx.connection.execute(sa.text("INSERT INTO handled (position, process) VALUES (:position, :process)"), row)


class Source:
    name = "source"
    build = staticmethod(build_source)
    process = Hosted()

    @takes_queries
    def answer(self, calls: Sequence[Call]) -> Any:
        return self.process.answer(calls)


class Sink:
    name = "sink"
    build = staticmethod(build_sink)
    process = Hosted()

    @takes_queries
    def answer(self, calls: Sequence[Call]) -> Any:
        return self.process.answer(calls)

    @takes_messages("source")
    def react(self, source: str, messages: Sequence[Message]) -> None:
        self.process.react(source, messages)


def main() -> None:
    service, url, namespace, state = sys.argv[1:]
    logs.configure("info", service)
    feeds.IDLE_CHECK_SECONDS = IDLE_CHECK_SECONDS
    base = Settings.from_environment({"AMQP_URI": AMQP, "NAMESPACE": namespace, "STATE_DIR": state})
    settings = replace(base, own_databases={"source": url, "sink": url})
    runner = ServiceRunner({"settings": settings, "max_workers": 16})
    runner.add_service(Source if service == "source" else Sink)
    runner.start()
    runner.wait()


if __name__ == "__main__":
    main()
