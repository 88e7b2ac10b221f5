"""The catalogue's own tables and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.eventstore import sql
from shared.eventstore.sql import BigNumber, Instant, Json, partial_index

metadata = sa.MetaData()

# What identity said: structures, and who may act for them. Written by reactions, rebuilt from identity's log.
offerers = sa.Table(
    "offerers",
    metadata,
    sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("siren", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("postal_code", sa.Text),
    sa.Column("status", sa.Text, nullable=False),  # pending, validated, rejected, closed
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
)

suspended_accounts = sa.Table(
    "suspended_accounts",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True, autoincrement=False),
)

# What booking said: which stocks have no place left.
sold_out_stocks = sa.Table(
    "sold_out_stocks",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
)

# The guard of "one venue per SIRET": decided by the insert itself.
sirets = sa.Table(
    "sirets",
    metadata,
    sa.Column("siret", sa.Text, primary_key=True),
    sa.Column("venue_id", BigNumber, nullable=False),
)

venues = sa.Table(
    "venues",
    metadata,
    sa.Column("venue_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offerer_id", BigNumber, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("facts", Json, nullable=False),
    sa.Column("version", BigNumber, nullable=False),
    sa.Index("venues_of_offerer", "offerer_id", "venue_id"),
)

offers = sa.Table(
    "offers",
    metadata,
    sa.Column("offer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("venue_id", BigNumber, nullable=False),
    sa.Column("offerer_id", BigNumber, nullable=False),
    sa.Column("moderation", sa.Text, nullable=False),
    sa.Column("is_public", sa.Boolean, nullable=False),
    sa.Column("facts", Json, nullable=False),
    sa.Column("review", Json, nullable=False),  # why and since when staff look at it; {} when they do not
    sa.Column("version", BigNumber, nullable=False),
    sa.Index("offers_of_venue", "venue_id", "offer_id"),
    partial_index(
        "offers_in_review",
        "offer_id",
        where="moderation = 'pending'",
    ),
)

stocks = sa.Table(
    "stocks",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("offer_id", BigNumber, nullable=False),
    sa.Column("venue_id", BigNumber, nullable=False),
    sa.Column("offerer_id", BigNumber, nullable=False),
    sa.Column("price_cents", BigNumber, nullable=False),
    sa.Column("quantity", BigNumber),
    sa.Column("beginning_at", Instant),
    sa.Column("booking_limit_at", Instant),
    sa.Column("code_count", sa.Integer, nullable=False),
    sa.Column("is_withdrawn", sa.Boolean, nullable=False),
    sa.Column("awaits_start", sa.Boolean, nullable=False),  # its date has not been said to have come
    sa.Column("asks_quantity", sa.Boolean, nullable=False),  # booking has not answered yet
    sa.Column("version", BigNumber, nullable=False),
    sa.Index("stocks_of_offer", "offer_id", "stock_id"),
    sa.Index("stocks_of_venue", "venue_id"),
    partial_index(
        "stocks_to_start",
        "beginning_at",
        "stock_id",
        where="awaits_start",
    ),
    partial_index(
        "stocks_asking",
        "stock_id",
        where="asks_quantity",
    ),
)


@dataclass(frozen=True, slots=True)
class Offerer:
    offerer_id: int
    siren: str
    status: str


def offerer(connection: sa.Connection, offerer_id: int) -> Offerer | None:
    row = connection.execute(
        sa.select(offerers.c.offerer_id, offerers.c.siren, offerers.c.status).where(offerers.c.offerer_id == offerer_id)
    ).one_or_none()
    return Offerer(*row) if row else None


def offerer_statuses(connection: sa.Connection, offerer_ids: Iterable[int]) -> dict[int, str]:
    wanted = sql.among(offerers.c.offerer_id, offerer_ids)
    rows = connection.execute(sa.select(offerers.c.offerer_id, offerers.c.status).where(wanted))
    return {row.offerer_id: row.status for row in rows}


def offerers_of(connection: sa.Connection, account_id: int) -> set[int]:
    """The structures that an account may act for: none while it is suspended, though its token lives on for minutes."""
    suspended = sa.select(suspended_accounts.c.account_id).where(suspended_accounts.c.account_id == account_id)
    query = sa.select(attachments.c.offerer_id).where(attachments.c.account_id == account_id, ~suspended.exists())
    return set(connection.execute(query).scalars())


def set_offerer_status(connection: sa.Connection, offerer_id: int, status: str) -> None:
    connection.execute(sa.update(offerers).where(offerers.c.offerer_id == offerer_id).values(status=status))


def take_siret(connection: sa.Connection, siret: str, venue_id: int) -> bool:
    """False when another venue has it."""
    row = {"siret": siret, "venue_id": venue_id}
    return bool(sql.insert_new(connection, sirets, [row], "venue_id"))


def venue_row(connection: sa.Connection, venue_id: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(venues).where(venues.c.venue_id == venue_id)).one_or_none()


def venue_rows(connection: sa.Connection, offerer_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    return connection.execute(
        sa.select(venues).where(sql.among(venues.c.offerer_id, offerer_ids)).order_by(venues.c.venue_id)
    ).all()


def has_digital_venue(connection: sa.Connection, offerer_id: int) -> bool:
    query = sa.select(venues.c.venue_id).where(venues.c.offerer_id == offerer_id, venues.c.kind == "digital")
    return connection.execute(query.limit(1)).first() is not None


def offer_row(connection: sa.Connection, offer_id: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(offers).where(offers.c.offer_id == offer_id)).one_or_none()


def offer_rows(connection: sa.Connection, venue_id: int, before: int | None, limit: int) -> Sequence[sa.Row[Any]]:
    """A venue's offers, the newest first, from just before an offer on."""
    query = sa.select(offers).where(offers.c.venue_id == venue_id)
    if before is not None:
        query = query.where(offers.c.offer_id < before)
    return connection.execute(query.order_by(offers.c.offer_id.desc()).limit(limit)).all()


