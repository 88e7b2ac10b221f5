"""The rules that decide which offers staff review before they can be booked.

As in the real system the score begins at 1 and each matching rule multiplies it; an offer below the minimum is held for
review. The rules are few, dated, and our own: the real ones are not public.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from shared.kernel.money import Cents
from shared.kernel.time import parse_instant

MINIMUM = Fraction(6, 10)


@dataclass(frozen=True, slots=True)
class Submission:
    """The input of the rules: the offer's texts and the price of its first stock."""

    name: str
    description: str
    price: Cents


@dataclass(frozen=True, slots=True)
class ModerationRule:
    """In force from ``valid_from`` (inclusive) to ``valid_until`` (exclusive; None: no end)."""

    name: str
    factor: Fraction
    matches: Callable[[Submission], bool]
    valid_from: datetime
    valid_until: datetime | None = None

    def is_in_force(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


@dataclass(frozen=True, slots=True)
class Verdict:
    score: Fraction
    rules: tuple[str, ...]

    @property
    def is_approved(self) -> bool:
        return self.score >= MINIMUM


_MONEY_IN_DISGUISE = ("bon d'achat", "cheque cadeau", "carte cadeau", "gift card", "carte prepayee", "contre especes")
_REVIEWED_FROM = Cents(100_000)


def plain(text: str) -> str:
    """Lower case, without accents, one kind of apostrophe: for comparing words."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def _is_money_in_disguise(submission: Submission) -> bool:
    words = plain(f"{submission.name} {submission.description}")
    return any(phrase in words for phrase in _MONEY_IN_DISGUISE)


RULES = (
    ModerationRule(
        "money-in-disguise", Fraction(0), _is_money_in_disguise, valid_from=parse_instant("2019-01-31T23:00:00Z")
    ),
    ModerationRule(
        "price-over-1000-euros",
        Fraction(1, 2),
        lambda submission: submission.price > _REVIEWED_FROM,
        valid_from=parse_instant("2019-01-31T23:00:00Z"),
    ),
)


def judge(submission: Submission, at: datetime) -> Verdict:
    """The score under the rules in force at ``at``, and the names of those that matched."""
    matched = [rule for rule in RULES if rule.is_in_force(at) and rule.matches(submission)]
    score = Fraction(1)
    for rule in matched:
        score *= rule.factor
    return Verdict(score, tuple(rule.name for rule in matched))
