"""Identity checks by status."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import identity_checks


def by_status(connection: sa.Connection, status: str, after: int, limit: int) -> list[sa.Row[Any]]:
    """In the order of their numbers, from just after one on."""
    table = identity_checks.c
    query = sa.select(identity_checks).where(table.status == status, table.check_id > after)
    return list(connection.execute(query.order_by(table.check_id).limit(limit)))


def account_of(connection: sa.Connection, number: int) -> int | None:
    query = sa.select(identity_checks.c.account_id).where(identity_checks.c.check_id == number)
    return connection.execute(query).scalar()
