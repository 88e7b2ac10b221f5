"""Payouts, their files, the finance team's events, establishments, reconciliation."""

from __future__ import annotations

from typing import Annotated

from marshmallow import Schema, fields

from services.gateway.web.schemas.shapes import Extensible, page_of
from shared.contracts.calls.contract import Data
from shared.contracts.calls.types import Position
from shared.contracts.fields import Flag, Instant, Money, Number, Price, Whole
from shared.kernel.identifiers import MAX_NUMBER


class WithoutBankDetails(Schema):
    lines = fields.Integer(required=True)
    totalCents = Money(required=True)


class Preview(Schema):
    batchId = Number(required=True, allow_none=True)
    label = fields.String(required=True)
    cutoff = fields.String(required=True, metadata={"format": "date"})
    lines = fields.Integer(required=True)
    transfers = fields.Integer(required=True)
    totalCents = Money(required=True)
    contributionCents = Money(required=True)
    carriedCents = Money()
    transferredCents = Money()
    withoutBankDetails = fields.Nested(WithoutBankDetails, required=True)


class Batch(Preview):
    number = fields.String()
    status = fields.String(required=True)
    checksum = fields.String(required=True, allow_none=True)
    closedAt = Instant()
    executionDate = fields.String(allow_none=True)
    version = Whole(0, MAX_NUMBER)


class Transfer(Schema):
    endToEndId = fields.String(required=True)
    amountCents = Price(required=True)
    iban = fields.String(required=True)
    bic = fields.String(required=True)
    holder = fields.String(required=True)
    siren = fields.String(allow_none=True)
    status = fields.String(required=True)
    reason = fields.String(allow_none=True)
    answeredAt = Instant(allow_none=True)


class BatchWithTransfers(Batch):
    transferList = fields.List(fields.Nested(Transfer), required=True)


Batches = page_of(Batch, "Batches")


class EventsQuery(Data):
    after: Position = 0
    limit: Annotated[int, Whole(1, 1000)] = 1000
    wait: Annotated[
        int, Whole(0, 30, metadata={"description": "Seconds to wait for a message before an empty answer."})
    ] = 0


class EstablishmentYear(Schema):
    establishment = fields.String(required=True)
    year = fields.Integer(required=True)
    revenueCents = Money(required=True)
    rate = fields.String(required=True, allow_none=True)
    nextThresholdCents = Price(required=True, allow_none=True)
    leftBeforeNextCents = Money(required=True, allow_none=True)
    reimbursedCents = Money(required=True)
    contributionCents = Money(required=True)
    paidCents = Money(required=True)
    pendingCents = Money(required=True)


class CustomRule(Extensible):
    customRuleId = Number(required=True)
    offerId = Number(allow_none=True)
    offererId = Number(allow_none=True)
    amountCents = Price(allow_none=True)
    rate = fields.String(allow_none=True)
    subcategories = fields.List(fields.String(), allow_none=True)
    start = fields.String()
    end = fields.String(allow_none=True)


CustomRules = page_of(CustomRule, "CustomRules")


class Identity(Schema):
    name = fields.String(required=True)
    left = Money(required=True)
    right = Money(required=True)
    difference = Money(required=True)


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
