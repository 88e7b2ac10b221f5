"""What callers may say: the bodies of the catalogue's commands, checked and typed before any rule sees them.

``opening`` bodies come whole, what may be left out filled with its default; ``changing`` ones hold only what is to
change. Keys in, attribute names out.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields, validate

from services.catalog.domain.refusals import CursorInvalid
from services.catalog.domain.stocks import MAX_CODES, MAX_QUANTITY
from services.catalog.domain.venues import Accessibility, VenueType
from shared.contracts.fields import Flag, Number
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import MAX_NUMBER, email
from shared.kernel.money import MAX_CENTS
from shared.kernel.time import parse_instant

_CURSOR = re.compile(r"[0-9]{1,15}")
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
PAGE = 50
MAX_PAGE = 200


class Text(fields.Field[str]):
    """Text within bounds, outer white space taken off; control characters are refused, line breaks unless ``lines``."""

    def __init__(self, minimum: int, maximum: int, *, lines: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._minimum, self._maximum = minimum, maximum
        self._allowed = "\n\r\t" if lines else ""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not text.")
        if any(_is_control(character) and character not in self._allowed for character in value):
            raise ValidationError("Control characters are not accepted.")
        text = value.strip()
        if not self._minimum <= len(text) <= self._maximum:
            raise ValidationError(f"Between {self._minimum} and {self._maximum} characters.")
        return text


def _is_control(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xDFFF


class Email(Text):
    def __init__(self, **options: Any) -> None:
        super().__init__(3, 254, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        try:
            return email(text)
        except ValueError:
            raise ValidationError("Not an e-mail address.") from None


class WebAddress(Text):
    """``http`` or ``https``; ``{token}``, ``{offerId}`` and ``{email}`` in it are replaced for each booking."""

    def __init__(self, **options: Any) -> None:
        super().__init__(8, 2000, **options)

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


class Whole(fields.Field[int]):
    """An integer within bounds."""

    def __init__(self, minimum: int, maximum: int, **options: Any) -> None:
        super().__init__(**options)
        self._minimum, self._maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("Not an integer.")
        if not self._minimum <= value <= self._maximum:
            raise ValidationError(f"Between {self._minimum} and {self._maximum}.")
        return value


class Degrees(fields.Field[float]):
    def __init__(self, bound: int, **options: Any) -> None:
        super().__init__(**options)
        self._bound = bound

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -self._bound <= value <= self._bound:
            raise ValidationError(f"Not degrees between -{self._bound} and {self._bound}.")
        return float(value)


class Moment(fields.Field[datetime]):
    """RFC 3339 with its offset → an instant in UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> datetime:
        try:
            instant = parse_instant(value)
        except (TypeError, ValueError):
            raise ValidationError("Not an instant (RFC 3339 with an offset).") from None
        if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
            raise ValidationError("This date is out of range.")
        return instant


class AccessibilityBody(Schema):
    audio = Flag(required=True)
    mental = Flag(required=True)
    motor = Flag(required=True)
    visual = Flag(required=True)


