"""Wallet's tables: the balance rows that decisions are made on, and the lines of the ledger."""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore.sql import BigNumber, Instant

metadata = sa.MetaData()

wallets = sa.Table(
    "wallets",
    metadata,
    sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("version", BigNumber, nullable=False),
)
credits = sa.Table(
    "credits",
    metadata,
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
)
attempts = sa.Table(
    "attempts",
    metadata,
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
ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("person_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("entry_id", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", BigNumber, nullable=False),
    sa.Column("balance", BigNumber, nullable=False),
    sa.Column("credit_id", BigNumber, nullable=False),
    sa.Column("booking_id", BigNumber),
)
