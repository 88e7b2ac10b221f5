"""Payout's first tables."""

from alembic import op

from services.payout.storage.tables import metadata
from shared.eventstore.migrations import create_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_v1(op)
    metadata.create_all(op.get_bind())
