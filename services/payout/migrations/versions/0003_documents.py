"""Documents that prove bank details."""

import sqlalchemy as sa
from alembic import op

from shared.eventstore.sql import BigNumber, Instant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("document_id", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("bank_details_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("added_at", Instant, nullable=False),
    )
    op.create_index("ix_documents_bank_details_id", "documents", ["bank_details_id"])
    op.create_table(
        "document_contents",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
