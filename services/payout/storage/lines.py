"""Lines: those that a close takes in, those whose reimbursement is to be told, those that a cultural actor reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.payout.domain.batches import AccountName
from services.payout.storage.bank_details import is_payable
from services.payout.storage.tables import (
    MAY_ENTER,
    batch_lines,
    batches,
    carried,
    establishment_years,
    lines,
    moved_events,
    venues,
)
from shared.eventstore import sql
from shared.eventstore.sql import Instant
from shared.kernel.money import Cents

_PAGE = 2000


def begins_at() -> sa.ColumnElement[datetime | None]:
    """When a line's event starts; None without one.

    A line knows the start that its event had when it was validated; the event may have been moved since.
    """
    moved = sa.select(moved_events.c.begins_at).where(moved_events.c.stock_id == lines.c.stock_id).scalar_subquery()
    return sa.func.coalesce(moved, lines.c.begins_at, type_=Instant)


def due(cutoff: datetime, last_line_id: int | None = None) -> sa.ColumnElement[bool]:
    """Lines that the batch of a cut-off takes in, if they can be paid.

    What was used before the cut-off and begins before it (decision 4), corrections, and what the bank rejected.
    """
    start = begins_at()
    before = (lines.c.used_at < cutoff) & (start.is_(None) | (start < cutoff))
    known = sa.true() if last_line_id is None else lines.c.line_id <= last_line_id
    return sa.and_(sa.text(f"lines.{MAY_ENTER}"), before, known)


def can_enter() -> sa.ColumnElement[bool]:
    """A line of 0 euros needs no bank details."""
    return (lines.c.reimbursed_cents == 0) | is_payable(lines)


def next_to_enter(connection: sa.Connection, cutoff: datetime, last_line_id: int, limit: int) -> Sequence[int]:
    query = (
        sa.select(lines.c.line_id)
        .where(due(cutoff, last_line_id), can_enter())
        .order_by(lines.c.establishment, lines.c.year, lines.c.used_at, lines.c.booking_id, lines.c.line_id)
    )
    return connection.execute(query.limit(limit)).scalars().all()


def keys_of(connection: sa.Connection, line_ids: Iterable[int]) -> list[tuple[str, int]]:
    """The establishments' years that lines belong to."""
    query = sa.select(lines.c.establishment, lines.c.year).distinct()
    return list(connection.execute(query.where(_among(line_ids))).tuples())


def entering(connection: sa.Connection, cutoff: datetime, line_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    """Those of the lines that may still enter, in order, each with when its event ``starts``."""
    query = sa.select(lines, begins_at().label("starts")).where(_among(line_ids), due(cutoff), can_enter())
    return connection.execute(query.order_by(lines.c.used_at, lines.c.booking_id, lines.c.line_id)).all()


def due_by_venue(connection: sa.Connection, cutoff: datetime, last_line_id: int | None = None) -> Sequence[sa.Row[Any]]:
    """``venue_id, offerer_id, is_zero, lines, reimbursed, contribution`` of what is due."""
    is_zero = (lines.c.reimbursed_cents == 0).label("is_zero")
    query = sa.select(
        lines.c.venue_id,
        lines.c.offerer_id,
        is_zero,
        sa.func.count().label("lines"),
        _sum(lines.c.reimbursed_cents, "reimbursed"),
        _sum(lines.c.contribution_cents, "contribution"),
    ).where(due(cutoff, last_line_id))
    return connection.execute(query.group_by(lines.c.venue_id, lines.c.offerer_id, is_zero)).all()


def carried_by_venue(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """``iban, bic, venue_id, offerer_id, reimbursed`` of the lines that make up what accounts carry forward."""
    key = (lines.c.iban, lines.c.bic, lines.c.venue_id, lines.c.offerer_id)
    owing = (carried.c.iban == lines.c.iban) & (carried.c.bic == lines.c.bic)
    query = sa.select(*key, _sum(lines.c.reimbursed_cents, "reimbursed")).join(carried, owing)
    query = query.where(carried.c.carried_cents != 0, lines.c.status == "carried-forward")
    return connection.execute(query.group_by(*key).order_by(*key)).all()


def counted_from(connection: sa.Connection, batch_id: int) -> dict[date, int]:
    """How many of a batch's lines have their delay counted from each day."""
    query = sa.select(batch_lines.c.counted_from, sa.func.count()).where(
        batch_lines.c.batch_id == batch_id, batch_lines.c.counted_from.is_not(None)
    )
    return dict(connection.execute(query.group_by(batch_lines.c.counted_from)).tuples().all())


def next_to_announce(connection: sa.Connection, limit: int) -> Sequence[int]:
    query = sa.select(lines.c.line_id).where(lines.c.settling).order_by(lines.c.line_id)
    return connection.execute(query.limit(limit)).scalars().all()


def to_announce(connection: sa.Connection, line_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    """Those of the lines whose reimbursement is still to be announced."""
    query = sa.select(lines).where(_among(line_ids), lines.c.settling)
    return connection.execute(query.order_by(lines.c.line_id)).all()


def count_to_announce(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).where(lines.c.settling)).scalar_one()


def last_line_id(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(lines.c.line_id))).scalar() or 0)


