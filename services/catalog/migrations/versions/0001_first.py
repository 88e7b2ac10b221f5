"""The catalogue's first tables.

A released migration is frozen: these definitions stand on their own, apart from ``storage``.
"""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.migrations import create_v1
from shared.eventstore.sql import BigNumber, Instant, Json

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_v1(op)
    _create_what_others_said()
    _create_venues()
    _create_offers()
    _create_stocks()


def _create_what_others_said() -> None:
    op.create_table(
        "offerers",
        sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("siren", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("postal_code", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
    )
    op.create_table(
        "attachments",
        sa.Column("account_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
    )
    op.create_table("sold_out_stocks", sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False))


def _create_venues() -> None:
    op.create_table(
        "sirets",
        sa.Column("siret", sa.Text, primary_key=True),
        sa.Column("venue_id", BigNumber, nullable=False),
    )
    op.create_table(
        "venues",
        sa.Column("venue_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("offerer_id", BigNumber, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("version", BigNumber, nullable=False),
    )
    op.create_index("venues_of_offerer", "venues", ["offerer_id", "venue_id"])


def _create_offers() -> None:
    op.create_table(
        "offers",
        sa.Column("offer_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("venue_id", BigNumber, nullable=False),
        sa.Column("offerer_id", BigNumber, nullable=False),
        sa.Column("moderation", sa.Text, nullable=False),
        sa.Column("is_public", sa.Boolean, nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("review", Json, nullable=False),
        sa.Column("version", BigNumber, nullable=False),
    )
    op.create_index("offers_of_venue", "offers", ["venue_id", "offer_id"])
    _create_partial_index("offers_in_review", "offers", ["offer_id"], "moderation = 'pending'")


def _create_stocks() -> None:
    op.create_table(
        "stocks",
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
        sa.Column("awaits_start", sa.Boolean, nullable=False),
        sa.Column("asks_quantity", sa.Boolean, nullable=False),
        sa.Column("version", BigNumber, nullable=False),
    )
    op.create_index("stocks_of_offer", "stocks", ["offer_id", "stock_id"])
    op.create_index("stocks_of_venue", "stocks", ["venue_id"])
    _create_partial_index("stocks_to_start", "stocks", ["beginning_at", "stock_id"], "awaits_start")
    _create_partial_index("stocks_asking", "stocks", ["stock_id"], "asks_quantity")


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)
