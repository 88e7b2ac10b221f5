"""Identity's messages (docs/messages-and-calls.md). A published version never changes."""

from __future__ import annotations

from marshmallow import RAISE, Schema, fields, validate

from shared.contracts.fields import Day, Instant, Number, Whole

UNNAMED = {"firstName": "", "lastName": "", "email": "", "phoneNumber": ""}
"""Stands in for a person whose data identity does not have, or cannot provide now."""


class _Message(Schema):
    class Meta:
        unknown = RAISE


class AccountOpenedV1(_Message):
    accountId = Number(required=True)
    roles = fields.List(fields.String(), required=True)


class BeneficiaryActivatedV1(_Message):
    """A credit is due. ``birthDate`` for ``underage`` only, null otherwise."""

    personId = Number(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["age-18", "underage"]))
    age = Whole(required=True)
    birthDate = Day(required=True, allow_none=True)
    activatedAt = Instant(required=True)
    departmentCode = fields.String(required=True)


class BirthdayReachedV1(_Message):
    """Of under-age beneficiaries: 16, 17, 18; ``at`` is 00:00 in Paris."""

    personId = Number(required=True)
    age = Whole(required=True)
    at = Instant(required=True)


class BeneficiarySuspendedV1(_Message):
    """Any account, beneficiary or not."""

    personId = Number(required=True)
    reason = fields.String(
        required=True,
        validate=validate.OneOf(["END_OF_CONTRACT", "END_OF_ELIGIBILITY", "FRAUD", "UPON_USER_REQUEST"]),
    )
    at = Instant(required=True)


class BeneficiaryUnsuspendedV1(_Message):
    personId = Number(required=True)
    reason = fields.String(required=True)
    at = Instant(required=True)


class PersonErasedV1(_Message):
    personId = Number(required=True)
    at = Instant(required=True)


class OffererRegisteredV1(_Message):
    offererId = Number(required=True)
    siren = fields.String(required=True, validate=validate.Length(equal=9))
    name = fields.String(required=True)
    address = fields.String(required=True)
    postalCode = fields.String(required=True)
    city = fields.String(required=True)
    registeredAt = Instant(required=True)


class OffererValidatedV1(_Message):
    offererId = Number(required=True)
    at = Instant(required=True)


class OffererRefusedV1(_Message):
    """Rejected, or closed."""

    offererId = Number(required=True)
    at = Instant(required=True)
    reason = fields.String(required=True)


class ProAttachmentV1(_Message):
    accountId = Number(required=True)
    offererId = Number(required=True)
    at = Instant(required=True)


MESSAGES: dict[tuple[str, int], type[Schema]] = {
    ("AccountOpened", 1): AccountOpenedV1,
    ("BeneficiaryActivated", 1): BeneficiaryActivatedV1,
    ("BirthdayReached", 1): BirthdayReachedV1,
    ("BeneficiarySuspended", 1): BeneficiarySuspendedV1,
    ("BeneficiaryUnsuspended", 1): BeneficiaryUnsuspendedV1,
    ("PersonErased", 1): PersonErasedV1,
    ("OffererRegistered", 1): OffererRegisteredV1,
    ("OffererValidated", 1): OffererValidatedV1,
    ("OffererRejected", 1): OffererRefusedV1,
    ("OffererClosed", 1): OffererRefusedV1,
    ("ProAttached", 1): ProAttachmentV1,
    ("ProDetached", 1): ProAttachmentV1,
}
