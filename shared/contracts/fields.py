"""The types of messages' fields: JSON values, refused when they only look like the right ones.

A schema built from these checks a message as it travels: instants stay text, money stays an integer. Each type says
the same in words of JSON Schema, for the document of the messages.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields

from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.money import MAX_CENTS
from shared.kernel.time import parse_instant

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Whole(fields.Field[int]):
    """An integer within bounds; ``true`` is none."""

    minimum, maximum = -MAX_NUMBER, MAX_NUMBER

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, metadata={"type": "integer", "minimum": self.minimum, "maximum": self.maximum})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.minimum <= value <= self.maximum:
            raise ValidationError(f"Not an integer from {self.minimum} to {self.maximum}.")
        return value


class Number(Whole):
    """A positive identifier."""

    minimum = 1


class Count(Whole):
    """How many there are: 0 or more."""

    minimum = 0


class Money(Whole):
    """Euro cents, signed."""

    minimum, maximum = -int(MAX_CENTS), int(MAX_CENTS)


class Flag(fields.Field[bool]):
    """``true`` or ``false``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, metadata={"type": "boolean"})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not true or false.")
        return value


class Degrees(fields.Field[float]):
    """A latitude or a longitude, as a number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, metadata={"type": "number", "minimum": -180, "maximum": 180})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -180 <= value <= 180:
            raise ValidationError("Not a number of degrees.")
        return float(value)


class Instant(fields.Field[str]):
    """``2021-11-02T09:00:00Z``: RFC 3339 in UTC, kept as text."""

    def __init__(self, **options: Any) -> None:
        pattern = f"^{_INSTANT.pattern}$"
        super().__init__(**options, metadata={"type": "string", "format": "date-time", "pattern": pattern})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or not _INSTANT.fullmatch(value):
            raise ValidationError("Not an instant in UTC.")
        try:
            parse_instant(value)
        except ValueError:
            raise ValidationError("Not an instant in UTC.") from None
        return value


class Day(fields.Field[str]):
    """``2021-11-02``, kept as text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, metadata={"type": "string", "format": "date"})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValidationError("Not a date.")
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise ValidationError("Not a date.") from None
