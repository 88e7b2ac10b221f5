"""Codes sent to a phone: how many, how long, how often (domain.md §1.3)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

CODE_LIFE = timedelta(minutes=10)
CODES_ALLOWED, CODES_PERIOD = 3, timedelta(hours=12)
ATTEMPTS_ALLOWED, ATTEMPTS_PERIOD = 3, timedelta(days=30)


def draw_code(chance: random.Random) -> str:
    """Six digits, leading zeros included."""
    return f"{chance.randrange(10**6):06d}"


def wait(past: Sequence[datetime], at: datetime, allowed: int, period: timedelta) -> timedelta | None:
    """How long until one more is allowed; None when it is now."""
    recent = sorted(instant for instant in past if instant > at - period)
    if len(recent) < allowed:
        return None
    return recent[len(recent) - allowed] + period - at


def within(past: Sequence[datetime], at: datetime, period: timedelta) -> tuple[datetime, ...]:
    """Those that still count."""
    return tuple(instant for instant in past if instant > at - period)