class AccessibilityField(fields.Field[Accessibility]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Accessibility:
        if not isinstance(value, dict):
            raise ValidationError("Not an object.")
        return Accessibility(**AccessibilityBody().load(value))


class VenueTypeField(fields.Field[VenueType]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> VenueType:
        try:
            return VenueType(value)
        except ValueError:
            raise ValidationError("This type of venue does not exist.") from None


class VenueBody(Schema):
    """``name, siret or comment, address, postalCode, city, lat, lon, bookingEmail, venueType, accessibility``."""

    name = Text(1, 140, required=True)
    siret = Text(1, 20, load_default=None, allow_none=True)
    comment = Text(1, 1000, lines=True, load_default=None, allow_none=True)
    address = Text(1, 200, load_default=None, allow_none=True)
    postal_code = Text(5, 5, data_key="postalCode", load_default=None, allow_none=True)
    city = Text(1, 100, load_default=None, allow_none=True)
    lat = Degrees(90, load_default=None, allow_none=True)
    lon = Degrees(180, load_default=None, allow_none=True)
    booking_email = Email(data_key="bookingEmail", load_default=None, allow_none=True)
    venue_type = VenueTypeField(data_key="venueType", required=True)
    accessibility = AccessibilityField(required=True)


class OfferBody(Schema):
    """``name, subcategory, description, isDuo, url?, durationMinutes?, withdrawalDetails?, bookingEmail?, tags?``."""

    name = Text(1, 90, required=True)
    subcategory = Text(1, 50, required=True)
    description = Text(0, 10_000, lines=True, load_default="")
    is_duo = Flag(data_key="isDuo", load_default=False)
    url = WebAddress(load_default=None, allow_none=True)
    duration_minutes = Whole(1, 100_000, data_key="durationMinutes", load_default=None, allow_none=True)
    withdrawal_details = Text(0, 1000, lines=True, data_key="withdrawalDetails", load_default=None, allow_none=True)
    booking_email = Email(data_key="bookingEmail", load_default=None, allow_none=True)
    tags = fields.List(Text(1, 50), load_default=list, validate=validate.Length(max=20))


class StockChange(Schema):
    """``priceCents, quantity or null, beginningAt?, bookingLimitAt?``."""

    price = Whole(0, int(MAX_CENTS), data_key="priceCents", required=True)
    quantity = Whole(0, MAX_QUANTITY, load_default=None, allow_none=True)
    beginning_at = Moment(data_key="beginningAt", load_default=None, allow_none=True)
    booking_limit_at = Moment(data_key="bookingLimitAt", load_default=None, allow_none=True)


class StockBody(StockChange):
    """And ``activationCodes?``, which are given once, at the beginning."""

    activation_codes = fields.List(
        Text(1, 100),
        data_key="activationCodes",
        load_default=list,
        allow_none=False,
        validate=validate.Length(max=MAX_CODES),
    )


class Decision(Schema):
    """A decision of staff on an offer."""

    offer_id = Number(data_key="offerId", required=True)
    reason = Text(0, 1000, lines=True, load_default="", allow_none=True)


def number(data: dict[str, Any], key: str) -> int:
    """The identifier under ``key``. Raises Invalid."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_NUMBER:
        raise Invalid("This is not an identifier.", errors={key: ["Not a positive integer."]})
    return value


def numbers(data: dict[str, Any], key: str) -> list[int]:
    """The identifiers under ``key``, at most 1000. Raises Invalid."""
    values = data.get(key)
    if not isinstance(values, list) or len(values) > 1000:
        raise Invalid("This is not a list of identifiers.", errors={key: ["Not a list of at most 1000."]})
    return [number({key: value}, key) for value in values]


def page(data: dict[str, Any]) -> tuple[int | None, int]:
    """(the number from which a list goes on, None at its beginning; how many items). Raises Invalid, CursorInvalid."""
    limit, cursor = data.get("limit"), data.get("cursor")
    if limit is None:
        limit = PAGE
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise Invalid("This is not a number of items.", errors={"limit": ["Not a positive integer."]})
    if cursor is not None and not (isinstance(cursor, str) and _CURSOR.fullmatch(cursor)):
        raise CursorInvalid("This cursor is not one of ours.", errors={"cursor": ["Not a cursor."]})
    return None if cursor is None else int(cursor), min(limit, MAX_PAGE)


def expected_version(data: dict[str, Any]) -> int | None:
    """``ifMatch``: the version of which the caller knows, or None when it does not matter."""
    return number(data, "ifMatch") if data.get("ifMatch") is not None else None


def opening(schema: Schema, data: dict[str, Any], *others: str) -> dict[str, Any]:
    """The body beside the keys ``others``. Raises Invalid with a message per field."""
    return _load(schema, data, others, partial=False)


def changing(schema: Schema, data: dict[str, Any], *others: str) -> dict[str, Any]:
    """Likewise, of only what is to change."""
    return _load(schema, data, (*others, "ifMatch"), partial=True)


def _load(schema: Schema, data: dict[str, Any], others: tuple[str, ...], *, partial: bool) -> dict[str, Any]:
    body = {key: value for key, value in data.items() if key not in others}
    try:
        loaded: dict[str, Any] = schema.load(body, partial=partial)
    except ValidationError as error:
        raise Invalid("Some fields are not right.", errors=_flat(error.messages_dict)) from None
    if partial:
        named = {field.data_key or name for name, field in schema.fields.items()} & body.keys()
        given = {name for name, field in schema.fields.items() if (field.data_key or name) in named}
        loaded = {name: value for name, value in loaded.items() if name in given}
    if "tags" in loaded:
        loaded["tags"] = tuple(dict.fromkeys(loaded["tags"]))
    return loaded


def _flat(messages: dict[Any, Any], prefix: str = "") -> dict[str, list[str]]:
    """Nested messages under dotted names: ``accessibility.audio``, ``tags.0``."""
    flat: dict[str, list[str]] = {}
    for name, value in messages.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{path}.")
        else:
            flat[path] = [str(message) for message in value]
    return flat
