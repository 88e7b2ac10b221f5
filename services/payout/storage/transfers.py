"""Transfers, and the bank's answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.payout.domain.records import Transfer
from services.payout.storage.lines import total
from services.payout.storage.tables import transfers
from shared.eventstore import sql
from shared.kernel.money import Cents


def of_batch(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    query = sa.select(transfers).where(transfers.c.batch_id == batch_id)
    return connection.execute(query.order_by(transfers.c.end_to_end_id)).all()


def of_all_batches(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    return connection.execute(sa.select(transfers).order_by(transfers.c.end_to_end_id)).all()


def records(connection: sa.Connection, batch_id: int) -> list[Transfer]:
    """The transfers of a batch, for its file."""
    return [
        Transfer(
            end_to_end_id=row.end_to_end_id,
            amount=Cents(row.amount_cents),
            iban=row.iban,
            bic=row.bic,
            holder=row.holder,
            siren=row.siren,
            remittance=row.remittance,
        )
        for row in of_batch(connection, batch_id)
    ]


def statuses(connection: sa.Connection, batch_ids: Iterable[int]) -> dict[int, set[str]]:
    """Batch → the statuses of its transfers; a batch that transfers nothing is absent."""
    key = (transfers.c.batch_id, transfers.c.status)
    query = sa.select(*key).where(sql.among(transfers.c.batch_id, list(batch_ids))).distinct()
    found: dict[int, set[str]] = {}
    for batch_id, status in connection.execute(query):
        found.setdefault(batch_id, set()).add(status)
    return found


def total_of_batch(connection: sa.Connection, batch_id: int) -> Cents:
    return total(connection, transfers.c.amount_cents, transfers.c.batch_id == batch_id)


def total_pending(connection: sa.Connection) -> Cents:
    """The sum of the transfers for which the bank has not answered."""
    return total(connection, transfers.c.amount_cents, transfers.c.status == "pending")
