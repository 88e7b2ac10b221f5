"""Debts: the amounts that accounts carry forward, and the lines that make them up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.payout.domain.batches import AccountName
from services.payout.storage.lines import sum_of, total
from services.payout.storage.tables import batch_accounts, carried, lines
from shared.eventstore import sql
from shared.kernel.money import Cents


def by_account(connection: sa.Connection, ibans: Iterable[str] | None = None) -> dict[AccountName, Cents]:
    """Account → the amount that it carries forward (less than 0); of some IBANs, or of all."""
    query = sa.select(carried).where(carried.c.carried_cents != 0)
    if ibans is not None:
        query = query.where(sql.among(carried.c.iban, sorted(set(ibans))))
    return {(row.iban, row.bic): Cents(row.carried_cents) for row in connection.execute(query)}


def total_of_all(connection: sa.Connection) -> Cents:
    return total(connection, carried.c.carried_cents)


def added_by_batch(connection: sa.Connection, batch_id: int) -> Cents:
    """The change that a batch makes to the debts of its accounts."""
    added = batch_accounts.c.carried_cents - batch_accounts.c.brought_forward_cents
    return total(connection, added, batch_accounts.c.batch_id == batch_id)


def lines_by_account(connection: sa.Connection) -> dict[AccountName, Cents]:
    """Account → the sum of its lines that are carried forward."""
    key = (lines.c.iban, lines.c.bic)
    query = sa.select(*key, sum_of(lines.c.reimbursed_cents, "reimbursed")).where(lines.c.status == "carried-forward")
    return {(row.iban, row.bic): Cents(row.reimbursed) for row in connection.execute(query.group_by(*key))}


def lines_by_venue(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """``iban, bic, venue_id, offerer_id, reimbursed``: the part of each venue in the debts of accounts."""
    key = (lines.c.iban, lines.c.bic, lines.c.venue_id, lines.c.offerer_id)
    owing = (carried.c.iban == lines.c.iban) & (carried.c.bic == lines.c.bic)
    query = sa.select(*key, sum_of(lines.c.reimbursed_cents, "reimbursed")).join(carried, owing)
    query = query.where(carried.c.carried_cents != 0, lines.c.status == "carried-forward")
    return connection.execute(query.group_by(*key).order_by(*key)).all()
