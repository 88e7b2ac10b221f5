"""Custom rules."""

from __future__ import annotations

import sqlalchemy as sa

from services.payout.domain.custom_rules import Agreement
from services.payout.storage import tables
from shared.projections import Projection, on


class CustomRules(Projection):
    """Which custom rules were agreed?"""

    name = "custom_rules"
    version = 1
    tables = (tables.custom_rules,)

    @on(Agreement.Agreed)
    def agreed(self, connection: sa.Connection, event: Agreement.Agreed) -> None:
        rule = event.rule
        connection.execute(
            tables.custom_rules.insert().values(
                rule_id=rule.rule_id,
                offer_id=rule.offer_id,
                offerer_id=rule.offerer_id,
                amount_cents=rule.amount,
                rate=rule.rate,
                subcategories=list(rule.subcategories),
                starts_at=rule.start,
                ends_at=rule.end,
            )
        )
