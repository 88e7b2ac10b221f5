"""Which message of booking said how many places are left: an older one, replayed later, does not say so again."""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("catalogue_stocks", sa.Column("remaining_position", BigNumber, nullable=False, server_default="0"))
