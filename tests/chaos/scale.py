"""How much of everything: the short version that the gate runs, and the long one of ``make chaos``."""

from __future__ import annotations

from dataclasses import dataclass

from shared.runtime.settings import SERVICES

BEHIND = tuple(name for name in SERVICES if name != "gateway")


@dataclass(frozen=True)
class Cut:
    """Services that cannot reach a server for a while, each through its own line. ``how``: see ``proxy``."""

    services: tuple[str, ...]
    server: str
    how: str
    seconds: float


@dataclass(frozen=True)
class Scale:
    """``acknowledged``: bookings, cancellations and validations that succeed while processes are killed."""

    acknowledged: int
    kills: int
    """At least so many."""
    people: int
    stocks: int
    dearest: int
    """Cents. A person's validated bookings must fit into 300 €."""
    clients: int
    outage_seconds: float
    cuts: tuple[Cut, ...]


SHORT = Scale(
    acknowledged=2_000,
    kills=20,
    people=20,
    stocks=60,
    dearest=900,
    clients=400,
    outage_seconds=10,
    # those behind the gateway together, each with a question of its own; silence takes longer than any time-out
    cuts=(
        Cut(BEHIND, "rabbitmq", "silence", 16),
        Cut(("gateway",), "rabbitmq", "refuse", 5),
        Cut(BEHIND, "postgresql", "refuse", 3),
        Cut(("gateway",), "postgresql", "refuse", 2),
    ),
)
LONG = Scale(
    acknowledged=10_000,
    kills=200,
    people=60,
    stocks=90,
    dearest=500,
    clients=400,
    outage_seconds=60,
    cuts=tuple(Cut((name,), server, "silence", 20) for server in ("rabbitmq", "postgresql") for name in SERVICES),
)
