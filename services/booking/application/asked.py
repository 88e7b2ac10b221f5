"""Reading what callers send: a clear refusal for what is not what it should be."""

from __future__ import annotations

import base64
import binascii
from datetime import date, datetime
from typing import Any

import orjson

from services.booking.domain.errors import UnknownCountermark
from services.booking.domain.rules import read_countermark
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.time import parse_instant

MOST_ITEMS = 1_000
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
"""Days before and after these are taken for these: nothing was booked then, and there a calendar or a time zone may end
in the middle of a sum."""


class CursorInvalid(Invalid):
    code = "cursor-invalid"


def number_in(data: dict[str, Any], field: str) -> int:
    """A positive integer."""
    value = data.get(field)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_NUMBER:
        raise Invalid(errors={field: ["Not a positive integer."]})
    return value


def numbers_in(data: dict[str, Any], field: str) -> list[int]:
    values = data.get(field)
    if not isinstance(values, list) or len(values) > MOST_ITEMS:
        raise Invalid(errors={field: ["Not a list of numbers."]})
    return [number_in({field: value}, field) for value in values]


def count_in(data: dict[str, Any], field: str) -> int | None:
    """0 or more, or null."""
    value = data.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_NUMBER:
        raise Invalid(errors={field: ["Not a number of places."]})
    return value


def limit_in(data: dict[str, Any], *, default: int, most: int = MOST_ITEMS) -> int:
    value = data.get("limit")
    return default if value is None else min(number_in(data, "limit"), most)


def text_in(data: dict[str, Any], field: str, *, most: int = 500) -> str:
    value = data.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or not _is_storable(value):
        raise Invalid(errors={field: [f"Not a text of at most {most} characters."]})
    return value


def _is_storable(text: str) -> bool:
    """PostgreSQL keeps no NUL, and nothing sends half a character on."""
    return "\x00" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


def day_in(data: dict[str, Any], field: str) -> date | None:
    """A civil day, none further away than clocks can speak of: ``9999-12-31`` is what people write for "no end"."""
    value = data.get(field)
    if value is None:
        return None
    try:
        return min(max(date.fromisoformat(value), FIRST_DAY), LAST_DAY)
    except (TypeError, ValueError):
        raise Invalid(errors={field: ["Not a date."]}) from None


def instant_in(data: dict[str, Any], field: str) -> datetime | None:
    value = data.get(field)
    if value is None:
        return None
    try:
        return parse_instant(value)
    except (TypeError, ValueError):
        raise Invalid(errors={field: ["Not an instant."]}) from None


def countermark_in(data: dict[str, Any]) -> str:
    """What was typed, upper-cased. What cannot be a countermark is unknown, like any other that nobody holds."""
    value = data.get("countermark")
    mark = read_countermark(value) if isinstance(value, str) else None
    if mark is None:
        raise UnknownCountermark
    return mark


def write_cursor(content: dict[str, Any]) -> str:
    """Opaque: where a list goes on, with the filters that it was asked for with."""
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def read_cursor(text: Any) -> dict[str, Any]:
    try:
        content = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (TypeError, ValueError, binascii.Error):
        raise CursorInvalid("Ce curseur n'a pas été donné par cette liste.") from None
    if not isinstance(content, dict):
        raise CursorInvalid("Ce curseur n'a pas été donné par cette liste.")
    return content
