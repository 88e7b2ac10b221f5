"""Who may be credited, and when: dated rules (domain.md §0 R2, R3; decisions 16, 17, 33)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from shared.kernel.time import age_on, birthday, paris_day, paris_midnight

MINIMUM_AGE = 15
"""To open an account (domain.md §1.1)."""


class Kind(StrEnum):
    AGE_18 = "age-18"
    UNDERAGE = "underage"


@dataclass(frozen=True, slots=True)
class Scheme:
    """A credit for people between two birthdays: the first included, the last not.

    ``valid_from`` and ``valid_until`` are civil days in Paris; ``valid_until`` None: no known end.
    """

    kind: Kind
    from_age: int
    until_age: int
    valid_from: date
    valid_until: date | None = None


SCHEMES = (
    Scheme(Kind.AGE_18, 18, 19, valid_from=date(2019, 2, 1)),
    Scheme(Kind.UNDERAGE, 15, 18, valid_from=date(2022, 1, 1)),
)


@dataclass(frozen=True, slots=True)
class Window:
    """When a person may be activated: from ``begins``, before ``ends``."""

    kind: Kind
    begins: datetime
    ends: datetime

    def holds(self, at: datetime) -> bool:
        return self.begins <= at < self.ends


def windows(birth: date) -> list[Window]:
    """Every window of a person, earliest first."""
    found = []
    for scheme in SCHEMES:
        first, last = birthday(birth, scheme.from_age), birthday(birth, scheme.until_age)
        begins = max(first, scheme.valid_from)
        ends = min(last, scheme.valid_until or last)
        if begins < ends:
            found.append(Window(scheme.kind, paris_midnight(begins), paris_midnight(ends)))
    return sorted(found, key=lambda window: window.begins)


def current_window(birth: date | None, at: datetime) -> Window | None:
    """The open window, if there is one."""
    return next((window for window in windows(birth) if window.holds(at)), None) if birth else None


def coming_window(birth: date | None, at: datetime) -> Window | None:
    """The next window to open, if there is one."""
    return next((window for window in windows(birth) if window.begins > at), None) if birth else None


def age_at(birth: date, at: datetime) -> int:
    """Full years in Paris."""
    return age_on(birth, paris_day(at))


def next_birthday(birth: date, at: datetime, *, until_age: int = 18) -> tuple[int, datetime] | None:
    """(age, instant) of the next birthday that changes an under-age credit; None after the last one."""
    age = age_at(birth, at) + 1
    return (age, paris_midnight(birthday(birth, age))) if age <= until_age else None
