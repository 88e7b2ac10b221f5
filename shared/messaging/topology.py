"""Names of exchanges and queues, and what they are declared with."""

from __future__ import annotations

import kombu

MAX_BACKLOG = 10_000
"""Batches a queue keeps; beyond it the oldest go, and the consumer asks the source's log for them."""
MAX_WAITING_CALLS = 10_000
ANSWERS_IDLE_SECONDS = 60


def events_exchange(namespace: str, source: str) -> kombu.Exchange:
    """Where a service publishes for outsiders, each version of a message under its ``routing_key``."""
    return kombu.Exchange(f"{namespace}.{source}.events", type="topic", durable=True)


def routing_key(name: str, version: int) -> str:
    """The name for version 1, ``<name>.v<n>`` for a later one: nobody who is bound to one version gets another."""
    return name if version == 1 else f"{name}.v{version}"


def batches_exchange(namespace: str, source: str) -> kombu.Exchange:
    """Where a service publishes for the platform's own services: the same messages, as many at once as there were."""
    return kombu.Exchange(f"{namespace}.{source}.batches", type="topic", durable=True)


def events_queue(namespace: str, consumer: str, source: str) -> kombu.Queue:
    """One for each (consumer, source): replicated, one active consumer, so that order holds with several replicas.

    It gets all of the source's messages: ``previous`` then tells a gap from a message that was not for us.
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
    """``kind`` is ``commands`` or ``queries``. Transient: whoever waits has a time-out, and a key to ask again with."""
    return kombu.Queue(
        f"{namespace}.{service}.{kind}",
        durable=False,
        auto_delete=False,
        queue_arguments={"x-max-length": MAX_WAITING_CALLS, "x-overflow": "drop-head"},
    )


def answers_queue(namespace: str, process: str) -> kombu.Queue:
    """Where a process gets its answers. It goes when nobody has read it for a while.

    Not exclusive: after a cut line the broker may hold the old connection for dead long after the new one came.
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
    """Makes everything for services (name → the sources that it consumes). ``purge`` empties the queues: their messages
    are of a history that no longer exists."""
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
    """Removes everything that ``declare`` made."""
    with connection.channel() as channel:
        for service, its_sources in sources.items():
            for kind in ("commands", "queries"):
                calls_queue(namespace, service, kind)(channel).delete()
            for source in its_sources:
                events_queue(namespace, service, source)(channel).delete()
        for service in sources:
            events_exchange(namespace, service)(channel).delete()
            batches_exchange(namespace, service)(channel).delete()
