"""Batches, their transfers, and what accounts carry forward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.payout.domain.batches import Totals
from services.payout.domain.records import Batch, Debtor, Transfer, VenuePaid
from services.payout.storage.tables import batch_accounts, batch_venues, batches, carried, transfers
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
    """Batches that opened and are not closed: a crash came between, or their close is under way."""
    query = sa.select(batches.c.batch_id).where(batches.c.status == "closing").order_by(batches.c.batch_id)
    return connection.execute(query).scalars().all()


def lock_opening(connection: sa.Connection) -> None:
    """Batches are opened one at a time: takes an advisory lock, to the end of the transaction."""
    sql.lock(connection, "payout.open-batch")


def newest_first(connection: sa.Connection, before: int | None, limit: int) -> Sequence[sa.Row[Any]]:
    query = sa.select(batches).where(batches.c.status == "closed")
    if before is not None:
        query = query.where(batches.c.batch_id < before)
    return connection.execute(query.order_by(batches.c.batch_id.desc()).limit(limit)).all()


def closed(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    query = sa.select(batches).where(batches.c.status == "closed").order_by(batches.c.batch_id)
    return connection.execute(query).all()


def transfer_statuses(connection: sa.Connection, batch_ids: Iterable[int]) -> dict[int, set[str]]:
    """The statuses of each batch's transfers; none of a batch that transfers nothing."""
    query = (
        sa.select(transfers.c.batch_id, transfers.c.status)
        .where(sql.among(transfers.c.batch_id, list(batch_ids)))
        .distinct()
    )
    found: dict[int, set[str]] = {}
    for batch_id, status in connection.execute(query):
        found.setdefault(batch_id, set()).add(status)
    return found


def transfer_rows(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    query = sa.select(transfers).where(transfers.c.batch_id == batch_id)
    return connection.execute(query.order_by(transfers.c.end_to_end_id)).all()


def all_transfers(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    return connection.execute(sa.select(transfers).order_by(transfers.c.end_to_end_id)).all()


def transferred(connection: sa.Connection, batch_id: int) -> Cents:
    """What the transfers of a batch amount to."""
    return _total(connection, transfers.c.amount_cents, transfers.c.batch_id == batch_id)


def pending_total(connection: sa.Connection) -> Cents:
    """What the transfers amount to for which the bank has not answered."""
    return _total(connection, transfers.c.amount_cents, transfers.c.status == "pending")


def carried_on(connection: sa.Connection, batch_id: int) -> Cents:
    """What a batch adds to the amounts that its accounts carry forward."""
    added = batch_accounts.c.carried_cents - batch_accounts.c.brought_forward_cents
    return _total(connection, added, batch_accounts.c.batch_id == batch_id)


def carried_total(connection: sa.Connection) -> Cents:
    """What all accounts carry forward."""
    return _total(connection, carried.c.carried_cents)


def _total(connection: sa.Connection, amount: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> Cents:
    return Cents(int(connection.execute(sa.select(sa.func.sum(amount)).where(*where)).scalar() or 0))


def carried_by(connection: sa.Connection, ibans: Iterable[str] | None = None) -> dict[tuple[str, str], Cents]:
    """(IBAN, BIC) → what it carries forward: 0 or less. Of some IBANs, or of all."""
    query = sa.select(carried).where(carried.c.carried_cents != 0)
    if ibans is not None:
        query = query.where(sql.among(carried.c.iban, sorted(set(ibans))))
    return {(row.iban, row.bic): Cents(row.carried_cents) for row in connection.execute(query)}


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
    """A closed batch as its files are written from it."""
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


def transfer_records(connection: sa.Connection, batch_id: int) -> list[Transfer]:
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
        for row in transfer_rows(connection, batch_id)
    ]


def number(batch_id: int) -> str:
    return f"VIR{batch_id}"
