"""Instants in UTC, civil days and years in Paris, and clocks.

Every instant is a timezone-aware ``datetime`` in UTC. No other module uses Europe/Paris.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import Protocol, overload
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
TICK = timedelta(microseconds=1)
"""The resolution of instants."""


class Clock(Protocol):
    """The domain's source of time, as a port."""

    def now(self) -> datetime:
        """The current instant, in UTC."""


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class SettableClock:
    """A simulated clock: only ``move_to`` changes its time, and never to an earlier one."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def move_to(self, instant: datetime) -> None:
        if instant < self._now:
            raise ValueError(f"the clock cannot go back from {self._now} to {instant}")
        self._now = instant.astimezone(UTC)


def parse_instant(text: str) -> datetime:
    """RFC 3339 with an offset or ``Z`` → UTC. Raises ValueError without an offset or out of range."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"an instant needs a time zone: {text!r}")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"an instant out of range: {text!r}") from None


def parse_optional_instant(text: str | None) -> datetime | None:
    """Like ``parse_instant``; None for None."""
    return None if text is None else parse_instant(text)


@overload
def instant_text(instant: datetime) -> str: ...
@overload
def instant_text(instant: None) -> None: ...
@overload
def instant_text(instant: datetime | None) -> str | None: ...
def instant_text(instant: datetime | None) -> str | None:
    """``2021-11-02T09:00:00Z``, with microseconds only if they are not zero; None for None."""
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def paris_day(instant: datetime) -> date:
    """The civil day in Paris."""
    return instant.astimezone(PARIS).date()


def paris_midnight(day: date) -> datetime:
    """The instant at which the civil day begins in Paris, in UTC."""
    return datetime.combine(day, clock_time(), PARIS).astimezone(UTC)


def plus_years(instant: datetime, years: int) -> datetime:
    """The same clock time in Paris ``years`` later; 29 February becomes the 28th (decision 15)."""
    local = instant.astimezone(PARIS)
    try:
        moved = local.replace(year=local.year + years)
    except ValueError:
        moved = local.replace(year=local.year + years, day=28)
    return moved.astimezone(UTC)


def birthday(birth: date, age: int) -> date:
    """The day on which a person turns ``age``; born on 29 February: 1 March in a common year (decision 16)."""
    try:
        return birth.replace(year=birth.year + age)
    except ValueError:
        return date(birth.year + age, 3, 1)


def age_on(birth: date, day: date) -> int:
    """Full years on a civil day."""
    age = day.year - birth.year
    return age if day >= birthday(birth, age) else age - 1
