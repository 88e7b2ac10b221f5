"""Keys that are still to be destroyed, of persons who were erased."""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "doomed_keys",
        sa.Column("account_id", BigNumber, primary_key=True, autoincrement=False),
    )
