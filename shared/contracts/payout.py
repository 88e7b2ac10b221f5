"""What payout publishes: prices, batches and what the bank answered. The finance team's systems consume these.

Money is in cents. A line keeps its ``lineId`` when it is priced again: its price is voided (``repriced``) and told
anew. A correction is a line of its own, of rule ``Correction``, that names the line it ``corrects``; its amounts are
what it adds to that line's, and it is in no batch of its booking: no ``BookingEnteredBatch`` tells of it.
"""

from __future__ import annotations

from marshmallow import Schema, fields

from shared.contracts.fields import Count, Day, Instant, Money, Number


class BookingPricedV1(Schema):
    """``reimbursedCents + contributionCents = amountCents``; ``revenueCents`` is the year's, this booking included.

    What comes before it may be learnt later. A line is then voided and priced again when its reimbursement or its rule
    is another one, and before it enters a batch when its revenue is: what is paid was told as it is.
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
    """``totalCents`` (of its lines) = ``transferredCents + carriedCents``; ``carriedCents`` is signed: what this batch
    adds to what its accounts carry forward. ``checksum`` is the SHA-256 of the transfer file, null without
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
    """From now on the booking is neither un-validated nor cancelled at the desk. Told again when the bank rejected its
    transfer and it enters a later batch."""

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
    """The transfer that its line is part of was sent, or its line was of 0 euros and its batch closed."""

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
