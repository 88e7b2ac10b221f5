"""Custom reimbursement rules, agreed for one offer or one structure (domain.md R23): they win over standard rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from eventsourcing.domain import Aggregate

from services.payout.refusals import BadRule, RuleOverlaps
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents
from shared.kernel.time import paris_day, paris_midnight

NAME = "CustomReimbursementRule"


@dataclass(frozen=True, slots=True)
class CustomRule:
    """A fixed amount per unit or a rate, for one offer or one structure, from ``start`` to before ``end``.

    Exactly one of ``offer_id`` and ``offerer_id`` is given, and exactly one of ``amount`` (cents per unit) and ``rate``
    (a decimal text). Without ``subcategories`` it is for all of them. Raises ValueError.
    """

    start: datetime
    end: datetime | None = None
    offer_id: int | None = None
    offerer_id: int | None = None
    amount: Cents | None = None
    rate: str | None = None
    subcategories: tuple[str, ...] = ()
    rule_id: int | None = None

    def __post_init__(self) -> None:
        if (self.offer_id is None) == (self.offerer_id is None):
            raise ValueError("a custom rule is about an offer or about a structure, one of the two")
        if (self.amount is None) == (self.rate is None):
            raise ValueError("a custom rule gives an amount or a rate, one of the two")
        if self.amount is not None and self.amount < 0:
            raise ValueError("an amount cannot be negative")
        if self.rate is not None and not 0 <= Fraction(self.rate) <= 1:
            raise ValueError("a rate is between 0 and 1")
        if self.end is not None and self.end <= self.start:
            raise ValueError("a rule ends after it starts")

    @property
    def name(self) -> str:
        return NAME if self.rule_id is None else f"{NAME} {self.rule_id}"

    def applies_to(self, offer_id: int | None, offerer_id: int | None, subcategory: str, used_at: datetime) -> bool:
        owner = self.offer_id == offer_id if self.offer_id is not None else self.offerer_id == offerer_id
        in_time = self.start <= used_at and (self.end is None or used_at < self.end)
        return owner and in_time and (not self.subcategories or subcategory in self.subcategories)

    def overlaps(self, other: CustomRule) -> bool:
        """Whether both rules could apply to one booking: same owner, a subcategory and an instant in common."""
        same_owner = (self.offer_id, self.offerer_id) == (other.offer_id, other.offerer_id)
        in_common = (
            not self.subcategories or not other.subcategories or set(self.subcategories) & set(other.subcategories)
        )
        first, second = sorted((self, other), key=lambda rule: rule.start)
        return same_owner and bool(in_common) and (first.end is None or second.start < first.end)


def applicable(
    rules: Iterable[CustomRule], offer_id: int | None, offerer_id: int | None, subcategory: str, used_at: datetime
) -> CustomRule | None:
    """The rule that decides the price: the offer's, else its structure's; None where standard rules decide."""
    matching = [rule for rule in rules if rule.applies_to(offer_id, offerer_id, subcategory, used_at)]
    return min(matching, key=lambda rule: rule.offer_id is None, default=None)


class Agreement(Aggregate):
    """The stream of one custom rule, which never changes once agreed."""

    class Agreed(Aggregate.Created):
        rule: CustomRule

    def __init__(self, *, rule: CustomRule) -> None:
        self.rule = rule

    @classmethod
    def agree(cls, at: datetime, rule: CustomRule, others: Iterable[CustomRule]) -> Agreement:
        """A rule starts tomorrow in Paris at the earliest: it never changes a price. Raises BadRule, RuleOverlaps."""
        if rule.start < paris_midnight(paris_day(at) + timedelta(days=1)):
            raise BadRule.of_field("start", "La règle doit commencer demain au plus tôt, à minuit, heure de Paris.")
        for other in others:
            if rule.overlaps(other):
                raise RuleOverlaps(
                    f"La règle {other.rule_id} porte sur les mêmes réservations : changez la période ou les "
                    "sous-catégories.",
                    extra={"ruleId": other.rule_id},
                )
        return cls._create(cls.Agreed, id=stream_id("custom-rule", rule.rule_id or 0), timestamp=at, rule=rule)
