"""The exchanges and queues: their names and their arguments."""

from __future__ import annotations

import kombu

MAX_BACKLOG = 10_000
"""Batches in a queue, at most. The broker drops the oldest, and the consumer reads them from the source's log."""
MAX_WAITING_CALLS = 10_000
ANSWERS_IDLE_SECONDS = 60


def events_exchange(namespace: str, source: str) -> kombu.Exchange:
    """Where a service publishes for outsiders, each version of a message under its ``routing_key``."""
    return kombu.Exchange(f"{namespace}.{source}.events", type="topic", durable=True)


def routing_key(name: str, version: int) -> str:
    """The name for version 1, ``<name>.v<n>`` for a later one: a consumer bound to one version gets no other."""
    return name if version == 1 else f"{name}.v{version}"


def batches_exchange(namespace: str, source: str) -> kombu.Exchange:
    """Where a service publishes for the platform's own services: the same messages, as many at once as there were."""
    return kombu.Exchange(f"{namespace}.{source}.batches", type="topic", durable=True)


def events_queue(namespace: str, consumer: str, source: str) -> kombu.Queue:
    """The queue of a (consumer, source): replicated, with a single active consumer, which keeps the order whatever the
    number of processes.

    It gets all messages of the source: otherwise the consumer could not tell a gap from a message of no concern.
    """
    return kombu.Queue(
        f"{namespace}.{consumer}.from.{source}",
        exchange=batches_exchange(namespace, source),
        routing_key="#",
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-max-length": MAX_BACKLOG,
            "x-overflow": "drop-head",
        },
    )


def calls_queue(namespace: str, service: str, kind: str) -> kombu.Queue:
    """``kind``: ``commands`` or ``queries``. Transient: a caller has a time-out, and a key to repeat the call with."""
    return kombu.Queue(
        f"{namespace}.{service}.{kind}",
        durable=False,
        auto_delete=False,
        queue_arguments={"x-max-length": MAX_WAITING_CALLS, "x-overflow": "drop-head"},
    )


def answers_queue(namespace: str, process: str) -> kombu.Queue:
    """The queue of a process for answers to its calls. The broker deletes it when it has had no consumer for a while.

    It is not exclusive: after a broken connection the broker may take long to notice, and would refuse the new one.
    """
    return kombu.Queue(
        f"{namespace}.answers.{process}",
        durable=False,
        auto_delete=False,
        queue_arguments={
            "x-expires": ANSWERS_IDLE_SECONDS * 1000,
            "x-max-length": MAX_WAITING_CALLS,
            "x-overflow": "drop-head",
        },
    )


def declare(connection: kombu.Connection, namespace: str, sources: dict[str, list[str]], *, purge: bool) -> None:
    """Declares everything for services (name → the sources that it consumes).

    ``purge`` empties the queues of messages: those in them belong to a history that no longer exists.
    """
    with connection.channel() as channel:
        for service in sources:
            events_exchange(namespace, service).declare(channel=channel)
            batches_exchange(namespace, service).declare(channel=channel)
        for service, its_sources in sources.items():
            for kind in ("commands", "queries"):
                calls_queue(namespace, service, kind).declare(channel=channel)
            for source in its_sources:
                queue = events_queue(namespace, service, source)(channel)
                queue.declare()
                if purge:
                    queue.purge()


def delete(connection: kombu.Connection, namespace: str, sources: dict[str, list[str]]) -> None:
    """Deletes everything that ``declare`` declares."""
    with connection.channel() as channel:
        for service, its_sources in sources.items():
            for kind in ("commands", "queries"):
                calls_queue(namespace, service, kind)(channel).delete()
            for source in its_sources:
                events_queue(namespace, service, source)(channel).delete()
        for service in sources:
            events_exchange(namespace, service)(channel).delete()
            batches_exchange(namespace, service)(channel).delete()
