"""The keys' first schema."""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "person_keys",
        sa.Column("account_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
