"""Events that were rescheduled, with their new start."""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber, Instant

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "moved_events",
        sa.Column("stock_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("begins_at", Instant, nullable=False),
    )
