"""Custom rules, as they were agreed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.payout.domain.custom_rules import CustomRule
from services.payout.storage.tables import custom_rules
from shared.kernel.money import Cents


def all_rules(connection: sa.Connection) -> list[CustomRule]:
    """Every rule, oldest first: there are hundreds of them, not millions."""
    return [_rule(row) for row in connection.execute(sa.select(custom_rules).order_by(custom_rules.c.rule_id))]


def _rule(row: Any) -> CustomRule:
    return CustomRule(
        start=row.starts_at,
        end=row.ends_at,
        offer_id=row.offer_id,
        offerer_id=row.offerer_id,
        amount=None if row.amount_cents is None else Cents(row.amount_cents),
        rate=row.rate,
        subcategories=tuple(row.subcategories),
        rule_id=row.rule_id,
    )
