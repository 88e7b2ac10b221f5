"""Days on which euro transfers are executed: the closing days of TARGET, the same every year since 2002.

Saturdays, Sundays, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December.
"""

from __future__ import annotations

from datetime import date, timedelta

_FIXED_CLOSINGS = {(1, 1), (5, 1), (12, 25), (12, 26)}
_DAY = timedelta(days=1)


def is_working_day(day: date) -> bool:
    easter = easter_sunday(day.year)
    closed = (day.month, day.day) in _FIXED_CLOSINGS or day in (easter - 2 * _DAY, easter + _DAY)
    return day.weekday() < 5 and not closed


def next_working_day(after: date) -> date:
    """The first working day after a day: at most six days later."""
    day = after + _DAY
    while not is_working_day(day):
        day += _DAY
    return day


def easter_sunday(year: int) -> date:
    """Western Easter (the anonymous Gregorian computus)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return date(year, month, day + 1)
