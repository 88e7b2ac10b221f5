"""Structures whose offers cannot be booked: not validated yet, rejected or closed."""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "shut_offerers",
        sa.Column("offerer_id", BigNumber, primary_key=True, autoincrement=False),
    )
