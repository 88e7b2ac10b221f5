"""The tables. Money in cents; ``iban`` and ``bic`` together name an account.

Most are read models, folded from the log by ``projections/``. Beside them: the bytes of documents, and copies of other
services' facts.
"""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore.sql import BigNumber, Instant, Json, partial_index

metadata = sa.MetaData()
MAY_ENTER = "status IN ('waiting', 'rejected')"
"""Lines that may enter a batch. SQL text, because a partial index serves a query with exactly its own condition."""


def _cents(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


lines = sa.Table(
    "lines",
    metadata,
    sa.Column("line_id", BigNumber, primary_key=True),
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
    _cents("unit_price_cents"),
    sa.Column("booked_at", Instant, nullable=False),
    sa.Column("begins_at", Instant),
    sa.Column("used_at", Instant, nullable=False),
    _cents("amount_cents"),
    _cents("entering_cents"),
    _cents("revenue_cents"),
    sa.Column("rate", sa.Text),
    sa.Column("rule", sa.Text, nullable=False),
    _cents("reimbursed_cents"),
    _cents("contribution_cents"),
    sa.Column("reason", sa.Text),  # of a correction
    sa.Column("provisional", sa.Boolean, nullable=False),  # may still be priced again
    sa.Column("status", sa.Text, nullable=False),  # waiting, in-batch, carried-forward, sent, rejected
    sa.Column("batch_id", sa.BigInteger),  # the last one it entered
    sa.Column("iban", sa.Text),
    sa.Column("bic", sa.Text),
    sa.Column("end_to_end_id", sa.Text),
    sa.Column("settling", sa.Boolean, nullable=False),  # paid, and its reimbursement is not published yet
    sa.Index("lines_year", "year_id", "provisional", "used_at"),
    sa.Index("lines_booking", "booking_id"),
    sa.Index("lines_offerer", "offerer_id", "line_id"),
    sa.Index("lines_transfer", "end_to_end_id"),
    sa.Index("lines_account", "iban", "bic", "status"),
    partial_index("lines_to_enter", *("establishment", "year", "used_at", "booking_id", "line_id"), where=MAY_ENTER),
    sa.Index("lines_batch", "batch_id"),
    partial_index("lines_settling", "line_id", where="settling"),
)

establishment_years = sa.Table(
    "establishment_years",
    metadata,
    sa.Column("year_id", sa.Uuid, primary_key=True),
    sa.Column("establishment", sa.Text, nullable=False),
    sa.Column("year", sa.Integer, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    _cents("fixed_revenue_cents"),
    _cents("revenue_cents"),
    _cents("amount_cents"),
    _cents("reimbursed_cents"),
    _cents("contribution_cents"),
    _cents("paid_cents"),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("batch_id", BigNumber, primary_key=True),
    sa.Column("cutoff", sa.Date, nullable=False, unique=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),  # closing, closed
    sa.Column("last_line_id", sa.BigInteger, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("execution_date", sa.Date),
    sa.Column("lines", sa.BigInteger, nullable=False),
    sa.Column("transfers", sa.BigInteger, nullable=False),
    _cents("total_cents"),
    _cents("contribution_cents"),
    _cents("transferred_cents"),
    _cents("carried_cents"),
    sa.Column("without_bank_details_lines", sa.BigInteger, nullable=False),
    _cents("without_bank_details_cents"),
    sa.Column("checksum", sa.Text),
    sa.Column("debtor_name", sa.Text, nullable=False),
    sa.Column("debtor_iban", sa.Text, nullable=False),
    sa.Column("debtor_bic", sa.Text, nullable=False),
    sa.Column("wallet_position", sa.BigInteger),  # null for batches closed before it was recorded
    sa.Column("form", sa.Integer),  # the format of its files; null for batches closed before it was recorded
)

batch_lines = sa.Table(
    "batch_lines",
    metadata,
    sa.Column("batch_id", sa.BigInteger, primary_key=True),
    sa.Column("line_id", sa.BigInteger, primary_key=True),
    sa.Column("iban", sa.Text),
    sa.Column("bic", sa.Text),
    sa.Column("counted_from", sa.Date),  # the day of its event or validation; null for a correction
)

batch_accounts = sa.Table(
    "batch_accounts",
    metadata,
    sa.Column("batch_id", sa.BigInteger, primary_key=True),
    sa.Column("iban", sa.Text, primary_key=True),
    sa.Column("bic", sa.Text, primary_key=True),
    sa.Column("lines", sa.BigInteger, nullable=False),
    _cents("lines_cents"),
    _cents("brought_forward_cents"),
    _cents("transferred_cents"),
    _cents("carried_cents"),
    sa.Column("end_to_end_id", sa.Text),
)

batch_venues = sa.Table(
    "batch_venues",
    metadata,
    sa.Column("batch_id", sa.BigInteger, primary_key=True),
    sa.Column("venue_id", sa.BigInteger, primary_key=True),
    sa.Column("iban", sa.Text, primary_key=True),  # empty without an account
    sa.Column("bic", sa.Text, primary_key=True),
    sa.Column("venue_name", sa.Text, nullable=False),
    sa.Column("siret", sa.Text),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("offerer_id", sa.BigInteger, nullable=False),
    sa.Column("offerer_name", sa.Text, nullable=False),
    sa.Column("siren", sa.Text, nullable=False),
    sa.Column("lines", sa.BigInteger, nullable=False),
    _cents("total_cents"),
)

transfers = sa.Table(
    "transfers",
    metadata,
    sa.Column("end_to_end_id", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.BigInteger, nullable=False),
    _cents("amount_cents"),
    sa.Column("iban", sa.Text, nullable=False),
    sa.Column("bic", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("siren", sa.Text, nullable=False),
    sa.Column("remittance", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),  # pending, sent, rejected
    sa.Column("reason", sa.Text),
    sa.Column("answered_at", Instant),
    sa.Column("answered_cents", sa.BigInteger),  # the amount in the bank's answer: always that of the transfer
    sa.Index("transfers_batch", "batch_id", "status"),
)

carried = sa.Table(
    "carried",
    metadata,
    sa.Column("iban", sa.Text, primary_key=True),
    sa.Column("bic", sa.Text, primary_key=True),
    _cents("carried_cents"),  # 0 or less
)

bank_details = sa.Table(
    "bank_details",
    metadata,
    sa.Column("bank_details_id", BigNumber, primary_key=True),
    sa.Column("offerer_id", sa.BigInteger, nullable=False),
    sa.Column("venue_id", sa.BigInteger),
    sa.Column("iban", sa.Text, nullable=False),
    sa.Column("bic", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),  # pending, accepted, rejected
    sa.Column("submitted_at", Instant, nullable=False),
    sa.Column("decided_at", Instant),
    sa.Column("reason", sa.Text),
    sa.Index("bank_details_venue", "venue_id", "status"),
    sa.Index("bank_details_offerer", "offerer_id", "status"),
    sa.Index("bank_details_status", "status", "bank_details_id"),
)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("document_id", BigNumber, primary_key=True),
    sa.Column("bank_details_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("added_at", Instant, nullable=False),
)

document_contents = sa.Table(
    "document_contents",
    metadata,
    # no read model: the only place of the bytes, each file once
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

custom_rules = sa.Table(
    "custom_rules",
    metadata,
    sa.Column("rule_id", BigNumber, primary_key=True),
    sa.Column("offer_id", sa.BigInteger),
    sa.Column("offerer_id", sa.BigInteger),
    sa.Column("amount_cents", sa.BigInteger),
    sa.Column("rate", sa.Text),
    sa.Column("subcategories", Json, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant),
)

# Copies of other services' facts

venues = sa.Table(
    "venues",
    metadata,
    sa.Column("venue_id", BigNumber, primary_key=True),
    sa.Column("offerer_id", sa.BigInteger, nullable=False),
    sa.Column("establishment", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("siret", sa.Text),
    sa.Column("address", sa.Text, nullable=False),  # on one line, may be empty
    sa.Index("venues_offerer", "offerer_id"),
)

offerers = sa.Table(
    "offerers",
    metadata,
    sa.Column("offerer_id", BigNumber, primary_key=True),
    sa.Column("siren", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
)

moved_events = sa.Table(
    "moved_events",
    metadata,
    sa.Column("stock_id", BigNumber, primary_key=True),
    sa.Column("begins_at", Instant, nullable=False),  # after the last rescheduling
)

closed_offerers = sa.Table(
    "closed_offerers",
    metadata,
    # closed or rejected: it can add and change nothing
    sa.Column("offerer_id", BigNumber, primary_key=True),
)

suspended_accounts = sa.Table(
    "suspended_accounts",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True, autoincrement=False),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("account_id", sa.BigInteger, primary_key=True),
    sa.Column("offerer_id", sa.BigInteger, primary_key=True),
)
