"""Identity's first schema."""

from __future__ import annotations

import os

import sqlalchemy as sa
from alembic import op

from shared import notifications
from shared.eventstore import migrations as store
from shared.eventstore.sql import BigNumber, Instant, Json

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    store.create_v1(op)
    notifications.create_v1(op)
    _people()
    _offerers()
    _outside_the_log()
    # The platform's own keys (of the digests, of the requests): made here, once, and kept with the persons'.
    keys = sa.table("person_keys", sa.column("account_id", BigNumber), sa.column("key", sa.LargeBinary))
    op.bulk_insert(keys, [{"account_id": number, "key": os.urandom(32)} for number in (0, -1)])


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("account_id", BigNumber, primary_key=True),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("roles", Json, nullable=False),
    )
    op.create_table(
        "emails",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("account_id", BigNumber, nullable=False, unique=True),
    )
    op.create_table(
        "claims",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("account_id", BigNumber, nullable=False),
    )
    op.create_index("claims_account", "claims", ["account_id"])
    op.create_table(
        "identity_checks",
        sa.Column("check_id", BigNumber, primary_key=True),
        sa.Column("account_id", BigNumber, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("items", Json, nullable=False),
        sa.Column("sealed_declared", sa.Text, nullable=False),
        sa.Column("checked_at", Instant, nullable=False),
    )
    op.create_index("identity_checks_status", "identity_checks", ["status", "check_id"])
    op.create_index("identity_checks_account", "identity_checks", ["account_id"])
    op.create_table(
        "birthdays",
        sa.Column("account_id", BigNumber, primary_key=True),
        sa.Column("birth_date", sa.Date, nullable=False),
        sa.Column("age", sa.Integer, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
    )
    op.create_index("birthdays_due", "birthdays", ["due_at"])


def _offerers() -> None:
    op.create_table(
        "offerers",
        sa.Column("offerer_id", BigNumber, primary_key=True),
        sa.Column("siren", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("postal_code", sa.Text, nullable=False),
        sa.Column("city", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("registered_at", Instant, nullable=False),
    )
    op.create_index("offerers_status", "offerers", ["status", "offerer_id"])
    op.create_table(
        "sirens",
        sa.Column("siren", sa.Text, primary_key=True),
        sa.Column("offerer_id", BigNumber, nullable=False),
    )
    op.create_table(
        "attachments",
        sa.Column("attachment_id", BigNumber, primary_key=True),
        sa.Column("offerer_id", BigNumber, nullable=False),
        sa.Column("account_id", BigNumber, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("requested_at", Instant, nullable=False),
    )
    op.create_index("attachments_offerer", "attachments", ["offerer_id"])
    op.create_index("attachments_account", "attachments", ["account_id"])
    op.create_index("attachments_status", "attachments", ["status", "attachment_id"])
    op.create_table(
        "api_keys",
        sa.Column("prefix", sa.Text, primary_key=True),
        sa.Column("offerer_id", BigNumber, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
    )
    op.create_index("api_keys_offerer", "api_keys", ["offerer_id"])


def _outside_the_log() -> None:
    op.create_table(
        "person_keys",
        sa.Column("account_id", BigNumber, primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "credentials",
        sa.Column("account_id", BigNumber, primary_key=True),
        sa.Column("password_hash", sa.Text, nullable=False),
    )
    op.create_table(
        "mail_tokens",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("account_id", BigNumber, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("used", sa.Boolean, nullable=False),
    )
    op.create_index("mail_tokens_account", "mail_tokens", ["account_id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("family", BigNumber, nullable=False),
        sa.Column("account_id", BigNumber, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_index("refresh_tokens_family", "refresh_tokens", ["family"])
    op.create_index("refresh_tokens_account", "refresh_tokens", ["account_id"])
    op.create_index("refresh_tokens_expiry", "refresh_tokens", ["expires_at"])
    op.create_table(
        "failures",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("since", Instant, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("failures_since", "failures", ["since"])
