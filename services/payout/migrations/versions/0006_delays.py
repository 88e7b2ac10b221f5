"""The day from which the delay of a line counts, and the format of a batch's files."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("batches", sa.Column("form", sa.Integer))
    op.add_column("batch_lines", sa.Column("counted_from", sa.Date))
