"""Prometheus metrics of this process. Labels are few and bounded: names of services, calls and codes, never people."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

requests = Histogram(
    "passculture_http_request_seconds", "HTTP requests by route", ["method", "route", "status"],
    registry=REGISTRY, buckets=_SECONDS,
)  # fmt: skip
commands = Counter(
    "passculture_commands_total", "Commands by outcome: ok, replayed, or the code of the refusal",
    ["service", "command", "outcome"], registry=REGISTRY,
)  # fmt: skip
queries = Counter(
    "passculture_queries_total", "Queries by outcome: ok, or the code of the refusal",
    ["service", "query", "outcome"], registry=REGISTRY,
)  # fmt: skip
command_batches = Histogram(
    "passculture_command_batch_seconds", "Time to decide a batch of commands", ["service"],
    registry=REGISTRY, buckets=_SECONDS,
)  # fmt: skip
messages = Counter(
    "passculture_messages_handled_total", "Messages handled, duplicates not counted", ["service", "source"],
    registry=REGISTRY,
)  # fmt: skip
foreign_messages = Counter(
    "passculture_messages_of_unknown_epoch_total", "Messages of another history, skipped", ["service", "source"],
    registry=REGISTRY,
)  # fmt: skip
unreadable = Counter(
    "passculture_unreadable_total", "Malformed batches of messages and malformed calls, skipped",
    ["service", "queue"], registry=REGISTRY,
)  # fmt: skip
saga_recoveries = Counter(
    "passculture_saga_recoveries_total", "Requests finished by the recovery timer, not by their own call", ["service"],
    registry=REGISTRY,
)  # fmt: skip
payout_delays = Histogram(
    "passculture_payout_delay_days", "Days from a line's event, or its validation, to the day its batch is executed",
    registry=REGISTRY, buckets=(2, 5, 8, 10, 12, 15, 18, 20, 23, 30, 45, 60, 90),
)  # fmt: skip
consumer_lag_events = Gauge(
    "passculture_consumer_lag_events", "Published messages that the consumer has not handled", ["service", "source"],
    registry=REGISTRY,
)  # fmt: skip
consumer_lag_seconds = Gauge(
    "passculture_consumer_lag_seconds", "Age of the oldest message that it has not handled", ["service", "source"],
    registry=REGISTRY,
)  # fmt: skip
outbox_position = Gauge(
    "passculture_outbox_position", "Last position sent to the bus", ["service"], registry=REGISTRY
)  # fmt: skip
outbox_waiting = Gauge(
    "passculture_outbox_waiting_events", "Published events not yet sent to the bus", ["service"], registry=REGISTRY
)  # fmt: skip
dead_letters = Gauge(
    "passculture_dead_letters", "Poison messages, and the messages parked behind them", ["service"],
    registry=REGISTRY,
)  # fmt: skip
pool_in_use = Gauge(
    "passculture_database_connections_in_use", "Connections of a store's pool in use", ["service", "store"],
    registry=REGISTRY,
)  # fmt: skip
pool_size = Gauge(
    "passculture_database_connections_limit", "Size limit of a store's pool", ["service", "store"],
    registry=REGISTRY,
)  # fmt: skip
trouble = Gauge(
    "passculture_parts_in_trouble", "Background loops of the process that cannot do their work now", ["service"],
    registry=REGISTRY,
)  # fmt: skip


def exposition() -> Iterator[bytes]:
    """The text format that Prometheus reads."""
    yield generate_latest(REGISTRY)
