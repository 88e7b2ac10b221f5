"""How much of everything: the short version that the gate runs, and the long one of ``make chaos``."""

from __future__ import annotations

from dataclasses import dataclass


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
    cut_seconds: float
    """How long one service is cut off from one server."""
    cuts_together: bool
    """One service after the other, and only then it is looked whether everything goes through."""


SHORT = Scale(
    acknowledged=2_000,
    kills=20,
    people=16,
    stocks=60,
    dearest=900,
    clients=200,
    outage_seconds=10,
    cut_seconds=4,
    cuts_together=True,
)
LONG = Scale(
    acknowledged=10_000,
    kills=200,
    people=60,
    stocks=90,
    dearest=900,
    clients=300,
    outage_seconds=60,
    cut_seconds=60,
    cuts_together=False,
)
