"""Identity's tables.

Read models are folded from the log and hold personal data sealed or as keyed digests only. The other tables are not in
the log, on purpose: passwords, sessions, tokens, failures, deferred requests. People's keys are in a store of their own
(``keys/``).
"""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore.sql import BigNumber, Instant, Json

metadata = sa.MetaData()

# Read models

people = sa.Table(
    "people",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),  # empty once erased
    sa.Column("roles", Json, nullable=False),
)

emails = sa.Table(
    "emails",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("account_id", BigNumber, nullable=False, unique=True),
)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),  # phone, person, document
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("account_id", BigNumber, nullable=False),
    sa.Index("claims_account", "account_id"),
)

identity_checks = sa.Table(
    "identity_checks",
    metadata,
    sa.Column("check_id", BigNumber, primary_key=True),
    sa.Column("account_id", BigNumber, nullable=False),
    sa.Column("status", sa.Text, nullable=False),  # ok, ko, pending
    sa.Column("items", Json, nullable=False),
    sa.Column("sealed_declared", sa.Text, nullable=False),
    sa.Column("checked_at", Instant, nullable=False),
    sa.Index("identity_checks_status", "status", "check_id"),
    sa.Index("identity_checks_account", "account_id"),
)

birthdays = sa.Table(
    "birthdays",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True),
    sa.Column("birth_date", sa.Date, nullable=False),
    sa.Column("age", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False, index=True),
)

offerers = sa.Table(
    "offerers",
    metadata,
    sa.Column("offerer_id", BigNumber, primary_key=True),
    sa.Column("siren", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("postal_code", sa.Text, nullable=False),
    sa.Column("city", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("registered_at", Instant, nullable=False),
    sa.Index("offerers_status", "status", "offerer_id"),
)

sirens = sa.Table(
    "sirens",
    metadata,
    sa.Column("siren", sa.Text, primary_key=True),
    sa.Column("offerer_id", BigNumber, nullable=False),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("attachment_id", BigNumber, primary_key=True),
    sa.Column("offerer_id", BigNumber, nullable=False, index=True),
    sa.Column("account_id", BigNumber, nullable=False, index=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Index("attachments_status", "status", "attachment_id"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("prefix", sa.Text, primary_key=True),
    sa.Column("offerer_id", BigNumber, nullable=False, index=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

# Not in the log, on purpose

former_person_keys = sa.Table(
    "person_keys",
    metadata,
    # The first migration and older releases write keys here; the next start moves them to the store of keys.
    sa.Column("account_id", BigNumber, primary_key=True),
    sa.Column("key", sa.LargeBinary, nullable=False),
)

keys_to_destroy = sa.Table(
    "doomed_keys",
    metadata,
    # People whose erasure is committed and whose key is still to be destroyed.
    sa.Column("account_id", BigNumber, primary_key=True),
)

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("account_id", BigNumber, primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
)

mail_tokens = sa.Table(
    "mail_tokens",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),  # confirm-email, reset-password, change-email
    sa.Column("account_id", BigNumber, nullable=False, index=True),
    sa.Column("sealed", sa.Text, nullable=False),  # for change-email: the new address
    sa.Column("expires_at", Instant, nullable=False),  # the platform's clock
    sa.Column("used", sa.Boolean, nullable=False),
)

refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("family", BigNumber, nullable=False, index=True),
    sa.Column("account_id", BigNumber, nullable=False, index=True),
    sa.Column("expires_at", Instant, nullable=False, index=True),  # the machine's clock
    sa.Column("state", sa.Text, nullable=False),  # fresh, used, revoked
)

failures = sa.Table(
    "failures",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("since", Instant, nullable=False, index=True),  # the machine's clock
    sa.Column("failed", sa.Integer, nullable=False),
)

deferred_requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),  # sign-up, password-reset, change-email
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
)
