"""The counters of venues."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.booking.domain.states import Status
from services.booking.storage.bookings import USED_OR_REIMBURSED
from services.booking.storage.tables import bookings, offers, stocks
from shared.eventstore import sql


def counts_of_venues(connection: sa.Connection, venue_ids: Collection[int], now: datetime) -> dict[int, Any]:
    """Places in ongoing and in validated bookings (domain.md §2.4)."""
    used = bookings.c.status.in_(USED_OR_REIMBURSED)
    final = sa.and_(bookings.c.cancellation_limit_at.is_not(None), bookings.c.cancellation_limit_at <= now)
    validated = sa.or_(used, final)
    query = (
        sa.select(
            bookings.c.venue_id,
            sa.func.coalesce(sa.func.sum(sa.case((validated, 0), else_=bookings.c.quantity)), 0).label("ongoing"),
            sa.func.coalesce(sa.func.sum(sa.case((validated, bookings.c.quantity), else_=0)), 0).label("validated"),
        )
        .where(sql.among(bookings.c.venue_id, sorted(venue_ids)), bookings.c.status != str(Status.CANCELLED))
        .group_by(bookings.c.venue_id)
    )
    return {row.venue_id: row for row in connection.execute(query)}


def sold_out_offers(connection: sa.Connection, venue_ids: Collection[int], now: datetime) -> dict[int, int]:
    """By venue: its published offers that have stocks before their limits, all of them without a place."""
    table = stocks.c
    in_time = sa.and_(
        sa.or_(table.booking_limit_at.is_(None), table.booking_limit_at > now),
        sa.or_(table.beginning_at.is_(None), table.beginning_at > now),
    )
    left = sa.case((table.quantity.is_(None), 1), else_=table.quantity - table.booked)
    sold_out = (
        sa.select(table.venue_id, table.offer_id)
        .join(offers, offers.c.offer_id == table.offer_id)
        .where(sql.among(table.venue_id, sorted(venue_ids)), in_time, sa.not_(table.is_withdrawn))
        .where(offers.c.is_published)
        .group_by(table.venue_id, table.offer_id)
        .having(sa.func.max(left) == 0)
        .subquery()
    )
    query = sa.select(sold_out.c.venue_id, sa.func.count()).group_by(sold_out.c.venue_id)
    return {row[0]: row[1] for row in connection.execute(query)}
