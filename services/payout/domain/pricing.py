"""One booking and its year's revenue → its reimbursement, and the rule for it (domain.md §7.1).

A matching custom rule wins. Otherwise, of the standard rules that are relevant and active at the instant of use, the
one that pays least; the rule for books above 20 000 euros wins over all others. Fractions are exact: the amount for the
whole booking is rounded once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from services.payout.domain.custom_rules import CustomRule, applicable
from services.payout.domain.scales import TODAY, Kind, Register, Rule
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.money import Cents, share


@dataclass(frozen=True, slots=True)
class Priceable:
    """The facts of a validated booking that decide its price. Money in cents."""

    subcategory: str
    unit_price: Cents
    quantity: int
    used_at: datetime
    educational: bool = False
    offer_id: int | None = None
    offerer_id: int | None = None

    @property
    def total(self) -> Cents:
        return Cents(self.unit_price * self.quantity)

    @property
    def kind(self) -> Kind:
        return SUBCATEGORIES[self.subcategory].reimbursement


@dataclass(frozen=True, slots=True)
class Price:
    """``reimbursed + contribution`` is the booking's total; the contribution is negative where a custom amount
    exceeds it.

    ``revenue`` is the year's, this booking included; ``rate`` is a decimal text, None for a fixed amount.
    """

    revenue: Cents
    rate: str | None
    rule: str
    reimbursed: Cents
    contribution: Cents

    def pays_like(self, other: Price) -> bool:
        """Whether both pay the same by the same rule, whatever their revenues."""
        return replace(self, revenue=other.revenue) == other


def price(
    booking: Priceable, revenue: Cents, custom_rules: Iterable[CustomRule] = (), register: Register = TODAY
) -> Price:
    """The price of a booking when the year's revenue, the booking included, is ``revenue`` cents."""
    custom = applicable(custom_rules, booking.offer_id, booking.offerer_id, booking.subcategory, booking.used_at)
    if custom is not None:
        reimbursed, rate, name = _by_agreement(custom, booking), custom.rate, custom.name
    else:
        rule = standard_rule(booking, revenue, register)
        reimbursed, rate, name = share(booking.total, rule.exact_rate), rule.rate, rule.name
    return Price(revenue, rate, name, reimbursed, Cents(booking.total - reimbursed))


def crosses_threshold(lowest: Cents, highest: Cents, register: Register = TODAY) -> bool:
    """Whether prices may differ between two revenues from ``lowest`` to ``highest``."""
    return any(lowest <= threshold < highest for threshold in register.thresholds)


def standard_rule(booking: Priceable, revenue: Cents, register: Register = TODAY) -> Rule:
    """The standard rule that decides the price; every kind of booking has one at any instant."""
    candidates = [
        rule
        for rule in register.rules
        if rule.is_active(booking.used_at) and rule.is_relevant(booking.kind, booking.educational, revenue)
    ]
    outright = [rule for rule in candidates if rule.outright]
    return outright[0] if outright else min(candidates, key=lambda rule: booking.total * rule.exact_rate)


@dataclass(frozen=True, slots=True)
class Tier:
    """The step of the standard scale that a year's revenue has reached; no ``next_threshold`` on the last one."""

    rate: str
    next_threshold: Cents | None


def tier(revenue: Cents, at: datetime, register: Register = TODAY) -> Tier:
    """The step in force at an instant; the rate changes once the revenue is above ``next_threshold``."""
    scale = [
        rule for rule in register.rules if rule.is_active(at) and "STANDARD" in rule.kinds and not rule.educational
    ]
    reached = [rule for rule in scale if rule.is_relevant("STANDARD", False, revenue)]
    thresholds = sorted(rule.above for rule in scale if rule.above is not None and rule.above >= revenue)
    lowest = min(reached, key=lambda rule: rule.exact_rate)
    return Tier(lowest.rate, thresholds[0] if thresholds else None)


def _by_agreement(rule: CustomRule, booking: Priceable) -> Cents:
    if rule.amount is not None:
        return Cents(rule.amount * booking.quantity)
    return share(booking.total, Fraction(str(rule.rate)))
