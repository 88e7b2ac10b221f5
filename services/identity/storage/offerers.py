"""Structures, their SIRENs, the accounts attached to them, their API keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.identity.storage.tables import api_keys, attachments, offerers, sirens
from shared.eventstore import sql


def claim_siren(connection: sa.Connection, siren: str, offerer: int) -> int:
    """The number of the structure that has this SIREN: ``offerer`` if the SIREN is new."""
    sql.insert_ignore(connection, sirens, [{"siren": siren, "offerer_id": offerer}])
    known: int = connection.execute(sa.select(sirens.c.offerer_id).where(sirens.c.siren == siren)).scalar_one()
    return known


def by_number(connection: sa.Connection, number: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(offerers).where(offerers.c.offerer_id == number)).first()


def by_status(connection: sa.Connection, status: str, after: int, limit: int) -> list[sa.Row[Any]]:
    """In the order of their numbers, from just after one on."""
    table = offerers.c
    query = sa.select(offerers).where(table.status == status, table.offerer_id > after)
    return list(connection.execute(query.order_by(table.offerer_id).limit(limit)))


def of_account(connection: sa.Connection, account: int) -> list[sa.Row[Any]]:
    """The structures that an account acts for, or has requested to act for, in the order of their numbers."""
    query = (
        sa.select(offerers, attachments.c.status.label("attachment"))
        .join(attachments, attachments.c.offerer_id == offerers.c.offerer_id)
        .where(attachments.c.account_id == account, attachments.c.status.in_(("pending", "approved")))
        .order_by(offerers.c.offerer_id)
    )
    return list(connection.execute(query))


def accounts_of(connection: sa.Connection, number: int) -> list[int]:
    """The accounts that act for a structure."""
    table = attachments.c
    query = sa.select(table.account_id).where(table.offerer_id == number, table.status == "approved")
    return list(connection.execute(query.order_by(table.account_id)).scalars())


def first_accounts(connection: sa.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """Structure → the first account attached to it."""
    table = attachments.c
    query = sa.select(table.offerer_id, sa.func.min(table.account_id)).where(
        sql.among(table.offerer_id, numbers), table.status == "approved"
    )
    return dict(connection.execute(query.group_by(table.offerer_id)).tuples().all())


def attachments_by_status(connection: sa.Connection, status: str, after: int, limit: int) -> list[sa.Row[Any]]:
    """Attachments with ``siren`` and ``name`` of their structures, in the order of their numbers."""
    table = attachments.c
    query = (
        sa.select(attachments, offerers.c.siren, offerers.c.name)
        .join(offerers, offerers.c.offerer_id == table.offerer_id)
        .where(table.status == status, table.attachment_id > after)
    )
    return list(connection.execute(query.order_by(table.attachment_id).limit(limit)))


def of_attachment(connection: sa.Connection, number: int) -> int | None:
    query = sa.select(attachments.c.offerer_id).where(attachments.c.attachment_id == number)
    return connection.execute(query).scalar()


def api_keys_by_prefix(connection: sa.Connection, prefixes: Sequence[str]) -> dict[str, sa.Row[Any]]:
    """Only digests of whole keys are stored."""
    query = sa.select(api_keys).where(sql.among(api_keys.c.prefix, prefixes))
    return {row.prefix: row for row in connection.execute(query)}


def api_keys_of(connection: sa.Connection, number: int) -> list[sa.Row[Any]]:
    """Oldest first."""
    query = sa.select(api_keys).where(api_keys.c.offerer_id == number)
    return list(connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.prefix)))
