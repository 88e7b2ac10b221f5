"""Identity checks, for staff to review."""

from __future__ import annotations

import sqlalchemy as sa

from services.identity.domain.accounts import Account
from services.identity.domain.checks import Outcome
from services.identity.storage import tables
from shared.eventstore import sql
from shared.projections import Projection, on


class IdentityChecks(Projection):
    """Which identity checks await staff?"""

    name = "identity-checks"
    version = 1
    tables = (tables.identity_checks,)

    @on(Account.IdentityChecked)
    def checked(self, connection: sa.Connection, event: Account.IdentityChecked) -> None:
        row = {
            "check_id": event.check,
            "account_id": event.number,
            "status": "pending" if event.outcome is Outcome.SUSPICIOUS else event.outcome.value,
            "items": [
                {"name": item.name, "outcome": item.outcome.value, "detail": item.detail} for item in event.items
            ],
            "sealed_declared": event.sealed_declared,
            "checked_at": event.timestamp,
        }
        sql.insert_many(connection, tables.identity_checks, [row])

    @on(Account.IdentityReviewed)
    def reviewed(self, connection: sa.Connection, event: Account.IdentityReviewed) -> None:
        change = {"check_id": event.check, "status": "ok" if event.accepted else "ko"}
        sql.update_many(connection, tables.identity_checks, "check_id", [change])

    @on(Account.Erased)
    def erased(self, connection: sa.Connection, event: Account.Erased) -> None:
        table = tables.identity_checks
        connection.execute(table.delete().where(table.c.account_id == event.number))
