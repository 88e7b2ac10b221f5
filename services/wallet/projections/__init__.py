"""Wallet's read models, folded from its log: one class per question.

The use cases write the live rows, in the transaction that decides; these handlers serve comparisons and rebuilds. Both
use the same functions of ``storage``.
"""

from __future__ import annotations

from services.wallet.projections.balances import Balances
from services.wallet.projections.ledger_entries import LedgerEntries
from shared.projections import Projection


def projections() -> list[Projection]:
    return [Balances(), LedgerEntries()]
