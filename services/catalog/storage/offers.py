"""Offers as their structures and staff see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.catalog.storage.stocks import with_availability
from services.catalog.storage.tables import offers, sold_out_stocks, stocks
from shared.eventstore import sql


def by_number(connection: sa.Connection, offer_id: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(offers).where(offers.c.offer_id == offer_id)).one_or_none()


def of_venue(connection: sa.Connection, venue_id: int, before: int | None, limit: int) -> Sequence[sa.Row[Any]]:
    """A venue's offers, newest first, those before an offer."""
    query = sa.select(offers).where(offers.c.venue_id == venue_id)
    if before is not None:
        query = query.where(offers.c.offer_id < before)
    return connection.execute(query.order_by(offers.c.offer_id.desc()).limit(limit)).all()


def in_review(connection: sa.Connection, after: int, limit: int) -> Sequence[sa.Row[Any]]:
    """The offers that staff review, oldest first, those after an offer."""
    query = sa.select(offers).where(offers.c.moderation == "pending", offers.c.offer_id > after)
    return connection.execute(query.order_by(offers.c.offer_id).limit(limit)).all()


def count_active(connection: sa.Connection, venue_ids: Iterable[int], now: datetime) -> dict[int, int]:
    """How many offers of each venue can be booked now."""
    open_stock = (
        with_availability()
        .with_only_columns(sa.literal(1))
        .where(
            stocks.c.offer_id == offers.c.offer_id,
            ~stocks.c.is_withdrawn,
            sold_out_stocks.c.stock_id.is_(None),
            sa.func.coalesce(stocks.c.quantity, 1) > 0,
            sa.or_(stocks.c.booking_limit_at.is_(None), stocks.c.booking_limit_at > now),
        )
        .correlate(offers)
    )
    query = (
        sa.select(offers.c.venue_id, sa.func.count().label("active"))
        .where(sql.among(offers.c.venue_id, venue_ids), offers.c.is_public, sa.exists(open_stock))
        .group_by(offers.c.venue_id)
    )
    return {row.venue_id: row.active for row in connection.execute(query)}
