"""Delays, limits and the shape of a countermark: dated values, each with its source.

Instants are UTC. ``valid_from`` is inclusive, ``valid_until`` exclusive; None has no bound.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from shared.contracts.subcategories import SUBCATEGORIES

TICK = timedelta(microseconds=1)

AUTOMATIC_VALIDATION = timedelta(hours=48)
"""How long after its start a dated booking is validated automatically (domain.md R16; decisions 5 and 31)."""

LEFT_TO_THE_DESK = timedelta(hours=48)
"""How long a validation that the desk undid after its due instant is left to the desk."""

POSTPONED = timedelta(hours=48)
"""An event that is rescheduled to later than this from now loses its validations (domain.md §3.1)."""

EXPIRY_HOUR = time(5, 0, tzinfo=UTC)
"""When the nightly run of the expiries begins (decision 34)."""

WARNING_HOUR = time(5, 30, tzinfo=UTC)
"""When people are warned of bookings that expire soon (domain.md §4.6)."""

EVE_HOUR = time(16, 0, tzinfo=UTC)
"""When people are reminded of their bookings on the day before the event (domain.md §4.7)."""

COUNTERMARK_SYMBOLS = "ABCDEFGHJKLMNPQRSTUVWXYZ234567"
"""A–Z without O and I, 2–7 (domain.md R28, in force since 2020-12-01): 30 symbols, 729 million countermarks."""
COUNTERMARK_LENGTH = 6
_READABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")

MAX_PLACES = 2
"""Places in one booking of a duo offer."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """How long an undated booking may wait for its use, and how long before its expiry its person is warned."""

    delay: timedelta
    warning: timedelta
    subcategories: frozenset[str] | None  # None: all that can expire
    valid_from: datetime | None
    valid_until: datetime | None

    def applies(self, subcategory: str, booked_at: datetime) -> bool:
        if self.subcategories is not None and subcategory not in self.subcategories:
            return False
        begun = self.valid_from is None or self.valid_from <= booked_at
        return begun and (self.valid_until is None or booked_at < self.valid_until)


EXPIRIES: Sequence[Expiry] = (
    # paper books since 2021-09-22 (domain.md R18)
    Expiry(timedelta(days=10), timedelta(days=5), frozenset({"LIVRE_PAPIER"}), datetime(2021, 9, 22, tzinfo=UTC), None),
    # everything else that can expire (domain.md R17)
    Expiry(timedelta(days=30), timedelta(days=7), None, None, None),
)
"""The first one that applies is the rule."""


def validation_due(beginning_at: datetime | None, invalidated_at: datetime | None = None) -> datetime | None:
    """When a dated booking is due to be validated automatically: strictly after this instant (decision 31).

    A validation that the desk undid before it was due stays due then. One undone later is left to the desk for another
    48 h and then falls due again, so that no credit stays reserved for ever.
    """
    if beginning_at is None:
        return None
    due = beginning_at + AUTOMATIC_VALIDATION
    if invalidated_at is None or invalidated_at <= due:
        return due
    return invalidated_at + LEFT_TO_THE_DESK


def expiry_rule(subcategory: str, booked_at: datetime) -> Expiry | None:
    """The rule for an undated booking; None when its subcategory does not expire."""
    if not SUBCATEGORIES[subcategory].can_expire:
        return None
    return next(rule for rule in EXPIRIES if rule.applies(subcategory, booked_at))


def expires_at(subcategory: str, booked_at: datetime, beginning_at: datetime | None) -> datetime | None:
    """When an unused booking expires, to the second; None with a date (decision 29) or where bookings do not expire."""
    rule = expiry_rule(subcategory, booked_at) if beginning_at is None else None
    return booked_at + rule.delay if rule else None


def expiry_run(expires: datetime, earliest: datetime | None = None) -> datetime:
    """The run that cancels a booking: 05:00 UTC of the first day whose 00:00 UTC is not before ``expires``
    (decision 34).

    ``earliest``: only a run after this instant, for a booking that became unused again after its own run.
    """
    day = expires.date()
    if datetime.combine(day, time(), UTC) < expires:
        day += timedelta(days=1)
    run = datetime.combine(day, EXPIRY_HOUR)
    if earliest is not None and run <= earliest:
        run = next_run(earliest)
    return run


def warning_run(subcategory: str, booked_at: datetime, earliest: datetime | None = None) -> datetime | None:
    """The run that warns of an undated booking's expiry: 05:30 UTC, a whole number of days before the day it expires.

    None where bookings do not expire, and when that run is not after ``earliest``, the instant of an undone validation:
    that person has just dealt with the booking.
    """
    rule = expiry_rule(subcategory, booked_at)
    if rule is None:
        return None
    run = datetime.combine((booked_at + rule.delay - rule.warning).date(), WARNING_HOUR)
    return None if earliest is not None and run <= earliest else run


def eve_run(beginning_at: datetime | None, known_at: datetime) -> datetime | None:
    """16:00 UTC of the day before an event; None without a date, or when the date was announced only after that."""
    if beginning_at is None:
        return None
    run = datetime.combine(beginning_at.astimezone(UTC).date() - timedelta(days=1), EVE_HOUR)
    return run if run > known_at else None


def next_run(after: datetime) -> datetime:
    """The first 05:00 UTC after an instant."""
    day: date = after.astimezone(UTC).date()
    run = datetime.combine(day, EXPIRY_HOUR)
    return run if run > after else run + timedelta(days=1)


def is_permanent(subcategory: str) -> bool:
    """Whether people keep it (a film online, a subscription): its used bookings stay among the ongoing ones."""
    facts = SUBCATEGORIES[subcategory]
    return not facts.can_expire and not facts.is_event


def draw_countermark(chance: random.Random) -> str:
    return "".join(chance.choice(COUNTERMARK_SYMBOLS) for _ in range(COUNTERMARK_LENGTH))


def read_countermark(text: str) -> str | None:
    """The typed text in upper case; None when it cannot be a countermark. Old ones have any of A–Z and 0–9."""
    upper = text.strip().upper()
    return upper if len(upper) == COUNTERMARK_LENGTH and _READABLE.issuperset(upper) else None


def qr_text(countermark: str) -> str:
    return f"PASSCULTURE:v3;TOKEN:{countermark}"
