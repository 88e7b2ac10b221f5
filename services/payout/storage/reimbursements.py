"""The lines of structures, for their actors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.payout.storage.tables import batches, establishment_years, lines, venues
from shared.eventstore import sql
from shared.kernel.money import Cents


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
    """The newest lines of structures, each with the ``cutoff`` of its batch."""
    filters = [
        *([lines.c.used_at >= used_from] if used_from is not None else []),
        *([lines.c.used_at < used_until] if used_until is not None else []),
        *([lines.c.venue_id == venue_id] if venue_id is not None else []),
        *([lines.c.line_id < before] if before is not None else []),
    ]

    def newest(offerer_id: int) -> Sequence[sa.Row[Any]]:
        # one query per structure reads its newest lines off an index; one for several would sort all their lines
        query = sa.select(lines, batches.c.cutoff).outerjoin(batches, batches.c.batch_id == lines.c.batch_id)
        query = query.where(lines.c.offerer_id == offerer_id, *filters)
        return connection.execute(query.order_by(lines.c.line_id.desc()).limit(limit)).all()

    found = (newest(offerer_id) for offerer_id in sorted(offerer_ids))
    return sorted((row for rows in found for row in rows), key=lambda row: -row.line_id)[:limit]


def open_revenues(connection: sa.Connection, rows: Iterable[Any]) -> dict[int, Cents]:
    """Line → its year's revenue with it, for those of the lines that are in no batch.

    It includes bookings learnt after the pricing. Computed backwards from the year's total, so that a page of the
    newest lines reads only the lines after them.
    """
    wanted = [row for row in rows if row.provisional]
    if not wanted:
        return {}
    order = (lines.c.used_at.desc(), lines.c.booking_id.desc(), lines.c.line_id.desc())
    from_line_on = sa.func.sum(lines.c.entering_cents).over(partition_by=lines.c.year_id, order_by=order)
    revenue = establishment_years.c.revenue_cents - from_line_on + lines.c.entering_cents
    running = (
        sa.select(lines.c.line_id, revenue.label("revenue"))
        .join(establishment_years, establishment_years.c.year_id == lines.c.year_id)
        .where(sql.among(lines.c.year_id, sorted({row.year_id for row in wanted})), lines.c.provisional)
        .where(lines.c.used_at >= min(row.used_at for row in wanted))
        .subquery()
    )
    query = sa.select(running).where(sql.among(running.c.line_id, [row.line_id for row in wanted]))
    return {row.line_id: Cents(int(row.revenue)) for row in connection.execute(query)}


def years_of_offerers(connection: sa.Connection, offerer_ids: Iterable[int]) -> Sequence[UUID]:
    """The streams of years in which structures have lines, or had some."""
    owned = sql.among(venues.c.offerer_id, sorted(offerer_ids))
    establishments = sa.select(venues.c.establishment).where(owned)
    with_lines = sa.select(lines.c.year_id).where(sql.among(lines.c.offerer_id, sorted(offerer_ids)))
    named = sa.select(establishment_years.c.year_id).where(establishment_years.c.establishment.in_(establishments))
    return connection.execute(sa.union(with_lines, named)).scalars().all()
