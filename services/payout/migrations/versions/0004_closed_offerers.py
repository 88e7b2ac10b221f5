"""Structures that were closed or rejected."""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "closed_offerers",
        sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
    )
