"""The gateway's first tables.

A released migration is frozen: these definitions stand on their own, apart from ``storage``.
"""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.migrations import create_v1
from shared.eventstore.sql import BigNumber

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_v1(op)
    op.create_table(
        "failures",
        sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("failures_subject", "failures", ["subject", "at"])
    op.create_index("failures_at", "failures", ["at"])
