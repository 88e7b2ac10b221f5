"""Which rendering made an offer's row: one of an older release is rendered again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("catalogue_offers", sa.Column("rendering", sa.Integer, nullable=False, server_default="1"))
    op.create_index("catalogue_offers_rendering", "catalogue_offers", ["rendering"])
