"""Payout's messages: prices, batches and the bank's answers. The finance team's systems consume them.

Money is in cents. A line keeps its ``lineId`` when it is priced again: its price is voided (``repriced``) and a new one
published. A correction is a separate line, with the rule ``Correction``, that names the line it ``corrects``. Its
amounts are added to that line's. No ``BookingEnteredBatch`` is published for it.
"""

from __future__ import annotations

from marshmallow import Schema, fields

from shared.contracts.fields import Count, Day, Instant, Money, Number


class BookingPricedV1(Schema):
    """``reimbursedCents + contributionCents = amountCents``; ``revenueCents`` is the year's, this booking included.

    An earlier booking may be reported later. A line is then voided and priced again if its reimbursement or its rule
    changes, and also, before it enters a batch, if only its revenue changes: what is paid was published exactly.
    """

    lineId = Number(required=True)
    corrects = Number(required=True, allow_none=True)
    bookingId = Number(required=True)
    attempt = Number(required=True)
    establishment = fields.String(required=True)
    venueId = Number(required=True)
    year = Number(required=True)
    usedAt = Instant(required=True)
    amountCents = Money(required=True)
    revenueCents = Money(required=True)
    rate = fields.String(required=True, allow_none=True)
    rule = fields.String(required=True)
    reimbursedCents = Money(required=True)
    contributionCents = Money(required=True)


class BookingPriceVoidedV1(Schema):
    """``reason``: ``repriced`` (its new price follows), ``invalidated`` or ``cancelled``."""

    lineId = Number(required=True)
    bookingId = Number(required=True)
    establishment = fields.String(required=True)
    year = Number(required=True)
    reason = fields.String(required=True)
    reimbursedCents = Money(required=True)


class PayoutBatchClosedV1(Schema):
    """``totalCents`` (of its lines) = ``transferredCents + carriedCents``; ``carriedCents`` is signed: the change that
    this batch makes to the balances carried forward. ``checksum`` is the SHA-256 of the transfer file, null without
    transfers."""

    batchId = Number(required=True)
    label = fields.String(required=True)
    cutoff = Day(required=True)
    closedAt = Instant(required=True)
    lines = Count(required=True)
    transfers = Count(required=True)
    totalCents = Money(required=True)
    contributionCents = Money(required=True)
    carriedCents = Money(required=True)
    transferredCents = Money(required=True)
    checksum = fields.String(required=True, allow_none=True)


class BookingEnteredBatchV1(Schema):
    """From now on the desk can neither undo the validation nor cancel. Published again if the bank rejects the transfer
    and the booking enters a later batch."""

    bookingId = Number(required=True)
    batchId = Number(required=True)
    lineId = Number(required=True)


class TransferSentV1(Schema):
    batchId = Number(required=True)
    endToEndId = fields.String(required=True)
    amountCents = Money(required=True)
    at = Instant(required=True)


class TransferRejectedV1(Schema):
    """Its lines are paid again in the next batch."""

    batchId = Number(required=True)
    endToEndId = fields.String(required=True)
    amountCents = Money(required=True)
    at = Instant(required=True)
    reason = fields.String(required=True)


class BookingReimbursedV1(Schema):
    """The transfer with its line was sent, or its line was of 0 euros and its batch was closed."""

    bookingId = Number(required=True)
    batchId = Number(required=True)
    at = Instant(required=True)


MESSAGES: dict[tuple[str, int], type[Schema]] = {
    ("BookingPriced", 1): BookingPricedV1,
    ("BookingPriceVoided", 1): BookingPriceVoidedV1,
    ("PayoutBatchClosed", 1): PayoutBatchClosedV1,
    ("BookingEnteredBatch", 1): BookingEnteredBatchV1,
    ("TransferSent", 1): TransferSentV1,
    ("TransferRejected", 1): TransferRejectedV1,
    ("BookingReimbursed", 1): BookingReimbursedV1,
}
