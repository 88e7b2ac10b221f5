"""Wallet's messages: the movements of young people's credit. A published version never changes."""

from __future__ import annotations

from marshmallow import RAISE, Schema, fields, validate

from shared.contracts.fields import Flag, Instant, Money, Number

KINDS = ("age-18", "underage")


class _Message(Schema):
    class Meta:
        unknown = RAISE

    personId = Number(required=True)
    creditId = Number(required=True)
    amountCents = Money(required=True)


class CreditGrantedV1(_Message):
    """``amountCents`` more to spend until ``expiresAt``: a new credit or, with ``recredit``, an increase of one."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    grantedAt = Instant(required=True)
    expiresAt = Instant(required=True)
    recredit = Flag(required=True)


class CreditReservedV1(_Message):
    """Reserved for an attempt of a booking."""

    bookingId = Number(required=True)
    attempt = Number(required=True)
    at = Instant(required=True)


class CreditReleasedV1(_Message):
    """The reservation of an attempt of a booking was released."""

    bookingId = Number(required=True)
    attempt = Number(required=True)
    at = Instant(required=True)


class CreditLapsedV1(_Message):
    """The rest of a credit when it expired, or an amount that was released after that."""

    at = Instant(required=True)


MESSAGES: dict[tuple[str, int], type[Schema]] = {
    ("CreditGranted", 1): CreditGrantedV1,
    ("CreditReserved", 1): CreditReservedV1,
    ("CreditReleased", 1): CreditReleasedV1,
    ("CreditLapsed", 1): CreditLapsedV1,
}
