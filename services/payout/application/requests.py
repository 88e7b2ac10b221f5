"""What a call's data must look like: each function gives a value of the right type or raises BadRequest naming the
field."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from services.payout.domain.refusals import BadRequest
from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.time import parse_instant

Data = dict[str, Any]
MAX_PAGE = 1000
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9000, 12, 30)
"""Days before and after these are taken for these; no period ends on them, and nothing is older or lies further
ahead."""


def number(data: Data, name: str, *, at_least: int = 1, at_most: int = MAX_NUMBER) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= at_most:
        raise _bad(name, f"a whole number from {at_least} to {at_most} is needed")
    return value


def optional_number(data: Data, name: str, *, at_least: int = 1, at_most: int = MAX_NUMBER) -> int | None:
    return None if data.get(name) is None else number(data, name, at_least=at_least, at_most=at_most)


def text(data: Data, name: str, *, at_most: int = 1000) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > at_most or "\x00" in value:
        raise _bad(name, f"a text of at most {at_most} characters is needed")
    return value


def day(data: Data, name: str) -> date:
    """A civil day, none further away than clocks can speak of: ``9999-12-31`` is what people write for "no end"."""
    try:
        return min(max(date.fromisoformat(text(data, name, at_most=10)), FIRST_DAY), LAST_DAY)
    except ValueError:
        raise _bad(name, "a date such as 2021-11-15 is needed") from None


def optional_day(data: Data, name: str) -> date | None:
    return None if data.get(name) is None else day(data, name)


def instant(data: Data, name: str) -> datetime:
    try:
        return parse_instant(text(data, name, at_most=40))
    except ValueError:
        raise _bad(name, "an instant such as 2021-11-15T09:00:00Z is needed") from None


def optional_instant(data: Data, name: str) -> datetime | None:
    return None if data.get(name) is None else instant(data, name)


def page(data: Data) -> tuple[int | None, int]:
    """The number before which a newest-first list goes on, and how many items."""
    cursor = data.get("cursor")
    if cursor is not None and not (isinstance(cursor, str) and cursor.isascii() and cursor.isdigit()):
        raise _bad("cursor", "not a cursor of this list")
    if cursor is not None and (len(cursor) > 18 or not 0 < int(cursor) <= MAX_NUMBER):
        raise _bad("cursor", "not a cursor of this list")
    return (None if cursor is None else int(cursor)), number(
        {"limit": 100} | _given(data, "limit"), "limit", at_most=MAX_PAGE
    )


def _given(data: Data, name: str) -> Data:
    return {} if data.get(name) is None else {name: data[name]}


def _bad(name: str, message: str) -> BadRequest:
    return BadRequest(f"{name}: {message}", errors={name: [message]})
