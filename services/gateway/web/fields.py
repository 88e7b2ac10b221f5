"""What may stand in a body or a query: types that refuse what they do not expect, each with its bounds.

Values stay JSON: a date or an instant is checked here and travels on as text, an instant always in UTC.
"""

from __future__ import annotations

import math
import re
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from flask_smorest.fields import Upload
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge

from shared.kernel.identifiers import MAX_NUMBER, email
from shared.kernel.money import MAX_CENTS
from shared.kernel.time import instant_text, parse_instant

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,15})?")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1900, 2201)
"""Nothing the platform speaks of lies outside these years."""


def _described(options: dict[str, Any], **metadata: str) -> dict[str, Any]:
    """The options of a field, with what the OpenAPI document says of its kind."""
    return {**options, "metadata": {**metadata, **options.get("metadata", {})}}


class Strict(Schema):
    """A body or a query: unknown fields are refused (marshmallow's default, said here because the API promises it)."""

    class Meta:
        unknown = "raise"


class Nothing(Strict):
    """The body of a route that needs none: ``{}`` or nothing at all."""


class WholeNumber(fields.Integer):
    """An integer within bounds: a JSON number, or its digits where it stands in a query."""

    def __init__(self, minimum: int, maximum: int, *, in_query: bool = False, **options: Any) -> None:
        super().__init__(validate=validate.Range(minimum, maximum), **options)
        self._in_query = in_query

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if self._in_query and isinstance(value, str) and _WHOLE.fullmatch(value):
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("Not an integer." if not self._in_query else "Not an integer within bounds.")
        return value


def number(**options: Any) -> WholeNumber:
    """An identifier: a positive integer that every JSON reader keeps exact."""
    return WholeNumber(1, MAX_NUMBER, **options)


def cents(minimum: int = 0, **options: Any) -> WholeNumber:
    """Euro cents."""
    return WholeNumber(minimum, int(MAX_CENTS), **options)


class Decimal(fields.Float):
    """A finite number within bounds: degrees, kilometres."""

    def __init__(self, minimum: float, maximum: float, *, in_query: bool = False, **options: Any) -> None:
        super().__init__(validate=validate.Range(minimum, maximum), **options)
        self._in_query = in_query

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if self._in_query and isinstance(value, str) and _DECIMAL.fullmatch(value):
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise ValidationError("Not a number.")
        return float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


class Flag(fields.Boolean):
    """``true`` or ``false``, never something that looks like it."""

    def __init__(self, *, in_query: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._in_query = in_query

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if self._in_query and value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise ValidationError("Not true or false.")
        return value


class Text(fields.String):
    """One line of text within bounds, or several with ``lines=True``; outer white space is taken off.

    Control characters are refused: a line break in an e-mail address or a name becomes a header of a mail.
    """

    def __init__(self, minimum: int = 1, maximum: int = 255, *, lines: bool = False, **options: Any) -> None:
        super().__init__(validate=validate.Length(minimum, maximum), **options)
        self._allowed = "\n\r\t" if lines else ""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not text.")
        if any(_is_control(character) and character not in self._allowed for character in value):
            raise ValidationError("Control characters are not accepted.")
        return value.strip()


def _is_control(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xDFFF or code in (0x2028, 0x2029)


class Email(Text):
    def __init__(self, **options: Any) -> None:
        super().__init__(3, 254, **_described(options, format="email"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        try:
            return email(text)
        except ValueError:
            raise ValidationError("Not an e-mail address.") from None


class Password(fields.String):
    """Kept exactly as typed; only its length is bounded here (what makes it good enough is identity's to say)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=validate.Length(1, 200), **_described(options, format="password"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        if not isinstance(value, str) or any(_is_control(character) for character in value):
            raise ValidationError("Not text of one line.")
        return value


class Day(fields.String):
    """A civil day, ``YYYY-MM-DD``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**_described(options, format="date"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if isinstance(value, str) and _DATE.fullmatch(value):
            try:
                if date.fromisoformat(value).year in _YEARS:
                    return value
            except ValueError:
                pass
        raise ValidationError("Not a date (YYYY-MM-DD).")


class Moment(fields.String):
    """An instant, RFC 3339 with its offset; handed on in UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**_described(options, format="date-time"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        # in a query an unescaped "+" of an offset arrives as a space
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            try:
                instant = parse_instant(value.upper())
                if instant.year in _YEARS:
                    return instant_text(instant)
            except ValueError:
                pass
        raise ValidationError("Not an instant (RFC 3339 with an offset, such as 2021-11-02T09:00:00Z).")


class WebAddress(Text):
    """An ``http`` or ``https`` address."""

    def __init__(self, **options: Any) -> None:
        super().__init__(8, 2000, **_described(options, format="uri"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        try:
            parts = urlsplit(text)
            reachable = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            reachable = False
        if not reachable or any(character.isspace() for character in text):
            raise ValidationError("Not a web address.")
        return text


class UploadedFile(Upload):
    """A part of a form that is a file: its bytes."""

    def __init__(self, most_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        self._most_bytes = most_bytes

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bytes:
        if not isinstance(value, FileStorage):
            raise ValidationError("Not a file.")
        content: bytes = value.read()
        if len(content) > self._most_bytes:
            raise RequestEntityTooLarge(f"A document has at most {self._most_bytes} bytes.")
        return content


def one_of(*choices: str, **options: Any) -> fields.String:
    return _Choice(choices, **options)


class _Choice(fields.String):
    def __init__(self, choices: tuple[str, ...], **options: Any) -> None:
        super().__init__(validate=validate.OneOf(choices), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not text.")
        return value


def postal_code(**options: Any) -> fields.String:
    """Five digits."""
    return _Pattern(re.compile(r"[0-9]{5}"), "Not a French postal code (5 digits).", **options)


def phone_number(**options: Any) -> fields.String:
    """Digits with an optional ``+``, spaces, dots and hyphens taken as they are; identity puts it in its own form."""
    return _Pattern(re.compile(r"\+?[0-9][0-9 .()-]{4,24}"), "Not a phone number.", **options)


def cursor(**options: Any) -> fields.String:
    """What a list gave as ``nextCursor``."""
    return _Pattern(re.compile(r"[A-Za-z0-9_=.:~-]{1,3000}"), "Not a cursor of ours.", **options)


class _Pattern(fields.String):
    def __init__(self, pattern: re.Pattern[str], message: str, **options: Any) -> None:
        super().__init__(**_described(options, pattern=f"^{pattern.pattern}$"))
        self._pattern, self._message = pattern, message

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or not self._pattern.fullmatch(value):
            raise ValidationError(self._message)
        return value


def limit(maximum: int = 100, **options: Any) -> WholeNumber:
    """How many items a page has at most."""
    return WholeNumber(1, maximum, in_query=True, **options)
