"""Failed attempts of the last minute."""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore.sql import BigNumber

metadata = sa.MetaData()

failures = sa.Table(
    "failures",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
    sa.Column("subject", sa.Text, nullable=False),  # a digest: the table holds no address, e-mail or key
    sa.Column("at", sa.Float, nullable=False),  # seconds of the machine's clock since 1970
    sa.Index("failures_subject", "subject", "at"),
    sa.Index("failures_at", "at"),
)
