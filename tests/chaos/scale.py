"""The size of the level: the short version of `make test-all`, and the long one of `make chaos`."""

from __future__ import annotations

from dataclasses import dataclass

from tests.waiting import TIMEOUT_SECONDS

Line = tuple[str, str]
"""From a service to a server."""


@dataclass(frozen=True)
class Cut:
    """Connections that are cut for a while. ``how``: see ``proxy``."""

    lines: tuple[Line, ...]
    how: str
    seconds: float
    """Those of ``LONG`` are longer than anybody may wait, by far: whoever hears nothing until it ends has waited too
    long."""

    def __str__(self) -> str:
        names = ", ".join(f"{service} from {server}" for service, server in self.lines)
        return f"{names} for {self.seconds:.0f} s ({self.how})"


@dataclass(frozen=True)
class Scale:
    """``acknowledged``: bookings, cancellations and validations that succeed while processes are killed."""

    acknowledged: int
    kills: int
    """At least so many."""
    people: int
    stocks: int
    dearest: int
    """Cents. A person's validated bookings must fit into 300 €, and leave some stocks to book."""
    clients: int
    outage_seconds: float
    outages: tuple[str, ...]
    """How a server is away from everybody: see ``proxy``."""
    cuts: tuple[Cut, ...]
    """Each service is cut off from each server in one of them."""
    rounds_of_timers: int
    """Two weeks each."""
    delay_seconds: float
    """What a caller may wait beyond the platform's time-outs, because the machine has much to do."""
    through_seconds: float
    """Once a server is back, everything is handled within so many."""
    every_second_cut: bool
    """Whether the power goes a second time in every place that a recovery passes, or once for each pair of places."""


AT_ONCE: tuple[tuple[Line, ...], ...] = (
    (
        ("identity", "postgresql"),
        ("catalog", "rabbitmq"),
        ("booking", "postgresql"),
        ("wallet", "rabbitmq"),
        ("payout", "postgresql"),
    ),
    (
        ("identity", "rabbitmq"),
        ("catalog", "postgresql"),
        ("booking", "rabbitmq"),
        ("wallet", "postgresql"),
        ("payout", "rabbitmq"),
    ),
)
"""Everybody behind the gateway, from one server each; whoever cannot reach the gateway's learns nothing of theirs."""

SHORT = Scale(
    acknowledged=2_000,
    kills=20,
    people=20,
    stocks=60,
    dearest=900,
    clients=400,
    outage_seconds=10,
    outages=("refuse",),
    cuts=(
        *(Cut(lines, how, 16) for lines, how in zip(AT_ONCE, ("silence", "pause"), strict=True)),
        Cut((("gateway", "postgresql"),), "silence", 16),
        Cut((("gateway", "rabbitmq"),), "refuse", 12),
    ),
    rounds_of_timers=1,
    delay_seconds=5,  # the gate may run on a busy machine; whoever waits for a whole cut is found still
    through_seconds=TIMEOUT_SECONDS,
    every_second_cut=False,
)
LONG = Scale(
    acknowledged=10_000,
    kills=200,
    people=150,
    stocks=120,
    dearest=300,
    clients=400,
    outage_seconds=60,
    outages=("refuse", "silence"),
    cuts=(
        *(Cut(lines, how, 45) for lines in AT_ONCE for how in ("silence", "pause")),
        *(Cut((("gateway", server),), "silence", 45) for server in ("rabbitmq", "postgresql")),
    ),
    rounds_of_timers=4,
    delay_seconds=2,
    through_seconds=30,
    every_second_cut=True,
)
