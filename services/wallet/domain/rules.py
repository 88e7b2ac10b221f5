"""The credits with their dates: amounts, validity and caps (domain.md §0, decisions 15–17)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from shared.kernel.money import Cents
from shared.kernel.time import birthday, paris_midnight, plus_years

VALIDITY_YEARS = 2
"""A credit at 18 expires at the same clock time in Paris, this number of years later (R12)."""
MAJORITY = 18


class Kind(StrEnum):
    """A person has at most one credit of each kind."""

    AGE_18 = "age-18"
    UNDERAGE = "underage"


@dataclass(frozen=True, slots=True)
class GrantRule:
    """The grant at an age for activations in ``[valid_from, valid_until)``. A cap of None is no cap."""

    kind: Kind
    age: int
    amount: Cents
    digital_cap: Cents | None
    physical_cap: Cents | None
    valid_from: datetime
    valid_until: datetime | None


EXPERIMENT = paris_midnight(date(2019, 2, 1))
GENERAL_OPENING = paris_midnight(date(2021, 5, 21))
FROM_15 = paris_midnight(date(2022, 1, 1))

# R1, R2, R5–R9; without the ends that the reform of 2025 sets (decision 33)
GRANTS = (
    GrantRule(Kind.AGE_18, 18, Cents(500_00), Cents(200_00), Cents(200_00), EXPERIMENT, GENERAL_OPENING),
    GrantRule(Kind.AGE_18, 18, Cents(300_00), Cents(100_00), None, GENERAL_OPENING, None),
    GrantRule(Kind.UNDERAGE, 15, Cents(20_00), None, None, FROM_15, None),
    GrantRule(Kind.UNDERAGE, 16, Cents(30_00), None, None, FROM_15, None),
    GrantRule(Kind.UNDERAGE, 17, Cents(30_00), None, None, FROM_15, None),
)
OLDEST_UNDERAGE = max(rule.age for rule in GRANTS if rule.kind is Kind.UNDERAGE)


@dataclass(frozen=True, slots=True)
class RecreditRule:
    """The amount that a birthday adds to an under-age credit."""

    age: int
    amount: Cents
    valid_from: datetime
    valid_until: datetime | None


RECREDITS = (
    RecreditRule(16, Cents(30_00), FROM_15, None),
    RecreditRule(17, Cents(30_00), FROM_15, None),
)


def grant_rule(kind: Kind, age: int, at: datetime) -> GrantRule | None:
    """The rule in force at the activation. An under-age file that is accepted late gets the amount of 17
    (domain.md §1.2)."""
    age = MAJORITY if kind is Kind.AGE_18 else min(age, OLDEST_UNDERAGE)
    for rule in GRANTS:
        if rule.kind is kind and rule.age == age and _in_force(rule, at):
            return rule
    return None


def recredit_rule(age: int, at: datetime) -> RecreditRule | None:
    for rule in RECREDITS:
        if rule.age == age and _in_force(rule, at):
            return rule
    return None


def expiry(kind: Kind, activated_at: datetime, birth_date: date | None) -> datetime:
    """The first instant at which the credit can no longer be spent. An under-age credit needs ``birth_date``."""
    if kind is Kind.AGE_18:
        return plus_years(activated_at, VALIDITY_YEARS)
    if birth_date is None:
        raise ValueError("an under-age credit expires on a birthday")
    return paris_midnight(birthday(birth_date, MAJORITY))


def _in_force(rule: GrantRule | RecreditRule, at: datetime) -> bool:
    return rule.valid_from <= at and (rule.valid_until is None or at < rule.valid_until)
