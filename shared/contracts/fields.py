"""The types of fields, of messages and of calls: each checks a JSON value and describes itself in JSON Schema.

A type refuses what only looks right: ``true`` is no integer, ``"1"`` is no number. Values of the query string are text;
``from_text`` turns them into JSON values first. The messages are French: people read them beside a form's fields.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

from shared.kernel.identifiers import MAX_NUMBER, email
from shared.kernel.money import MAX_CENTS
from shared.kernel.time import instant_text, parse_instant

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,15})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_UTC_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z")
FIRST_YEAR, LAST_YEAR = 1900, 2200
"""The years that dates and instants may lie in: far from the limits of calendars and time zones."""


def json_value(field: fields.Field[Any], text: str) -> Any:
    """A value of the query string as a JSON value; the text itself where the field cannot read it, and refuses it."""
    convert = getattr(field, "from_text", None)
    return text if convert is None else convert(text)


def flat_errors(messages: Any, path: str = "") -> dict[str, list[str]]:
    """marshmallow's nested messages under dotted names: ``{"transfers.0.reason": ["Indiquez un texte."]}``."""
    if isinstance(messages, Mapping):
        found: dict[str, list[str]] = {}
        for key, inner in messages.items():
            for name, texts in flat_errors(inner, f"{path}.{key}" if path else str(key)).items():
                found.setdefault(name[:200], []).extend(texts)
        return found
    texts = messages if isinstance(messages, list) else [messages]
    return {path or "body": [str(text) for text in texts]}


def _described(options: dict[str, Any], **metadata: str) -> dict[str, Any]:
    """The options of a field, with what JSON Schema says of its type."""
    return {**options, "metadata": {**metadata, **options.get("metadata", {})}}


NOT_TEXT = "Indiquez un texte."
NOT_A_CURSOR = "Ce curseur n’a pas été donné par cette liste : revenez à sa première page."


def within(minimum: float, maximum: float) -> validate.Range:
    return validate.Range(minimum, maximum, error=f"Indiquez un nombre entre {minimum} et {maximum}.")


def length(minimum: int | None, maximum: int, unit: str = "caractère") -> validate.Length:
    plural = f"{unit}s" if maximum > 1 else unit
    message = f"Indiquez entre {minimum} et {maximum} {plural}." if minimum else f"Indiquez au plus {maximum} {plural}."
    return validate.Length(minimum, maximum, error=message)


class Whole(fields.Integer):
    """An integer within bounds."""

    def __init__(self, minimum: int = -MAX_NUMBER, maximum: int = MAX_NUMBER, **options: Any) -> None:
        super().__init__(validate=within(minimum, maximum), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("Indiquez un nombre entier.")
        return value

    @staticmethod
    def from_text(text: str) -> Any:
        return int(text) if _INTEGER.fullmatch(text) else text


class Number(Whole):
    """An identifier: a positive integer that every JSON reader keeps exact."""

    def __init__(self, **options: Any) -> None:
        super().__init__(1, MAX_NUMBER, **options)


class Count(Whole):
    """How many: 0 or more."""

    def __init__(self, maximum: int = MAX_NUMBER, **options: Any) -> None:
        super().__init__(0, maximum, **options)


class Price(Whole):
    """Euro cents, 0 or more."""

    def __init__(self, **options: Any) -> None:
        super().__init__(0, int(MAX_CENTS), **options)


class Money(Whole):
    """Euro cents, signed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(-int(MAX_CENTS), int(MAX_CENTS), **options)


class Decimal(fields.Float):
    """A finite number within bounds: degrees, kilometres."""

    def __init__(self, minimum: float, maximum: float, **options: Any) -> None:
        super().__init__(validate=within(minimum, maximum), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise ValidationError("Indiquez un nombre.")
        return float(value)

    @staticmethod
    def from_text(text: str) -> Any:
        return float(text) if _DECIMAL.fullmatch(text) else text


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer larger than every float
        return False


class Degrees(Decimal):
    """A latitude or a longitude."""

    def __init__(self, bound: int = 180, **options: Any) -> None:
        super().__init__(-bound, bound, **options)


class Flag(fields.Boolean):
    """``true`` or ``false``."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Répondez par oui ou par non (true ou false).")
        return value

    @staticmethod
    def from_text(text: str) -> Any:
        return {"true": True, "false": False}.get(text, text)


class Text(fields.String):
    """One line of text within bounds, or several with ``lines=True``; surrounding white space is removed.

    Control characters are refused: a line break in a name would start a new header in a mail.
    """

    def __init__(self, minimum: int = 1, maximum: int = 255, *, lines: bool = False, **options: Any) -> None:
        super().__init__(validate=length(minimum, maximum), **options)
        self._allowed = "\n\r\t" if lines else ""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(NOT_TEXT)
        if any(is_control(character) and character not in self._allowed for character in value):
            raise ValidationError("Les caractères de contrôle ne sont pas acceptés.")
        return value.strip()


