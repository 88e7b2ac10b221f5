"""Structures and the accounts that may act for them, as identity has published them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from services.catalog.storage.tables import attachments, offerers, suspended_accounts
from shared.eventstore import sql


@dataclass(frozen=True, slots=True)
class Offerer:
    offerer_id: int
    siren: str
    status: str


def by_number(connection: sa.Connection, offerer_id: int) -> Offerer | None:
    row = connection.execute(
        sa.select(offerers.c.offerer_id, offerers.c.siren, offerers.c.status).where(offerers.c.offerer_id == offerer_id)
    ).one_or_none()
    return Offerer(*row) if row else None


def statuses(connection: sa.Connection, offerer_ids: Iterable[int]) -> dict[int, str]:
    wanted = sql.among(offerers.c.offerer_id, offerer_ids)
    rows = connection.execute(sa.select(offerers.c.offerer_id, offerers.c.status).where(wanted))
    return {row.offerer_id: row.status for row in rows}


def of_account(connection: sa.Connection, account_id: int) -> set[int]:
    """The structures that an account may act for; none while it is suspended: its token is valid for minutes more."""
    suspended = sa.select(suspended_accounts.c.account_id).where(suspended_accounts.c.account_id == account_id)
    query = sa.select(attachments.c.offerer_id).where(attachments.c.account_id == account_id, ~suspended.exists())
    return set(connection.execute(query).scalars())


def set_status(connection: sa.Connection, offerer_id: int, status: str) -> None:
    connection.execute(sa.update(offerers).where(offerers.c.offerer_id == offerer_id).values(status=status))


def add(connection: sa.Connection, offerer_id: int, siren: str, name: str, postal_code: str | None) -> None:
    """A new structure, awaiting validation."""
    row = {"offerer_id": offerer_id, "siren": siren, "name": name, "postal_code": postal_code, "status": "pending"}
    sql.insert_ignore(connection, offerers, [row])
