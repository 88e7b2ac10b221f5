"""Codes sent to a phone: their life, and how many in which time (domain.md §1.3)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

CODE_LIFE = timedelta(minutes=10)
MAX_CODES, CODES_PERIOD = 3, timedelta(hours=12)
MAX_ATTEMPTS, ATTEMPTS_PERIOD = 3, timedelta(days=30)


def draw_code(chance: random.Random) -> str:
    """Six digits, leading zeros included."""
    return f"{chance.randrange(10**6):06d}"


def wait(past: Sequence[datetime], at: datetime, maximum: int, period: timedelta) -> timedelta:
    """How long until one more is within ``maximum`` per period."""
    recent = sorted(within(past, at, period))
    return recent[-maximum] + period - at if len(recent) >= maximum else timedelta(0)


def within(past: Sequence[datetime], at: datetime, period: timedelta) -> tuple[datetime, ...]:
    """The instants within the period that ends at ``at``."""
    return tuple(instant for instant in past if instant > at - period)
