"""A young person: profile, steps, credit."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.web.schemas.shapes import page_of
from shared.contracts.fields import Instant, Money, Number, Price, Whole
from shared.kernel.identifiers import MAX_NUMBER

KINDS_OF_ENTRY = ("granted", "recredited", "reserved", "spent", "unspent", "released", "lapsed")

STEPS = ["confirm-email", "confirm-phone", "check-identity", "complete-profile", "await-review", None]


class Suspended(Schema):
    accountId = Number(required=True)
    status = fields.String(required=True)


class Done(Schema):
    """Empty."""


class Standing(Schema):
    """How far the person has come; the rest is in `GET /v1/me`."""

    accountId = Number(required=True)
    roles = fields.List(fields.String(), required=True)
    status = fields.String(required=True, allow_none=True)
    nextStep = fields.String(required=True, allow_none=True, metadata={"enum": STEPS})
    version = Whole(0, MAX_NUMBER, required=True)


class IdentityItem(Schema):
    name = fields.String(required=True)
    outcome = fields.String(required=True, metadata={"enum": ["ok", "suspicious", "ko"]})
    detail = fields.String(required=True)


class IdentityOutcome(Schema):
    outcome = fields.String(required=True, metadata={"enum": ["ok", "suspicious", "ko"]})
    items = fields.List(fields.Nested(IdentityItem), required=True)


class Cap(Schema):
    capCents = Price(required=True)
    remainingCents = Price(required=True)


class Credit(Schema):
    creditId = Number(allow_none=True)
    kind = fields.String(required=True, allow_none=True, metadata={"enum": ["age-18", "underage", None]})
    grantedCents = Price(required=True)
    remainingCents = Price(required=True)
    digital = fields.Nested(Cap, required=True, allow_none=True)
    physical = fields.Nested(Cap, required=True, allow_none=True)
    grantedAt = Instant(allow_none=True)
    expiresAt = Instant(required=True, allow_none=True)
    reservedCents = Price()
    spentCents = Price()
    lapsedCents = Price()


class Credits(Credit):
    """The current credit (zeros when there is none), and all of them."""

    credits = fields.List(fields.Nested(Credit), required=True)


class CreditEntry(Schema):
    entryId = fields.Raw(required=True, metadata={"type": ["string", "integer"]})
    at = Instant(required=True)
    kind = fields.String(required=True, metadata={"enum": list(KINDS_OF_ENTRY)})
    amountCents = Money(required=True)
    balanceCents = Money(required=True)
    bookingId = Number(required=True, allow_none=True)
    creditId = Number(allow_none=True)


CreditEntries = page_of(CreditEntry, "CreditEntries")


class Eligibility(Schema):
    kind = fields.String(required=True, metadata={"enum": ["age-18", "underage"]})
    from_ = fields.String(required=True, data_key="from", attribute="from", metadata={"format": "date-time"})
    until = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})


class Me(Schema):
    accountId = Number(required=True)
    email = fields.String(required=True)
    firstName = fields.String(required=True)
    lastName = fields.String(required=True)
    birthDate = fields.String(required=True, allow_none=True, metadata={"format": "date"})
    phoneNumber = fields.String(allow_none=True)
    postalCode = fields.String(allow_none=True)
    city = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    activity = fields.String(allow_none=True)
    roles = fields.List(fields.String(), required=True)
    status = fields.String(allow_none=True)
    nextEligibility = fields.Nested(Eligibility, allow_none=True)
    eligibility = fields.Nested(Eligibility, required=True, allow_none=True)
    nextStep = fields.String(required=True, allow_none=True, metadata={"enum": STEPS})
    credit = fields.Nested(Credits, required=True, allow_none=True)
    version = Whole(0, MAX_NUMBER, metadata={"description": "That of the account, not of the credit."})
