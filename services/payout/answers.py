"""The JSON of payout's answers. Money in cents; ``row`` is always one of the table that the function names."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.payout.domain.batches import Totals
from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.ledger import Difference, Identity
from services.payout.domain.pricing import Tier
from services.payout.domain.records import LineStatus
from services.payout.storage import batches
from shared.kernel.money import Cents
from shared.kernel.time import instant_text


def bank_details(row: Any) -> dict[str, Any]:
    """A row of ``bank_details``."""
    return {
        "bankDetailsId": row.bank_details_id,
        "offererId": row.offerer_id,
        "venueId": row.venue_id,
        "iban": row.iban,
        "bic": row.bic,
        "holder": row.holder,
        "status": row.status,
        "submittedAt": instant_text(row.submitted_at),
        "decidedAt": instant_text(row.decided_at),
        "reason": row.reason,
    }


def document(row: Any) -> dict[str, Any]:
    """A row of ``documents``, without the bytes."""
    return {
        "documentId": row.document_id,
        "bankDetailsId": row.bank_details_id,
        "kind": row.kind,
        "mediaType": row.media_type,
        "size": row.size,
        "sha256": row.sha256,
        "addedAt": instant_text(row.added_at),
    }


def custom_rule(rule: CustomRule) -> dict[str, Any]:
    return {
        "customRuleId": rule.rule_id,
        "offerId": rule.offer_id,
        "offererId": rule.offerer_id,
        "amountCents": rule.amount,
        "rate": rule.rate,
        "subcategories": list(rule.subcategories),
        "start": instant_text(rule.start),
        "end": instant_text(rule.end),
    }


def batch(row: Any, transfer_statuses: set[str]) -> dict[str, Any]:
    """A row of ``batches``, closed.

    ``status`` is ``closed`` until the bank has answered for every transfer, then ``sent``, or ``rejected`` when it has
    executed none. A batch without transfers is ``sent``.
    """
    return _figures(row.label, row.cutoff, batches.totals(row)) | {
        "batchId": row.batch_id,
        "number": batches.number(row.batch_id),
        "status": _batch_status(transfer_statuses),
        "closedAt": instant_text(row.closed_at),
        "executionDate": row.execution_date.isoformat(),
        "checksum": row.checksum,
    }


def preview(label: str, cutoff: date, totals: Totals) -> dict[str, Any]:
    """The figures of a period's batch, which may not exist yet."""
    return {"batchId": None} | _figures(label, cutoff, totals)


def transfer(row: Any) -> dict[str, Any]:
    """A row of ``transfers``."""
    return {
        "endToEndId": row.end_to_end_id,
        "amountCents": row.amount_cents,
        "iban": row.iban,
        "bic": row.bic,
        "holder": row.holder,
        "siren": row.siren,
        "status": row.status,
        "reason": row.reason,
        "answeredAt": instant_text(row.answered_at),
    }


def line(row: Any, venue: Any | None, status: LineStatus, revenue: Cents) -> dict[str, Any]:
    """A row of ``lines``. ``revenue`` is that of its year with it."""
    assert row.reimbursed_cents + row.contribution_cents == row.amount_cents, f"line {row.line_id} does not add up"
    return {
        "lineId": row.line_id,
        "corrects": row.corrects,
        "bookingId": row.booking_id,
        "countermark": row.countermark,
        "establishment": row.establishment,
        "venueId": row.venue_id,
        "venueName": venue.name if venue else "",
        "offerId": row.offer_id,
        "offerName": row.offer_name,
        "usedAt": instant_text(row.used_at),
        "quantity": row.quantity,
        "amountCents": row.amount_cents,
        "revenueCents": revenue,
        "rate": row.rate,
        "rule": row.rule,
        "reimbursedCents": row.reimbursed_cents,
        "contributionCents": row.contribution_cents,
        "status": status,
        "batchId": row.batch_id,
    }


def establishment_year(establishment: str, year: int, row: Any | None, tier: Tier) -> dict[str, Any]:
    """A row of ``establishment_years``; None: a year without a booking, which is all zeros."""
    revenue = row.revenue_cents if row else 0
    return {
        "establishment": establishment,
        "year": year,
        "revenueCents": revenue,
        "rate": tier.rate,
        "nextThresholdCents": tier.next_threshold,
        "leftBeforeNextCents": None if tier.next_threshold is None else tier.next_threshold - revenue,
        "reimbursedCents": row.reimbursed_cents if row else 0,
        "contributionCents": row.contribution_cents if row else 0,
        "paidCents": row.paid_cents if row else 0,
        "pendingCents": row.reimbursed_cents - row.paid_cents if row else 0,
    }


def identity(one: Identity) -> dict[str, Any]:
    return {"name": one.name, "left": one.left, "right": one.right, "difference": one.difference}


def difference(one: Difference) -> dict[str, Any]:
    return {
        "identity": one.identity,
        "where": one.where,
        "left": one.left,
        "right": one.right,
        "detail": one.detail,
        "bookings": list(one.bookings),
    }


def _batch_status(transfer_statuses: set[str]) -> str:
    if "pending" in transfer_statuses:
        return "closed"
    return "rejected" if transfer_statuses == {"rejected"} else "sent"


def _figures(label: str, cutoff: date, totals: Totals) -> dict[str, Any]:
    return {
        "label": label,
        "cutoff": cutoff.isoformat(),
        "lines": totals.lines,
        "transfers": totals.transfers,
        "totalCents": totals.total,
        "contributionCents": totals.contribution,
        "transferredCents": totals.transferred,
        "carriedCents": totals.carried,
        "withoutBankDetails": {
            "lines": totals.without_bank_details_lines,
            "totalCents": totals.without_bank_details_total,
        },
    }
