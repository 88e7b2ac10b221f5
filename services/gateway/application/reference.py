"""Values that clients show and that no service computes. What changes over the years is dated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from shared.kernel.money import Cents
from shared.kernel.time import paris_day

MINIMUM_AGE = 15
"""Of an account (domain.md, settings)."""

MAX_FAVOURITES = 100


@dataclass(frozen=True, slots=True)
class AnnouncedCredit:
    """An amount that the apps announce, from a civil day in Paris until the day before the next one."""

    valid_from: date
    valid_until: date | None
    amount: Cents


CREDIT_AT_18 = (
    AnnouncedCredit(date(2019, 2, 1), date(2021, 5, 21), Cents(50_000)),
    AnnouncedCredit(date(2021, 5, 21), None, Cents(30_000)),
)
"""Decision 15. Announced only: wallet grants by its own rules."""


def announced_credit(now: datetime) -> Cents:
    """The credit at 18 that is announced on a day. Before the first one was in force: the first one."""
    day = paris_day(now)
    for value in reversed(CREDIT_AT_18):
        if value.valid_from <= day:
            return value.amount
    return CREDIT_AT_18[0].amount
