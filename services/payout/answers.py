"""The JSON of payout's answers. Money in cents; ``row`` is always one of the table that the function names."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.ledger import Identity
from services.payout.domain.pricing import Tier
from services.payout.domain.records import LineStatus, Totals, batch_number
from services.payout.storage import batches
from shared.contracts.answers import json_of
from shared.kernel.money import Cents


def bank_details(row: Any) -> dict[str, Any]:
    """A row of ``bank_details``."""
    account = json_of(row, "bank_details_id", "offerer_id", "venue_id", "iban", "bic", "holder")
    return account | json_of(row, "status", "submitted_at", "decided_at", "reason")


def document(row: Any) -> dict[str, Any]:
    """A row of ``documents``, without the bytes."""
    return json_of(row, "document_id", "bank_details_id", "kind", "media_type", "size", "sha256", "added_at")


def custom_rule(rule: CustomRule) -> dict[str, Any]:
    return {
        "customRuleId": rule.rule_id,
        **json_of(rule, "offer_id", "offerer_id"),
        "amountCents": rule.amount,
        **json_of(rule, "rate", "subcategories", "start", "end"),
    }


def batch(row: Any, transfer_statuses: set[str]) -> dict[str, Any]:
    """A row of ``batches``, closed.

    ``status`` is ``closed`` until the bank has answered for every transfer, then ``sent``, or ``rejected`` when it has
    executed none. A batch without transfers is ``sent``.
    """
    return {
        **_figures(row.label, row.cutoff, batches.totals(row)),
        "batchId": row.batch_id,
        "number": batch_number(row.batch_id),
        "status": _batch_status(transfer_statuses),
        **json_of(row, "closed_at", "execution_date", "checksum"),
    }


def preview(label: str, cutoff: date, totals: Totals) -> dict[str, Any]:
    """The figures of a period's batch, which may not exist yet."""
    return {"batchId": None} | _figures(label, cutoff, totals)


def transfer(row: Any) -> dict[str, Any]:
    """A row of ``transfers``."""
    sent = json_of(row, "end_to_end_id", "amount_cents", "iban", "bic", "holder", "siren")
    return sent | json_of(row, "status", "reason", "answered_at")


def line(row: Any, venue: Any | None, status: LineStatus, revenue: Cents) -> dict[str, Any]:
    """A row of ``lines``. ``revenue`` is that of its year with it."""
    assert row.reimbursed_cents + row.contribution_cents == row.amount_cents, f"line {row.line_id} does not add up"
    return {
        **json_of(row, "line_id", "corrects", "booking_id", "countermark", "establishment", "venue_id"),
        "venueName": venue.name if venue else "",
        **json_of(row, "offer_id", "offer_name", "used_at", "quantity", "amount_cents"),
        "revenueCents": revenue,
        **json_of(row, "rate", "rule", "reimbursed_cents", "contribution_cents"),
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
