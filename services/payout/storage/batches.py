"""Batches, with their venues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.payout.domain.records import Batch, Debtor, Totals, VenuePaid
from services.payout.storage.tables import batch_venues, batches
from shared.eventstore import sql
from shared.kernel.money import Cents

TOTALS_COLUMNS = {
    "lines": "lines",
    "transfers": "transfers",
    "total": "total_cents",
    "contribution": "contribution_cents",
    "transferred": "transferred_cents",
    "carried": "carried_cents",
    "without_bank_details_lines": "without_bank_details_lines",
    "without_bank_details_total": "without_bank_details_cents",
}
"""Field of ``Totals`` → column of ``batches``."""

VENUE_COLUMNS = tuple(field.name for field in fields(VenuePaid) if field.name not in ("iban", "bic", "total"))
"""The columns of ``batch_venues`` that have the name and the values of a field of ``VenuePaid``."""


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


def venues_paid(connection: sa.Connection, batch_id: int) -> list[VenuePaid]:
    query = sa.select(batch_venues).where(batch_venues.c.batch_id == batch_id)
    ordered = query.order_by(batch_venues.c.venue_id, batch_venues.c.iban, batch_venues.c.bic)
    return [
        VenuePaid(
            **{name: getattr(row, name) for name in VENUE_COLUMNS},
            iban=row.iban or None,
            bic=row.bic or None,
            total=Cents(row.total_cents),
        )
        for row in connection.execute(ordered)
    ]


def totals(row: Any) -> Totals:
    """The figures of a closed batch."""
    return Totals(**{name: getattr(row, column) for name, column in TOTALS_COLUMNS.items()})


def record(row: Any) -> Batch:
    """A closed batch, for its files."""
    debtor = Debtor(row.debtor_name, row.debtor_iban, row.debtor_bic)
    return Batch(row.batch_id, row.closed_at, row.execution_date, totals(row), debtor, row.form)
