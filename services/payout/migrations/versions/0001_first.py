"""Payout's first tables.

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
    _create_priced()
    _create_batches()
    _create_agreements()
    _create_what_others_said()


def _create_priced() -> None:
    op.create_table(
        "lines",
        sa.Column("line_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("corrects", sa.BigInteger),
        sa.Column("year_id", sa.Uuid, nullable=False),
        sa.Column("establishment", sa.Text, nullable=False),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("booking_id", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("person_id", sa.BigInteger, nullable=False),
        sa.Column("stock_id", sa.BigInteger, nullable=False),
        sa.Column("offer_id", sa.BigInteger, nullable=False),
        sa.Column("offer_name", sa.Text, nullable=False),
        sa.Column("venue_id", sa.BigInteger, nullable=False),
        sa.Column("offerer_id", sa.BigInteger, nullable=False),
        sa.Column("subcategory", sa.Text, nullable=False),
        sa.Column("countermark", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price_cents", sa.BigInteger, nullable=False),
        sa.Column("booked_at", Instant, nullable=False),
        sa.Column("begins_at", Instant),
        sa.Column("used_at", Instant, nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("entering_cents", sa.BigInteger, nullable=False),
        sa.Column("revenue_cents", sa.BigInteger, nullable=False),
        sa.Column("rate", sa.Text),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("reimbursed_cents", sa.BigInteger, nullable=False),
        sa.Column("contribution_cents", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("provisional", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("batch_id", sa.BigInteger),
        sa.Column("iban", sa.Text),
        sa.Column("bic", sa.Text),
        sa.Column("end_to_end_id", sa.Text),
        sa.Column("settling", sa.Boolean, nullable=False),
    )
    op.create_index("lines_account", "lines", ["iban", "bic", "status"])
    op.create_index("lines_batch", "lines", ["batch_id"])
    op.create_index("lines_booking", "lines", ["booking_id"])
    op.create_index("lines_offerer", "lines", ["offerer_id", "line_id"])
    op.create_index(
        "lines_settling", "lines", ["line_id"], postgresql_where=sa.text("settling"), sqlite_where=sa.text("settling")
    )
    op.create_index(
        "lines_to_enter",
        "lines",
        ["establishment", "year", "used_at", "booking_id", "line_id"],
        postgresql_where=sa.text("status IN ('waiting', 'rejected')"),
        sqlite_where=sa.text("status IN ('waiting', 'rejected')"),
    )
    op.create_index("lines_transfer", "lines", ["end_to_end_id"])
    op.create_index("lines_year", "lines", ["year_id", "provisional", "used_at"])
    op.create_table(
        "establishment_years",
        sa.Column("year_id", sa.Uuid, primary_key=True),
        sa.Column("establishment", sa.Text, nullable=False),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("fixed_revenue_cents", sa.BigInteger, nullable=False),
        sa.Column("revenue_cents", sa.BigInteger, nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("reimbursed_cents", sa.BigInteger, nullable=False),
        sa.Column("contribution_cents", sa.BigInteger, nullable=False),
        sa.Column("paid_cents", sa.BigInteger, nullable=False),
    )


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("batch_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("cutoff", sa.Date, nullable=False, unique=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("last_line_id", sa.BigInteger, nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("closed_at", Instant),
        sa.Column("execution_date", sa.Date),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("transfers", sa.BigInteger, nullable=False),
        sa.Column("total_cents", sa.BigInteger, nullable=False),
        sa.Column("contribution_cents", sa.BigInteger, nullable=False),
        sa.Column("transferred_cents", sa.BigInteger, nullable=False),
        sa.Column("carried_cents", sa.BigInteger, nullable=False),
        sa.Column("without_bank_details_lines", sa.BigInteger, nullable=False),
        sa.Column("without_bank_details_cents", sa.BigInteger, nullable=False),
        sa.Column("checksum", sa.Text),
        sa.Column("debtor_name", sa.Text, nullable=False),
        sa.Column("debtor_iban", sa.Text, nullable=False),
        sa.Column("debtor_bic", sa.Text, nullable=False),
    )
    op.create_table(
        "batch_lines",
        sa.Column("batch_id", sa.BigInteger, primary_key=True),
        sa.Column("line_id", sa.BigInteger, primary_key=True),
        sa.Column("iban", sa.Text),
        sa.Column("bic", sa.Text),
    )
    op.create_table(
        "batch_accounts",
        sa.Column("batch_id", sa.BigInteger, primary_key=True),
        sa.Column("iban", sa.Text, primary_key=True),
        sa.Column("bic", sa.Text, primary_key=True),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("lines_cents", sa.BigInteger, nullable=False),
        sa.Column("brought_forward_cents", sa.BigInteger, nullable=False),
        sa.Column("transferred_cents", sa.BigInteger, nullable=False),
        sa.Column("carried_cents", sa.BigInteger, nullable=False),
        sa.Column("end_to_end_id", sa.Text),
    )
    op.create_table(
        "batch_venues",
        sa.Column("batch_id", sa.BigInteger, primary_key=True),
        sa.Column("venue_id", sa.BigInteger, primary_key=True),
        sa.Column("iban", sa.Text, primary_key=True),
        sa.Column("bic", sa.Text, primary_key=True),
        sa.Column("venue_name", sa.Text, nullable=False),
        sa.Column("siret", sa.Text),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("offerer_id", sa.BigInteger, nullable=False),
        sa.Column("offerer_name", sa.Text, nullable=False),
        sa.Column("siren", sa.Text, nullable=False),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("total_cents", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "transfers",
        sa.Column("end_to_end_id", sa.Text, primary_key=True),
        sa.Column("batch_id", sa.BigInteger, nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("iban", sa.Text, nullable=False),
        sa.Column("bic", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("siren", sa.Text, nullable=False),
        sa.Column("remittance", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("answered_at", Instant),
        sa.Column("answered_cents", sa.BigInteger),
    )
    op.create_index("transfers_batch", "transfers", ["batch_id", "status"])
    op.create_table(
        "carried",
        sa.Column("iban", sa.Text, primary_key=True),
        sa.Column("bic", sa.Text, primary_key=True),
        sa.Column("carried_cents", sa.BigInteger, nullable=False),
    )


def _create_agreements() -> None:
    op.create_table(
        "bank_details",
        sa.Column("bank_details_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("offerer_id", sa.BigInteger, nullable=False),
        sa.Column("venue_id", sa.BigInteger),
        sa.Column("iban", sa.Text, nullable=False),
        sa.Column("bic", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("submitted_at", Instant, nullable=False),
        sa.Column("decided_at", Instant),
        sa.Column("reason", sa.Text),
    )
    op.create_index("bank_details_offerer", "bank_details", ["offerer_id", "status"])
    op.create_index("bank_details_status", "bank_details", ["status", "bank_details_id"])
    op.create_index("bank_details_venue", "bank_details", ["venue_id", "status"])
    op.create_table(
        "custom_rules",
        sa.Column("rule_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("offer_id", sa.BigInteger),
        sa.Column("offerer_id", sa.BigInteger),
        sa.Column("amount_cents", sa.BigInteger),
        sa.Column("rate", sa.Text),
        sa.Column("subcategories", Json, nullable=False),
        sa.Column("starts_at", Instant, nullable=False),
        sa.Column("ends_at", Instant),
    )


def _create_what_others_said() -> None:
    op.create_table(
        "venues",
        sa.Column("venue_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("offerer_id", sa.BigInteger, nullable=False),
        sa.Column("establishment", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("siret", sa.Text),
        sa.Column("address", sa.Text, nullable=False),
    )
    op.create_index("venues_offerer", "venues", ["offerer_id"])
    op.create_table(
        "offerers",
        sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("siren", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
    )
    op.create_table(
        "attachments",
        sa.Column("account_id", sa.BigInteger, primary_key=True),
        sa.Column("offerer_id", sa.BigInteger, primary_key=True),
    )
