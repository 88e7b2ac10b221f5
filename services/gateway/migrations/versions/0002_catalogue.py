"""The public read model of the catalogue.

A released migration is frozen: these definitions stand on their own, apart from ``catalogue.tables``.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.eventstore.sql import BigNumber, Instant, Json

revision = "0002"
down_revision = "0001"

_BINARY_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    _create_offerers_and_venues()
    _create_offers()
    _create_words_and_tags()
    _create_stocks()


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, BigNumber, primary_key=True, autoincrement=False)


def _create_offerers_and_venues() -> None:
    op.create_table("catalogue_offerers", _number("offerer_id"), sa.Column("is_open", sa.Boolean, nullable=False))
    op.create_table("catalogue_venues", _number("venue_id"), sa.Column("facts", Json, nullable=False))


def _create_offers() -> None:
    op.create_table(
        "catalogue_offers",
        _number("offer_id"),
        sa.Column("venue_id", BigNumber, nullable=False),
        sa.Column("offerer_id", BigNumber, nullable=False),
        sa.Column("is_published", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("subcategory", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("is_duo", sa.Boolean, nullable=False),
        sa.Column("published_at", Instant, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("lat", "lon", "x", "y", "z")),
    )
    op.create_index("catalogue_offers_newest", "catalogue_offers", ["published_at", "offer_id"])
    op.create_index("catalogue_offers_place", "catalogue_offers", ["lat", "lon"])
    op.create_index("catalogue_offers_category", "catalogue_offers", ["category", "subcategory"])
    op.create_index("catalogue_offers_venue", "catalogue_offers", ["venue_id"])


def _create_words_and_tags() -> None:
    op.create_table(
        "catalogue_words",
        sa.Column("word", _BINARY_TEXT, primary_key=True),
        _number("offer_id"),
        sa.Column("weight", sa.Integer, nullable=False),
    )
    op.create_index("catalogue_words_offer", "catalogue_words", ["offer_id"])
    op.create_table("catalogue_tags", sa.Column("tag", _BINARY_TEXT, primary_key=True), _number("offer_id"))
    op.create_index("catalogue_tags_offer", "catalogue_tags", ["offer_id"])


def _create_stocks() -> None:
    op.create_table(
        "catalogue_stocks",
        _number("stock_id"),
        sa.Column("offer_id", BigNumber),
        sa.Column("price_cents", BigNumber),
        sa.Column("beginning_at", Instant),
        sa.Column("booking_limit_at", Instant),
        sa.Column("is_withdrawn", sa.Boolean, nullable=False),
        sa.Column("remaining", BigNumber),
    )
    op.create_index("catalogue_stocks_offer", "catalogue_stocks", ["offer_id", "beginning_at", "stock_id"])