def offers_in_review(connection: sa.Connection, after: int, limit: int) -> Sequence[sa.Row[Any]]:
    """What staff look at, the oldest first, from just after an offer on."""
    query = sa.select(offers).where(offers.c.moderation == "pending", offers.c.offer_id > after)
    return connection.execute(query.order_by(offers.c.offer_id).limit(limit)).all()


def stock_rows(connection: sa.Connection, offer_ids: Iterable[int]) -> Sequence[sa.Row[Any]]:
    """The stocks of some offers, each with ``is_sold_out``."""
    query = _stocks_with_availability().where(sql.among(stocks.c.offer_id, offer_ids))
    return connection.execute(query.order_by(stocks.c.offer_id, stocks.c.stock_id)).all()


def stock_row(connection: sa.Connection, stock_id: int) -> sa.Row[Any] | None:
    return connection.execute(_stocks_with_availability().where(stocks.c.stock_id == stock_id)).one_or_none()


def _stocks_with_availability() -> sa.Select[Any]:
    is_sold_out = sa.or_(sold_out_stocks.c.stock_id.is_not(None), sa.func.coalesce(stocks.c.quantity, 1) == 0)
    joined = stocks.outerjoin(sold_out_stocks, sold_out_stocks.c.stock_id == stocks.c.stock_id)
    return sa.select(stocks, is_sold_out.label("is_sold_out")).select_from(joined)


def active_offers(connection: sa.Connection, venue_ids: Iterable[int], now: datetime) -> dict[int, int]:
    """How many offers of each venue can be booked now."""
    open_stock = (
        _stocks_with_availability()
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


def next_start(connection: sa.Connection) -> datetime | None:
    """The earliest start that has not been said to have come."""
    query = sa.select(stocks.c.beginning_at).where(stocks.c.awaits_start).order_by(stocks.c.beginning_at).limit(1)
    return connection.execute(query).scalar()


def due_starts(connection: sa.Connection, until: datetime, limit: int) -> list[int]:
    """Stocks whose start has come, in the order of their starts."""
    query = (
        sa.select(stocks.c.stock_id)
        .where(stocks.c.awaits_start, stocks.c.beginning_at <= until)
        .order_by(stocks.c.beginning_at, stocks.c.stock_id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def asking_stocks(connection: sa.Connection, limit: int) -> list[int]:
    """Stocks whose new quantity booking has not answered."""
    query = sa.select(stocks.c.stock_id).where(stocks.c.asks_quantity).order_by(stocks.c.stock_id).limit(limit)
    return list(connection.execute(query).scalars())


def count_asking(connection: sa.Connection) -> int:
    query = sa.select(sa.func.count()).select_from(stocks).where(stocks.c.asks_quantity)
    return connection.execute(query).scalar_one()
