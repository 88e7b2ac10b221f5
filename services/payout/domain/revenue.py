"""The civil year that a booking belongs to, and what it adds to the revenue of that year (decision 1)."""

from __future__ import annotations

from datetime import datetime

from services.payout.domain.scales import TODAY, Kind, Register
from shared.kernel.money import ZERO, Cents
from shared.kernel.time import paris_day


def revenue_year(used_at: datetime, register: Register = TODAY) -> int:
    """The civil year, in the time zone of the engine that is active at that instant."""
    return used_at.year if register.engine(used_at).zone == "UTC" else paris_day(used_at).year


def enters_revenue(kind: Kind, educational: bool, total: Cents, used_at: datetime, register: Register = TODAY) -> Cents:
    """What the booking adds to its year's revenue: its total, or nothing."""
    engine = register.engine(used_at)
    kinds = engine.educational_kinds if educational else engine.kinds
    return total if kind in kinds else ZERO
