"""Stocks, their starts, and their open quantity requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.catalog.storage.tables import sold_out_stocks, stocks
from shared.eventstore import sql


def by_number(connection: sa.Connection, stock_id: int) -> sa.Row[Any] | None:
    return connection.execute(with_availability().where(stocks.c.stock_id == stock_id)).one_or_none()


def of_offers(connection: sa.Connection, offer_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    """The stocks of some offers, each with ``is_sold_out``."""
    query = with_availability().where(sql.among(stocks.c.offer_id, offer_ids))
    return connection.execute(query.order_by(stocks.c.offer_id, stocks.c.stock_id)).all()


def with_availability() -> sa.Select[Any]:
    """Stocks, each with ``is_sold_out``."""
    is_sold_out = sa.or_(sold_out_stocks.c.stock_id.is_not(None), sa.func.coalesce(stocks.c.quantity, 1) == 0)
    joined = stocks.outerjoin(sold_out_stocks, sold_out_stocks.c.stock_id == stocks.c.stock_id)
    return sa.select(stocks, is_sold_out.label("is_sold_out")).select_from(joined)


def next_start(connection: sa.Connection) -> datetime | None:
    """The earliest start whose EventDateElapsed is still to come."""
    query = sa.select(stocks.c.beginning_at).where(stocks.c.awaits_start).order_by(stocks.c.beginning_at).limit(1)
    return connection.execute(query).scalar()


def due_starts(connection: sa.Connection, until: datetime, limit: int) -> list[int]:
    """The stocks whose start has come, by start."""
    query = (
        sa.select(stocks.c.stock_id)
        .where(stocks.c.awaits_start, stocks.c.beginning_at <= until)
        .order_by(stocks.c.beginning_at, stocks.c.stock_id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def with_open_request(connection: sa.Connection, limit: int) -> list[int]:
    """The stocks with a quantity request that booking has not answered."""
    query = sa.select(stocks.c.stock_id).where(stocks.c.asks_quantity).order_by(stocks.c.stock_id).limit(limit)
    return list(connection.execute(query).scalars())


def count_open_requests(connection: sa.Connection) -> int:
    query = sa.select(sa.func.count()).select_from(stocks).where(stocks.c.asks_quantity)
    return connection.execute(query).scalar_one()
