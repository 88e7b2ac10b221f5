"""Batches, with their venues and accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.payout.domain.batches import Totals
from services.payout.domain.records import Batch, Debtor, VenuePaid
from services.payout.storage.tables import batch_accounts, batch_venues, batches
from shared.eventstore import sql
from shared.kernel.money import Cents


def by_id(connection: sa.Connection, batch_id: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(batches).where(batches.c.batch_id == batch_id)).one_or_none()


def by_cutoff(connection: sa.Connection, cutoff: date) -> sa.Row[Any] | None:
    return connection.execute(sa.select(batches).where(batches.c.cutoff == cutoff)).one_or_none()


def locked(connection: sa.Connection, batch_id: int) -> sa.Row[Any]:
    return connection.execute(sa.select(batches).where(batches.c.batch_id == batch_id).with_for_update()).one()


def last_cutoff(connection: sa.Connection) -> date | None:
    return connection.execute(sa.select(sa.func.max(batches.c.cutoff))).scalar()


def closing(connection: sa.Connection) -> Sequence[int]:
    """Batches that are open and not closed: their close is under way, or a crash interrupted it."""
    query = sa.select(batches.c.batch_id).where(batches.c.status == "closing").order_by(batches.c.batch_id)
    return connection.execute(query).scalars().all()


def lock_opening(connection: sa.Connection) -> None:
    """Takes an advisory lock to the end of the transaction: one batch opens at a time."""
    sql.lock(connection, "payout.open-batch")


def newest_first(connection: sa.Connection, before: int | None, limit: int) -> Sequence[sa.Row[Any]]:
    query = sa.select(batches).where(batches.c.status == "closed")
    if before is not None:
        query = query.where(batches.c.batch_id < before)
    return connection.execute(query.order_by(batches.c.batch_id.desc()).limit(limit)).all()


def closed(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    query = sa.select(batches).where(batches.c.status == "closed").order_by(batches.c.batch_id)
    return connection.execute(query).all()


def accounts(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    query = sa.select(batch_accounts).where(batch_accounts.c.batch_id == batch_id)
    return connection.execute(query.order_by(batch_accounts.c.iban, batch_accounts.c.bic)).all()


def venues_paid(connection: sa.Connection, batch_id: int) -> list[VenuePaid]:
    query = sa.select(batch_venues).where(batch_venues.c.batch_id == batch_id)
    ordered = query.order_by(batch_venues.c.venue_id, batch_venues.c.iban, batch_venues.c.bic)
    return [
        VenuePaid(
            venue_id=row.venue_id,
            venue_name=row.venue_name,
            siret=row.siret,
            address=row.address,
            offerer_id=row.offerer_id,
            offerer_name=row.offerer_name,
            siren=row.siren,
            iban=row.iban or None,
            bic=row.bic or None,
            lines=row.lines,
            total=Cents(row.total_cents),
        )
        for row in connection.execute(ordered)
    ]


def totals(row: Any) -> Totals:
    """The figures of a closed batch."""
    return Totals(
        lines=row.lines,
        transfers=row.transfers,
        total=Cents(row.total_cents),
        contribution=Cents(row.contribution_cents),
        transferred=Cents(row.transferred_cents),
        carried=Cents(row.carried_cents),
        without_bank_details_lines=row.without_bank_details_lines,
        without_bank_details_total=Cents(row.without_bank_details_cents),
    )


def record(row: Any) -> Batch:
    """A closed batch, for its files."""
    return Batch(
        batch_id=row.batch_id,
        number=number(row.batch_id),
        label=row.label,
        cutoff=row.cutoff,
        closed_at=row.closed_at,
        execution_date=row.execution_date,
        lines=row.lines,
        transfers=row.transfers,
        total=Cents(row.total_cents),
        contribution=Cents(row.contribution_cents),
        transferred=Cents(row.transferred_cents),
        carried=Cents(row.carried_cents),
        debtor=Debtor(row.debtor_name, row.debtor_iban, row.debtor_bic),
        form=row.form,
    )


def number(batch_id: int) -> str:
    return f"VIR{batch_id}"
