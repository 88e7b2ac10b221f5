"""The catalogue's own tables."""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore.sql import BigNumber, Instant, Json, partial_index
from shared.projections.facts import Facts

metadata = sa.MetaData()

# Structures and their people, from identity's messages.
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

# Stocks without a place left, from booking's messages.
sold_out_stocks = sa.Table(
    "sold_out_stocks",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
)

# Unique constraint: one venue per SIRET.
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
    sa.Column("facts", Facts("catalog", "VenueOpened"), nullable=False),
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
    sa.Column("facts", Facts("catalog", "OfferPublished"), nullable=False),
    sa.Column("review", Json, nullable=False),  # why and since when staff review it; {} when they do not
    sa.Column("version", BigNumber, nullable=False),
    sa.Index("offers_of_venue", "venue_id", "offer_id"),
    partial_index("offers_in_review", "offer_id", where="moderation = 'pending'"),
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
    sa.Column("awaits_start", sa.Boolean, nullable=False),  # EventDateElapsed is still to come
    sa.Column("asks_quantity", sa.Boolean, nullable=False),  # a quantity request is open
    sa.Column("version", BigNumber, nullable=False),
    sa.Index("stocks_of_offer", "offer_id", "stock_id"),
    sa.Index("stocks_of_venue", "venue_id"),
    partial_index("stocks_to_start", "beginning_at", "stock_id", where="awaits_start"),
    partial_index("stocks_asking", "stock_id", where="asks_quantity"),
)
