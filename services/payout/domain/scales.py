"""The dated register of reimbursement rules (domain.md R20 to R22, §7.1), with its earlier editions.

A rate applies to the whole booking, not to the slice above a threshold. Every rule is a value with its validity;
no other module knows a rate, a threshold or a date of change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Literal

from shared.kernel.money import Cents

Kind = Literal["STANDARD", "BOOK", "NOT_REIMBURSED"]
"""How a subcategory is reimbursed."""

SCALE_B_STARTS = datetime(2021, 8, 31, 22, tzinfo=UTC)
"""2021-09-01 00:00 in Paris: scale B takes over from scale A."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the register.

    It is relevant for bookings of its kinds (``educational`` None: educational or not) when the year's revenue with the
    booking is above ``above`` and at most ``up_to`` cents. It is active for bookings used from ``valid_from`` to before
    ``valid_until``. ``rate`` is an exact decimal text. ``outright``: where relevant, it wins over every other standard
    rule.
    """

    name: str
    rate: str
    kinds: tuple[Kind, ...]
    educational: bool | None = False
    above: Cents | None = None
    up_to: Cents | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    outright: bool = False

    def is_active(self, used_at: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= used_at) and (
            self.valid_until is None or used_at < self.valid_until
        )

    def is_relevant(self, kind: Kind, educational: bool, revenue: Cents) -> bool:
        return (
            kind in self.kinds
            and self.educational in (None, educational)
            and (self.above is None or revenue > self.above)
            and (self.up_to is None or revenue <= self.up_to)
        )

    @property
    def exact_rate(self) -> Fraction:
        return Fraction(self.rate)


STANDARD: tuple[Kind, ...] = ("STANDARD",)
BOOK: tuple[Kind, ...] = ("BOOK",)
ALL: tuple[Kind, ...] = ("STANDARD", "BOOK", "NOT_REIMBURSED")
_20_000, _40_000, _150_000 = Cents(20_000_00), Cents(40_000_00), Cents(150_000_00)
_A = "LegacyPreSeptember2021ReimbursementRateByVenue"
_B = "ReimbursementRateByVenue"

# The names are those of the real system: partners' accountants know them. Of rules that pay the same, the first one
# counts.
RULES: tuple[Rule, ...] = (
    Rule("DigitalThingsReimbursement", "0", ("NOT_REIMBURSED",)),
    Rule("PhysicalOffersReimbursement", "1", STANDARD),
    Rule(f"{_A}Between20000And40000", "0.95", STANDARD, above=_20_000, up_to=_40_000, valid_until=SCALE_B_STARTS),
    Rule(f"{_A}Between40000And150000", "0.85", STANDARD, above=_40_000, up_to=_150_000, valid_until=SCALE_B_STARTS),
    Rule(f"{_A}Above150000", "0.70", STANDARD, above=_150_000, valid_until=SCALE_B_STARTS),
    Rule(f"{_B}Between20000And40000", "0.95", STANDARD, above=_20_000, up_to=_40_000, valid_from=SCALE_B_STARTS),
    Rule(f"{_B}Between40000And150000", "0.92", STANDARD, above=_40_000, up_to=_150_000, valid_from=SCALE_B_STARTS),
    Rule(f"{_B}Above150000", "0.90", STANDARD, above=_150_000, valid_from=SCALE_B_STARTS),
    Rule("ReimbursementRateForBookBelow20000", "1", BOOK, up_to=_20_000),
    Rule("ReimbursementRateForBookAbove20000", "0.95", BOOK, above=_20_000, outright=True),
    Rule("EducationalOffersReimbursement", "1", ALL, educational=True),
)


@dataclass(frozen=True, slots=True)
class RevenueEngine:
    """How revenue is counted for bookings used from ``valid_from`` to before ``valid_until``.

    ``zone``: the time zone of the year's boundaries. Bookings of ``kinds`` enter the revenue; educational ones do when
    their kind is in ``educational_kinds``.
    """

    zone: Literal["UTC", "Europe/Paris"]
    kinds: tuple[Kind, ...]
    educational_kinds: tuple[Kind, ...]
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def is_active(self, used_at: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= used_at) and (
            self.valid_until is None or used_at < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Register:
    """The rules and engines as published on a day (decision 6)."""

    known_from: date
    rules: tuple[Rule, ...]
    engines: tuple[RevenueEngine, ...]
    thresholds: frozenset[Cents] = field(init=False)
    """The revenues above which prices may change."""

    def __post_init__(self) -> None:
        bounds = {bound for rule in self.rules for bound in (rule.above, rule.up_to)}
        object.__setattr__(self, "thresholds", frozenset(bound for bound in bounds if bound is not None))

    def engine(self, used_at: datetime) -> RevenueEngine:
        return next(engine for engine in self.engines if engine.is_active(used_at))


PRICING_ENGINE_STARTS = datetime(2021, 12, 31, 23, tzinfo=UTC)
"""2022-01-01 00:00 in Paris (decision 1)."""

_PAYMENT_ENGINE = RevenueEngine("UTC", ("STANDARD", "BOOK"), ("BOOK",))

REGISTERS: tuple[Register, ...] = (
    Register(date(2021, 11, 17), RULES, (_PAYMENT_ENGINE,)),
    Register(
        date(2021, 12, 23),  # the day on which the engine of 2022 is first described
        RULES,
        (
            RevenueEngine("UTC", ("STANDARD", "BOOK"), ("BOOK",), valid_until=PRICING_ENGINE_STARTS),
            RevenueEngine("Europe/Paris", ALL, (), valid_from=PRICING_ENGINE_STARTS),
        ),
    ),
)
TODAY = REGISTERS[-1]


def known_on(day: date) -> Register:
    """The register as it stood that day. Raises ValueError before the first one."""
    found = [register for register in REGISTERS if register.known_from <= day]
    if not found:
        raise ValueError(f"no register is known as of {day}: the first is that of {REGISTERS[0].known_from}")
    return found[-1]
