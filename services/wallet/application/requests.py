"""What callers send, checked: numbers that are numbers, instants that are instants."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from services.wallet.domain.wallet import Key, Request
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.money import MAX_CENTS, Cents
from shared.kernel.time import parse_instant

PAGE = 50
LONGEST_PAGE = 200
MANY_PEOPLE = 5000


def number(data: Mapping[str, Any], name: str, *, least: int = 1, most: int = MAX_NUMBER) -> int:
    """A whole number within bounds. Raises Invalid."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid(f"{name} is not a number from {least} to {most}", errors={name: ["Not such a number."]})
    return value


def flag(data: Mapping[str, Any], name: str) -> bool:
    value = data.get(name)
    if not isinstance(value, bool):
        raise Invalid(f"{name} is neither true nor false", errors={name: ["Not true or false."]})
    return value


def instant(data: Mapping[str, Any], name: str) -> datetime | None:
    """None when it is left out."""
    value = data.get(name)
    if value is None:
        return None
    try:
        return parse_instant(value)
    except (TypeError, ValueError):
        raise Invalid(f"{name} is not an instant", errors={name: ["Not an instant."]}) from None


def key(data: Mapping[str, Any]) -> Key:
    return number(data, "bookingId"), number(data, "attempt")


def reservation(data: Mapping[str, Any]) -> Request:
    booking_id, attempt = key(data)
    amount = Cents(number(data, "amountCents", least=0, most=MAX_CENTS))
    return Request(booking_id, attempt, amount, flag(data, "digital"), flag(data, "physical"))


def page(data: Mapping[str, Any]) -> tuple[int, int, datetime | None]:
    """(after which line, how many at most, as of when). A cursor brings its ``asOf`` along."""
    limit = number(data, "limit", most=LONGEST_PAGE) if data.get("limit") is not None else PAGE
    text = data.get("cursor")
    if text is None:
        return 0, limit, instant(data, "asOf")
    read = _read_cursor(text)
    if data.get("asOf") is not None and data["asOf"] != read.get("asOf"):
        raise Invalid("the cursor is of another asOf", errors={"cursor": ["Of another asOf."]})
    return number(read, "after"), limit, instant(read, "asOf")


def people(data: Mapping[str, Any], head: int) -> tuple[int, int, int]:
    """(up to which position, after which person, how many at most). Without a position: up to the log's end."""
    limit = number(data, "limit", most=MANY_PEOPLE) if data.get("limit") is not None else MANY_PEOPLE
    position = head if data.get("position") is None else min(head, number(data, "position", least=0))
    text = data.get("cursor")
    return position, 0 if text is None else number(_read_cursor(text), "after"), limit


def cursor(after: int, as_of: str | None = None) -> str:
    """Opaque to callers."""
    return base64.urlsafe_b64encode(orjson.dumps({"after": after, "asOf": as_of})).decode().rstrip("=")


def _read_cursor(text: Any) -> dict[str, Any]:
    try:
        read = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if isinstance(read, dict):
            return read
    except (TypeError, ValueError, binascii.Error):
        pass
    raise Invalid("the cursor is not one of ours", errors={"cursor": ["Not a cursor."]})
