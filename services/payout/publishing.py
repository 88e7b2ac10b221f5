"""The messages that payout publishes, made from its domain events."""

from __future__ import annotations

from typing import Any

from services.payout.domain.batches import PayoutBatch
from services.payout.domain.establishment_year import CORRECTION, EstablishmentYear
from shared.eventstore import Publication
from shared.kernel.time import instant_text

publication = Publication("payout")


@publication.publishes(EstablishmentYear.Priced, "BookingPriced")
def booking_priced(event: EstablishmentYear.Priced) -> dict[str, Any]:
    return {
        "lineId": event.line_id,
        "corrects": None,
        "bookingId": event.booking.booking_id,
        "attempt": event.booking.attempt,
        "establishment": event.establishment,
        "venueId": event.booking.venue_id,
        "year": event.year,
        "usedAt": instant_text(event.booking.used_at),
        "amountCents": event.booking.total,
        "revenueCents": event.price.revenue,
        "rate": event.price.rate,
        "rule": event.price.rule,
        "reimbursedCents": event.price.reimbursed,
        "contributionCents": event.price.contribution,
    }


@publication.publishes(EstablishmentYear.Corrected, "BookingPriced")
def booking_corrected(event: EstablishmentYear.Corrected) -> dict[str, Any]:
    return {
        "lineId": event.correction.line_id,
        "corrects": event.correction.corrects,
        "bookingId": event.booking.booking_id,
        "attempt": event.booking.attempt,
        "establishment": event.establishment,
        "venueId": event.booking.venue_id,
        "year": event.year,
        "usedAt": instant_text(event.booking.used_at),
        "amountCents": event.correction.amount,
        "revenueCents": event.correction.entering,
        "rate": None,
        "rule": CORRECTION,
        "reimbursedCents": event.correction.reimbursed,
        "contributionCents": event.correction.contribution,
    }


@publication.publishes(EstablishmentYear.Voided, "BookingPriceVoided")
def booking_price_voided(event: EstablishmentYear.Voided) -> dict[str, Any]:
    return {
        "lineId": event.line_id,
        "bookingId": event.booking_id,
        "establishment": event.establishment,
        "year": event.year,
        "reason": event.reason,
        "reimbursedCents": event.reimbursed,
    }


@publication.publishes(EstablishmentYear.BookingEntered, "BookingEnteredBatch")
def booking_entered_batch(event: EstablishmentYear.BookingEntered) -> dict[str, Any]:
    return {"bookingId": event.booking_id, "batchId": event.batch_id, "lineId": event.line_id}


@publication.publishes(EstablishmentYear.BookingReimbursed, "BookingReimbursed")
def booking_reimbursed(event: EstablishmentYear.BookingReimbursed) -> dict[str, Any]:
    return {"bookingId": event.booking_id, "batchId": event.batch_id, "at": instant_text(event.timestamp)}


@publication.publishes(PayoutBatch.Closed, "PayoutBatchClosed")
def payout_batch_closed(event: PayoutBatch.Closed) -> dict[str, Any]:
    return {
        "batchId": event.batch_id,
        "label": event.label,
        "cutoff": event.cutoff.isoformat(),
        "closedAt": instant_text(event.timestamp),
        "lines": event.totals.lines,
        "transfers": event.totals.transfers,
        "totalCents": event.totals.total,
        "contributionCents": event.totals.contribution,
        "carriedCents": event.totals.carried,
        "transferredCents": event.totals.transferred,
        "checksum": event.checksum,
    }


@publication.publishes(PayoutBatch.TransferSent, "TransferSent")
def transfer_sent(event: PayoutBatch.TransferSent) -> dict[str, Any]:
    return {
        "batchId": event.batch_id,
        "endToEndId": event.end_to_end_id,
        "amountCents": event.amount,
        "at": instant_text(event.timestamp),
    }


@publication.publishes(PayoutBatch.TransferRejected, "TransferRejected")
def transfer_rejected(event: PayoutBatch.TransferRejected) -> dict[str, Any]:
    return {
        "batchId": event.batch_id,
        "endToEndId": event.end_to_end_id,
        "amountCents": event.amount,
        "at": instant_text(event.timestamp),
        "reason": event.reason,
    }
