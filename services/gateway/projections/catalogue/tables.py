"""The tables of the read model.

What depends on the present instant (bookable, expired, cancellation limit) is not stored: it is computed when an offer
is sent.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from shared.eventstore.sql import BigNumber, Instant
from shared.projections.facts import Facts

metadata = sa.MetaData()

BinaryText = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text ordered by its bytes, so that a range of words is a prefix in every database."""

offerers = sa.Table(
    "catalogue_offerers",
    metadata,
    sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("is_open", sa.Boolean, nullable=False),  # validated, and neither rejected nor closed
)

venues = sa.Table(
    "catalogue_venues",
    metadata,
    sa.Column("venue_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("facts", Facts("catalog", "VenueOpened"), nullable=False),
)

offers = sa.Table(
    "catalogue_offers",
    metadata,
    sa.Column("offer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("venue_id", BigNumber, nullable=False),
    sa.Column("offerer_id", BigNumber, nullable=False),
    sa.Column("is_published", sa.Boolean, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON as it is sent, without the stocks
    sa.Column("rendering", sa.Integer, nullable=False, server_default="1"),  # rendering.RENDERING when it was written
    sa.Column("facts", Facts("catalog", "OfferPublished"), nullable=False),  # to render the body again
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("subcategory", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("is_duo", sa.Boolean, nullable=False),
    sa.Column("published_at", Instant, nullable=False),
    sa.Column("lat", sa.Double),
    sa.Column("lon", sa.Double),
    # The same place on the unit sphere: distances are then simple arithmetic in every database.
    sa.Column("x", sa.Double),
    sa.Column("y", sa.Double),
    sa.Column("z", sa.Double),
    sa.Index("catalogue_offers_newest", "published_at", "offer_id"),
    sa.Index("catalogue_offers_place", "lat", "lon"),
    sa.Index("catalogue_offers_category", "category", "subcategory"),
    sa.Index("catalogue_offers_venue", "venue_id"),
    sa.Index("catalogue_offers_rendering", "rendering"),
)

words = sa.Table(
    "catalogue_words",
    metadata,
    sa.Column("word", BinaryText, primary_key=True),
    sa.Column("offer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("weight", sa.Integer, nullable=False),
    sa.Index("catalogue_words_offer", "offer_id"),
)

tags = sa.Table(
    "catalogue_tags",
    metadata,
    sa.Column("tag", BinaryText, primary_key=True),
    sa.Column("offer_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Index("catalogue_tags_offer", "offer_id"),
)

stocks = sa.Table(
    "catalogue_stocks",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
    # Null until catalog has described the stock: booking's messages may come first.
    sa.Column("offer_id", BigNumber),
    sa.Column("price_cents", BigNumber),
    sa.Column("beginning_at", Instant),
    sa.Column("booking_limit_at", Instant),
    sa.Column("is_withdrawn", sa.Boolean, nullable=False),
    sa.Column("remaining", BigNumber),  # null: no limit
    # Position of that message in booking's log: a parked message is handled after newer ones of other bookings.
    sa.Column("remaining_position", BigNumber, nullable=False, server_default="0"),
    sa.Index("catalogue_stocks_offer", "offer_id", "beginning_at", "stock_id"),
)
