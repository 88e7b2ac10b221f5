"""Wallet's first tables.

A released migration is frozen: its tables are defined here, independent of ``storage``.
"""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.migrations import create_v1
from shared.eventstore.sql import BigNumber, Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_v1(op)
    op.create_table(
        "wallets",
        sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("version", BigNumber, nullable=False),
    )
    _create_credits()
    _create_attempts()
    _create_ledger_entries()


def _create_credits() -> None:
    op.create_table(
        "credits",
        sa.Column("credit_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("person_id", BigNumber, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("granted_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("digital_cap", BigNumber),
        sa.Column("physical_cap", BigNumber),
        sa.Column("granted", BigNumber, nullable=False),
        sa.Column("available", BigNumber, nullable=False),
        sa.Column("reserved", BigNumber, nullable=False),
        sa.Column("spent", BigNumber, nullable=False),
        sa.Column("lapsed", BigNumber, nullable=False),
        sa.Column("digital_held", BigNumber, nullable=False),
        sa.Column("physical_held", BigNumber, nullable=False),
        sa.Column("last_recredit", sa.Integer),
        # never two of a kind
        sa.UniqueConstraint("person_id", "kind", name="one_credit_of_a_kind"),
        sa.CheckConstraint("granted = available + reserved + spent + lapsed", name="every_cent_is_somewhere"),
        sa.CheckConstraint(
            "available >= 0 AND reserved >= 0 AND spent >= 0 AND lapsed >= 0", name="nothing_below_zero"
        ),
    )
    left = sa.text("available > 0")
    op.create_index("credits_to_lapse", "credits", ["expires_at"], postgresql_where=left, sqlite_where=left)


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("booking_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("attempt", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("person_id", BigNumber, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("amount", BigNumber, nullable=False),
        sa.Column("credit_id", BigNumber),
        sa.Column("digital", sa.Boolean, nullable=False),
        sa.Column("physical", sa.Boolean, nullable=False),
        sa.Column("used_at", Instant),
        sa.Column("code", sa.Text),
    )


def _create_ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("entry_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", BigNumber, nullable=False),
        sa.Column("balance", BigNumber, nullable=False),
        sa.Column("credit_id", BigNumber, nullable=False),
        sa.Column("booking_id", BigNumber),
    )
