"""Accounts that are suspended: they act for no structure."""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table("suspended_accounts", sa.Column("account_id", BigNumber, primary_key=True, autoincrement=False))
