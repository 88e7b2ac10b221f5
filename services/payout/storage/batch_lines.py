"""The lines of batches, one by one and summed up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.payout.storage.lines import sum_of
from services.payout.storage.tables import batch_lines, lines


def rows(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    """The present lines, with the account on which this batch paid them (``paid_iban, paid_bic``) and its
    ``counted_from``."""
    paid_on = batch_lines.c.iban.label("paid_iban"), batch_lines.c.bic.label("paid_bic")
    query = (
        sa.select(lines, *paid_on, batch_lines.c.counted_from)
        .join(batch_lines, batch_lines.c.line_id == lines.c.line_id)
        .where(batch_lines.c.batch_id == batch_id)
    )
    return connection.execute(query.order_by(lines.c.line_id)).all()


def by_account(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    """``iban, bic, lines, reimbursed`` of the lines that have an account."""
    query = (
        sa.select(
            batch_lines.c.iban,
            batch_lines.c.bic,
            sa.func.count().label("lines"),
            sum_of(lines.c.reimbursed_cents, "reimbursed"),
        )
        .join(lines, lines.c.line_id == batch_lines.c.line_id)
        .where(batch_lines.c.batch_id == batch_id, batch_lines.c.iban.is_not(None))
    )
    return connection.execute(query.group_by(batch_lines.c.iban, batch_lines.c.bic)).all()


def by_venue(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    """``venue_id, iban, bic, lines, reimbursed, contribution`` of all lines."""
    key = (lines.c.venue_id, batch_lines.c.iban, batch_lines.c.bic)
    query = (
        sa.select(
            *key,
            sa.func.count().label("lines"),
            sum_of(lines.c.reimbursed_cents, "reimbursed"),
            sum_of(lines.c.contribution_cents, "contribution"),
        )
        .join(lines, lines.c.line_id == batch_lines.c.line_id)
        .where(batch_lines.c.batch_id == batch_id)
    )
    return connection.execute(query.group_by(*key)).all()


def sums(connection: sa.Connection, batch_id: int) -> sa.Row[Any]:
    """``lines, reimbursed, contribution`` of all lines."""
    query = sa.select(
        sa.func.count().label("lines"),
        sum_of(lines.c.reimbursed_cents, "reimbursed"),
        sum_of(lines.c.contribution_cents, "contribution"),
    ).join(batch_lines, batch_lines.c.line_id == lines.c.line_id)
    return connection.execute(query.where(batch_lines.c.batch_id == batch_id)).one()


def counted_from(connection: sa.Connection, batch_id: int) -> dict[date, int]:
    """Day → how many lines have their payment delay counted from it."""
    query = sa.select(batch_lines.c.counted_from, sa.func.count()).where(
        batch_lines.c.batch_id == batch_id, batch_lines.c.counted_from.is_not(None)
    )
    return dict(connection.execute(query.group_by(batch_lines.c.counted_from)).tuples().all())


def bookings_of_transfer(connection: sa.Connection, end_to_end_id: str, limit: int) -> Sequence[int]:
    query = sa.select(lines.c.booking_id).where(lines.c.end_to_end_id == end_to_end_id).order_by(lines.c.booking_id)
    return connection.execute(query.limit(limit)).scalars().all()
