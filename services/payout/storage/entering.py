"""Lines that enter a batch: those due at its cut-off that an account can pay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.payout.storage.bank_details import is_payable
from services.payout.storage.lines import among, sum_of
from services.payout.storage.tables import MAY_ENTER, lines, moved_events
from shared.eventstore.sql import Instant


def begins_at() -> sa.ColumnElement[datetime | None]:
    """When a line's event starts: after its last rescheduling, else as recorded at the validation. NULL without one."""
    moved = sa.select(moved_events.c.begins_at).where(moved_events.c.stock_id == lines.c.stock_id).scalar_subquery()
    return sa.func.coalesce(moved, lines.c.begins_at, type_=Instant)


def due(cutoff: datetime, last_line_id: int | None = None) -> sa.ColumnElement[bool]:
    """Lines due at a cut-off: used before it, with events that start before it (decision 4).

    Corrections and lines of rejected transfers are among them; whether an account can pay them is another question.
    """
    start = begins_at()
    before = (lines.c.used_at < cutoff) & (start.is_(None) | (start < cutoff))
    numbered = sa.true() if last_line_id is None else lines.c.line_id <= last_line_id
    return sa.and_(sa.text(f"lines.{MAY_ENTER}"), before, numbered)


def payable() -> sa.ColumnElement[bool]:
    """Lines that an account can pay, and lines of 0 euros, which need none."""
    return (lines.c.reimbursed_cents == 0) | is_payable(lines)


def next_to_enter(connection: sa.Connection, cutoff: datetime, last_line_id: int, limit: int) -> Sequence[int]:
    """The numbers of the next lines that enter the batch, year by year."""
    query = (
        sa.select(lines.c.line_id)
        .where(due(cutoff, last_line_id), payable())
        .order_by(lines.c.establishment, lines.c.year, lines.c.used_at, lines.c.booking_id, lines.c.line_id)
    )
    return connection.execute(query.limit(limit)).scalars().all()


def entering(connection: sa.Connection, cutoff: datetime, line_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    """Those of the lines that may still enter, in order, with the start of their event as ``starts``.

    To be read once their years are locked: another transaction may have changed them.
    """
    query = sa.select(lines, begins_at().label("starts")).where(among(line_ids), due(cutoff), payable())
    return connection.execute(query.order_by(lines.c.used_at, lines.c.booking_id, lines.c.line_id)).all()


def last_line_id(connection: sa.Connection) -> int:
    """The greatest number of a line; 0 without lines."""
    return int(connection.execute(sa.select(sa.func.max(lines.c.line_id))).scalar() or 0)


def due_by_venue(connection: sa.Connection, cutoff: datetime, last_line_id: int | None = None) -> Sequence[sa.Row[Any]]:
    """``venue_id, offerer_id, is_zero, lines, reimbursed, contribution`` of the due lines."""
    is_zero = (lines.c.reimbursed_cents == 0).label("is_zero")
    query = sa.select(
        lines.c.venue_id,
        lines.c.offerer_id,
        is_zero,
        sa.func.count().label("lines"),
        sum_of(lines.c.reimbursed_cents, "reimbursed"),
        sum_of(lines.c.contribution_cents, "contribution"),
    ).where(due(cutoff, last_line_id))
    return connection.execute(query.group_by(lines.c.venue_id, lines.c.offerer_id, is_zero)).all()
