"""Payout's read models, folded from its log: one class per question."""

from __future__ import annotations

from services.payout.projections.bank_details import BankDetailsByOwner
from services.payout.projections.custom_rules import CustomRules
from services.payout.projections.reimbursements import Reimbursements
from shared.projections import Projection


def projections() -> tuple[Projection, ...]:
    """In the order in which they are written."""
    return (Reimbursements(), BankDetailsByOwner(), CustomRules())
