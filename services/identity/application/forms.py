"""What callers may send: the shape is checked here, whatever the gateway did before."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from shared.contracts.fields import Flag, Number
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import email

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


class _Form(Schema):
    class Meta:
        unknown = RAISE


class Line(fields.Field[str]):
    """One line of text, stripped, within bounds; no control characters."""

    def __init__(self, minimum: int, maximum: int, **options: Any) -> None:
        super().__init__(**options)
        self._minimum, self._maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or _CONTROL.search(value):
            raise ValidationError("Not a line of text.")
        text = value.strip()
        if not self._minimum <= len(text) <= self._maximum:
            raise ValidationError(f"Not between {self._minimum} and {self._maximum} characters.")
        return text


class Secret(fields.Field[str]):
    """Text exactly as typed, bounded."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or not value or len(value) > 2000:
            raise ValidationError("Not text of 1 to 2000 characters.")
        return value


class Email(Line):
    def __init__(self, **options: Any) -> None:
        super().__init__(3, 120, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        try:
            return email(text)
        except ValueError:
            raise ValidationError("Not an e-mail address.") from None


class PastDay(fields.Field[date]):
    """``YYYY-MM-DD``; whether it lies ahead is the use case's to say, which has the clock."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> date:
        try:
            if not isinstance(value, str) or len(value) != 10:
                raise ValueError
            day = date.fromisoformat(value)
        except ValueError:
            raise ValidationError("Not a date (YYYY-MM-DD).") from None
        if not 1900 <= day.year <= 2200:
            raise ValidationError("Not a birth date.")
        return day


def _postal_code() -> fields.String:
    return fields.String(
        required=True, validate=validate.Regexp(r"\A[0-9]{5}\Z", error="Not a postal code (5 digits).")
    )


class NewAccount(_Form):
    email = Email(required=True)
    password = Secret(required=True)
    firstName = Line(1, 100, required=True)
    lastName = Line(1, 100, required=True)
    birthDate = PastDay(required=True)
    postalCode = _postal_code()
    phoneNumber = Line(1, 30, allow_none=True, load_default=None)
    marketingConsent = Flag(load_default=False)


class NewProAccount(_Form):
    email = Email(required=True)
    password = Secret(required=True)
    firstName = Line(1, 100, required=True)
    lastName = Line(1, 100, required=True)
    phoneNumber = Line(1, 30, required=True)
    siren = Line(1, 20, required=True)
    contactConsent = Flag(required=True)


class NewStaff(_Form):
    email = Email(required=True)
    password = Secret(required=True)
    roles = fields.List(
        fields.String(validate=validate.OneOf(["staff", "finance", "operator"])),
        required=True,
        validate=validate.Length(min=1, max=3),
    )
    firstName = Line(1, 100, load_default="Équipe")
    lastName = Line(1, 100, load_default="pass Culture")


class _FromOutside(_Form):
    clientAddress = Line(1, 200, load_default="")


class MailToken(_FromOutside):
    token = Secret(required=True)


class SignIn(_FromOutside):
    email = Line(1, 200, required=True)
    password = Secret(required=True)


class RefreshToken(_FromOutside):
    refreshToken = Secret(required=True)


class Address(_FromOutside):
    email = Line(1, 200, required=True)


class NewPassword(_FromOutside):
    token = Secret(required=True)
    password = Secret(required=True)


class PasswordChange(_Form):
    currentPassword = Secret(required=True)
    password = Secret(required=True)


class EmailChange(_Form):
    password = Secret(required=True)
    email = Email(required=True)


class PhoneNumber(_Form):
    phoneNumber = Line(1, 30, load_default=None, allow_none=True)


class PhoneCode(_FromOutside):
    code = Line(1, 20, required=True)


class IdentityDocument(_Form):
    documentNumber = Line(1, 40, required=True)
    firstName = Line(1, 100, required=True)
    lastName = Line(1, 100, required=True)
    birthDate = PastDay(required=True)


class Completion(_Form):
    address = Line(1, 200, required=True)
    city = Line(1, 100, required=True)
    postalCode = _postal_code()
    activity = Line(1, 80, required=True)
    ifMatch = Number(load_default=None, allow_none=True)


class OffererDecision(_Form):
    offererId = Number(required=True)
    reason = fields.String(load_default="", allow_none=True, validate=validate.Length(max=500))


class AttachmentDecision(_Form):
    attachmentId = Number(required=True)
    reason = fields.String(load_default="", allow_none=True, validate=validate.Length(max=500))


class Review(_Form):
    identityCheckId = Number(required=True)
    accept = Flag(required=True)
    reason = fields.String(load_default="", allow_none=True, validate=validate.Length(max=500))


class AccountDecision(_Form):
    accountId = Number(required=True)
    reason = fields.String(required=True, validate=validate.Length(min=1, max=500))


class Erasure(_Form):
    accountId = Number(load_default=None, allow_none=True)


class OffererNumber(_Form):
    offererId = Number(required=True)


class KeyPrefix(_Form):
    offererId = Number(required=True)
    prefix = Line(1, 100, required=True)


class Pending(_Form):
    what = fields.String(required=True, validate=validate.OneOf(["offerers", "attachments", "identity-checks"]))
    status = fields.String(load_default="pending", validate=validate.Length(max=20))
    cursor = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=30))
    limit = Number(load_default=100)


class AccountIds(_Form):
    accountIds = fields.List(Number(), required=True, validate=validate.Length(max=10_000))


_FORMS: dict[type[Schema], Schema] = {}


def read_form(form: type[Schema], data: dict[str, Any]) -> dict[str, Any]:
    """The checked data; raises Invalid with what is wrong per field."""
    schema = _FORMS.setdefault(form, form())
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        raise Invalid("some fields are not right", errors=_by_field(error)) from None
    return loaded


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    messages = error.messages if isinstance(error.messages, dict) else {"body": error.messages}
    return {str(name): _texts(found) for name, found in messages.items()}


def _texts(found: Any) -> list[str]:
    if isinstance(found, dict):
        return [text for inner in found.values() for text in _texts(inner)]
    return [str(text) for text in found]
