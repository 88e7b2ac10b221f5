"""The position of wallet's log at the close of a batch."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("batches", sa.Column("wallet_position", sa.BigInteger))