def of_batch_by_account(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    """``iban, bic, lines, reimbursed`` of a batch's lines that have an account."""
    query = (
        sa.select(
            batch_lines.c.iban,
            batch_lines.c.bic,
            sa.func.count().label("lines"),
            _sum(lines.c.reimbursed_cents, "reimbursed"),
        )
        .join(lines, lines.c.line_id == batch_lines.c.line_id)
        .where(batch_lines.c.batch_id == batch_id, batch_lines.c.iban.is_not(None))
    )
    return connection.execute(query.group_by(batch_lines.c.iban, batch_lines.c.bic)).all()


def of_batch_by_venue(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    """``venue_id, iban, bic, lines, reimbursed, contribution`` of all of a batch's lines."""
    key = (lines.c.venue_id, batch_lines.c.iban, batch_lines.c.bic)
    query = (
        sa.select(
            *key,
            sa.func.count().label("lines"),
            _sum(lines.c.reimbursed_cents, "reimbursed"),
            _sum(lines.c.contribution_cents, "contribution"),
        )
        .join(lines, lines.c.line_id == batch_lines.c.line_id)
        .where(batch_lines.c.batch_id == batch_id)
    )
    return connection.execute(query.group_by(*key)).all()


def of_batch(connection: sa.Connection, batch_id: int) -> Sequence[sa.Row[Any]]:
    """Lines as they are, with the account that this batch pays them on and its ``counted_from``: ``paid_iban,
    paid_bic``."""
    paid_on = batch_lines.c.iban.label("paid_iban"), batch_lines.c.bic.label("paid_bic")
    query = (
        sa.select(lines, *paid_on, batch_lines.c.counted_from)
        .join(batch_lines, batch_lines.c.line_id == lines.c.line_id)
        .where(batch_lines.c.batch_id == batch_id)
    )
    return connection.execute(query.order_by(lines.c.line_id)).all()


def of_offerers(
    connection: sa.Connection,
    offerer_ids: Iterable[int],
    *,
    used_from: datetime | None,
    used_until: datetime | None,
    venue_id: int | None,
    before: int | None,
    limit: int,
) -> Sequence[sa.Row[Any]]:
    """Newest first, each with its batch's ``cutoff``."""
    asked = [
        *([lines.c.used_at >= used_from] if used_from is not None else []),
        *([lines.c.used_at < used_until] if used_until is not None else []),
        *([lines.c.venue_id == venue_id] if venue_id is not None else []),
        *([lines.c.line_id < before] if before is not None else []),
    ]

    def newest(offerer_id: int) -> Sequence[sa.Row[Any]]:
        # one structure at a time: its newest lines are read off an index, those of several would all be sorted
        query = sa.select(lines, batches.c.cutoff).outerjoin(batches, batches.c.batch_id == lines.c.batch_id)
        query = query.where(lines.c.offerer_id == offerer_id, *asked)
        return connection.execute(query.order_by(lines.c.line_id.desc()).limit(limit)).all()

    found = (newest(offerer_id) for offerer_id in sorted(offerer_ids))
    return sorted((row for rows in found for row in rows), key=lambda row: -row.line_id)[:limit]


def open_revenues(connection: sa.Connection, rows: Iterable[Any]) -> dict[int, Cents]:
    """Of those of the lines that are in no batch: their year's revenue with each. What was learnt after their pricing,
    and comes before them, is in it.

    Taken from the year's end: of the newest lines, which are looked at most, only those after them are read.
    """
    wanted = [row for row in rows if row.provisional]
    if not wanted:
        return {}
    order = (lines.c.used_at.desc(), lines.c.booking_id.desc(), lines.c.line_id.desc())
    from_it_on = sa.func.sum(lines.c.entering_cents).over(partition_by=lines.c.year_id, order_by=order)
    revenue = establishment_years.c.revenue_cents - from_it_on + lines.c.entering_cents
    running = (
        sa.select(lines.c.line_id, revenue.label("revenue"))
        .join(establishment_years, establishment_years.c.year_id == lines.c.year_id)
        .where(sql.among(lines.c.year_id, sorted({row.year_id for row in wanted})), lines.c.provisional)
        .where(lines.c.used_at >= min(row.used_at for row in wanted))
        .subquery()
    )
    query = sa.select(running).where(sql.among(running.c.line_id, [row.line_id for row in wanted]))
    return {row.line_id: Cents(int(row.revenue)) for row in connection.execute(query)}


def in_order(connection: sa.Connection) -> Iterable[sa.Row[Any]]:
    """Every line, in the order of their numbers; they need not fit into memory."""
    return connection.execute(sa.select(lines).order_by(lines.c.line_id)).yield_per(_PAGE)


def owners(connection: sa.Connection) -> dict[int, int]:
    """Venue → structure, of every venue that has a line."""
    return dict(connection.execute(sa.select(lines.c.venue_id, lines.c.offerer_id).distinct()).tuples().all())


def sums_of_batch(connection: sa.Connection, batch_id: int) -> sa.Row[Any]:
    """``lines, reimbursed, contribution`` of all lines of a batch."""
    query = sa.select(
        sa.func.count().label("lines"),
        _sum(lines.c.reimbursed_cents, "reimbursed"),
        _sum(lines.c.contribution_cents, "contribution"),
    ).join(batch_lines, batch_lines.c.line_id == lines.c.line_id)
    return connection.execute(query.where(batch_lines.c.batch_id == batch_id)).one()


def carried_by_account(connection: sa.Connection) -> dict[AccountName, Cents]:
    """What the lines that are carried forward add up to, by (IBAN, BIC)."""
    key = (lines.c.iban, lines.c.bic)
    query = sa.select(*key, _sum(lines.c.reimbursed_cents, "reimbursed")).where(lines.c.status == "carried-forward")
    return {(row.iban, row.bic): Cents(row.reimbursed) for row in connection.execute(query.group_by(*key))}


def bookings_of_transfer(connection: sa.Connection, end_to_end_id: str, limit: int) -> Sequence[int]:
    query = sa.select(lines.c.booking_id).where(lines.c.end_to_end_id == end_to_end_id).order_by(lines.c.booking_id)
    return connection.execute(query.limit(limit)).scalars().all()


def years_of_offerers(connection: sa.Connection, offerer_ids: Iterable[int]) -> Sequence[UUID]:
    """The streams of the years in which structures have, or had, lines."""
    owned = sql.among(venues.c.offerer_id, sorted(offerer_ids))
    establishments = sa.select(venues.c.establishment).where(owned)
    with_lines = sa.select(lines.c.year_id).where(sql.among(lines.c.offerer_id, sorted(offerer_ids)))
    named = sa.select(establishment_years.c.year_id).where(establishment_years.c.establishment.in_(establishments))
    return connection.execute(sa.union(with_lines, named)).scalars().all()


def _among(line_ids: Iterable[int]) -> sa.ColumnElement[bool]:
    return sql.among(lines.c.line_id, list(line_ids))


def _sum(column: sa.ColumnElement[int], name: str) -> sa.Label[int]:
    # PostgreSQL gives the sum of bigints as a decimal
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger).label(name)
