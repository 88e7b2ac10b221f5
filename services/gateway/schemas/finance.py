"""Payouts, their files, the finance team's events, establishments, reconciliation."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields

from services.gateway.web.fields import (
    Flag,
    Moment,
    Strict,
    WholeNumber,
    cents,
    number,
)
from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.money import MAX_CENTS

SIGNED = -int(MAX_CENTS)


class WithoutBankDetails(Schema):
    lines = fields.Integer(required=True)
    totalCents = cents(SIGNED, required=True)


class Preview(Schema):
    batchId = number(required=True, allow_none=True)
    label = fields.String(required=True)
    cutoff = fields.String(required=True, metadata={"format": "date"})
    lines = fields.Integer(required=True)
    transfers = fields.Integer(required=True)
    totalCents = cents(SIGNED, required=True)
    contributionCents = cents(SIGNED, required=True)
    carriedCents = cents(SIGNED)
    transferredCents = cents(SIGNED)
    withoutBankDetails = fields.Nested(WithoutBankDetails, required=True)


class Batch(Preview):
    number = fields.String()
    status = fields.String(required=True)
    checksum = fields.String(required=True, allow_none=True)
    closedAt = Moment()
    executionDate = fields.String(allow_none=True)
    version = WholeNumber(0, MAX_NUMBER)


class Transfer(Schema):
    endToEndId = fields.String(required=True)
    amountCents = cents(required=True)
    iban = fields.String(required=True)
    bic = fields.String(required=True)
    holder = fields.String(required=True)
    siren = fields.String(allow_none=True)
    status = fields.String(required=True)
    reason = fields.String(allow_none=True)
    answeredAt = Moment(allow_none=True)


class BatchWithTransfers(Batch):
    transferList = fields.List(fields.Nested(Transfer), required=True)


class Batches(Schema):
    items = fields.List(fields.Nested(Batch), required=True)
    nextCursor = fields.String(required=True, allow_none=True)


class EventsQuery(Strict):
    after = WholeNumber(0, MAX_NUMBER, in_query=True, load_default=0)
    limit = WholeNumber(1, 1000, in_query=True, load_default=1000)
    wait = WholeNumber(
        0,
        30,
        in_query=True,
        load_default=0,
        metadata={"description": "Seconds to wait for a message before an empty answer."},
    )


class EstablishmentYear(Schema):
    establishment = fields.String(required=True)
    year = fields.Integer(required=True)
    revenueCents = cents(SIGNED, required=True)
    rate = fields.String(required=True, allow_none=True)
    nextThresholdCents = cents(required=True, allow_none=True)
    leftBeforeNextCents = cents(SIGNED, required=True, allow_none=True)
    reimbursedCents = cents(SIGNED, required=True)
    contributionCents = cents(SIGNED, required=True)
    paidCents = cents(SIGNED, required=True)
    pendingCents = cents(SIGNED, required=True)


class CustomRule(Schema):
    class Meta:
        unknown = INCLUDE

    customRuleId = number(required=True)
    offerId = number(allow_none=True)
    offererId = number(allow_none=True)
    amountCents = cents(allow_none=True)
    rate = fields.String(allow_none=True)
    subcategories = fields.List(fields.String(), allow_none=True)
    start = fields.String()
    end = fields.String(allow_none=True)


class CustomRules(Schema):
    items = fields.List(fields.Nested(CustomRule), required=True)
    nextCursor = fields.String(required=True, allow_none=True)


class Identity(Schema):
    name = fields.String(required=True)
    left = cents(SIGNED, required=True)
    right = cents(SIGNED, required=True)
    difference = cents(SIGNED, required=True)


class ReconciledDay(Schema):
    day = fields.String(required=True, metadata={"format": "date"})
    identities = fields.List(fields.Nested(Identity), required=True)


class Difference(Schema):
    identity = fields.String(required=True)
    where = fields.Raw()
    bookings = fields.Raw(required=True)
    left = fields.Raw()
    right = fields.Raw()
    difference = fields.Raw()
    detail = fields.Raw()


class Reconciliation(Schema):
    balanced = Flag(required=True)
    days = fields.List(fields.Nested(ReconciledDay), required=True)
    totals = fields.Raw()
    identities = fields.Raw()
    differences = fields.List(fields.Nested(Difference), required=True)
    positions = fields.Raw()
    inFlight = fields.Raw()