def is_control(character: str) -> bool:
    """C0, C1, lone surrogates, and Unicode's line and paragraph separators."""
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xDFFF or code in (0x2028, 0x2029)


class Email(Text):
    """An address that every mail server accepts: ASCII, at most 254 characters."""

    def __init__(self, maximum: int = 254, **options: Any) -> None:
        super().__init__(3, maximum, **_described(options, format="email"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        try:
            return email(text)
        except ValueError:
            raise ValidationError("Indiquez une adresse e-mail valable.") from None


class Password(fields.String):
    """Kept exactly as typed. Only its length is bounded here; identity decides whether it is strong enough."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=length(1, 200), **_described(options, format="password"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or any(is_control(character) for character in value):
            raise ValidationError("Indiquez un texte d’une seule ligne.")
        return value


class Base64(fields.String):
    """Bytes, at most ``maximum`` of them; base64 in JSON."""

    def __init__(self, maximum: int, **options: Any) -> None:
        super().__init__(**_described(options, format="base64"))
        self._maximum = maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError(NOT_TEXT)
        try:
            content = base64.b64decode(value, validate=True) if len(value) <= self._maximum * 4 // 3 + 4 else None
        except ValueError:
            raise ValidationError("Le contenu du fichier n’est pas en base64.") from None
        if content is None or len(content) > self._maximum:
            raise ValidationError(f"Le fichier ne peut pas dépasser {self._maximum} octets.")
        return content

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else base64.b64encode(value).decode("ascii")


class WebAddress(Text):
    """An ``http`` or ``https`` address. In an offer's, ``{token}``, ``{offerId}`` and ``{email}`` are placeholders."""

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
            raise ValidationError("Indiquez une adresse web, qui commence par http:// ou https://.")
        return text


class OneOf(fields.String):
    """One of a list of words."""

    def __init__(self, choices: Collection[str], **options: Any) -> None:
        one_of = validate.OneOf(list(choices), error="Choisissez l’une de ces valeurs : {choices}.")
        super().__init__(validate=one_of, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(NOT_TEXT)
        return value


class Pattern(fields.String):
    """Text that a regular expression matches as a whole."""

    def __init__(self, pattern: re.Pattern[str], message: str, **options: Any) -> None:
        super().__init__(**_described(options, pattern=f"^{pattern.pattern}$"))
        self._pattern, self._message = pattern, message

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or not self._pattern.fullmatch(value):
            raise ValidationError(self._message)
        return value


class PostalCode(Pattern):
    def __init__(self, **options: Any) -> None:
        super().__init__(re.compile(r"[0-9]{5}"), "Indiquez un code postal français de cinq chiffres.", **options)


class PhoneNumber(Pattern):
    """Digits with an optional ``+``, spaces, dots and hyphens; identity puts it into one form."""

    def __init__(self, **options: Any) -> None:
        super().__init__(re.compile(r"\+?[0-9][0-9 .()-]{4,24}"), "Indiquez un numéro de téléphone valable.", **options)


class Cursor(Pattern):
    """``nextCursor`` of a list; the list that gave it decides what it means."""

    def __init__(self, **options: Any) -> None:
        super().__init__(re.compile(r"[A-Za-z0-9_=.:~-]{1,3000}"), NOT_A_CURSOR, **options)


class Date(fields.Date):
    """A civil day: ``2021-11-02``."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> date:
        if isinstance(value, str) and _DATE.fullmatch(value):
            try:
                day = date.fromisoformat(value)
                if FIRST_YEAR <= day.year <= LAST_YEAR:
                    return day
            except ValueError:
                pass
        raise ValidationError("Indiquez une date au format AAAA-MM-JJ, par exemple 2021-11-02.")

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else value.isoformat()


class DateTime(fields.DateTime):
    """An instant: RFC 3339 with an offset → UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> datetime:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            try:
                instant = parse_instant(value.upper())
                if FIRST_YEAR <= instant.year <= LAST_YEAR:
                    return instant
            except ValueError:
                pass
        raise ValidationError("Indiquez une date et une heure avec leur fuseau, par exemple 2021-11-02T09:00:00Z.")

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return instant_text(value)


class Instant(fields.String):
    """An instant of a message: text in UTC, ``2021-11-02T09:00:00Z``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**_described(options, format="date-time", pattern=f"^{_UTC_INSTANT.pattern}$"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if isinstance(value, str) and _UTC_INSTANT.fullmatch(value):
            try:
                parse_instant(value)
                return value
            except ValueError:
                pass
        raise ValidationError("Not an instant in UTC.")


class Day(fields.String):
    """A civil day of a message: text, ``2021-11-02``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**_described(options, format="date"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        try:
            if isinstance(value, str) and _DATE.fullmatch(value):
                return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
        raise ValidationError("Not a date.")


class ListOf(fields.List[Any]):
    """A list of one type, its length within bounds."""

    def __init__(self, inner: fields.Field[Any], maximum: int, minimum: int = 0, **options: Any) -> None:
        super().__init__(inner, validate=length(minimum or None, maximum, "élément"), **options)
