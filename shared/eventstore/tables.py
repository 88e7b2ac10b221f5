"""The tables that every service has besides its own read models."""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore.sql import BigNumber, Instant, Json, partial_index

metadata = sa.MetaData()

stored_events = sa.Table(
    "stored_events",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),  # the position in the service's log
    sa.Column("originator_id", sa.Uuid, nullable=False),
    sa.Column("originator_version", BigNumber, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("published", sa.Boolean, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("causation_id", sa.Text, nullable=False),
    sa.Index("stored_events_stream", "originator_id", "originator_version", unique=True),
    partial_index(
        "stored_events_published",
        "id",
        where="published",
    ),
    # SQLite never assigns a position again, not even that of a deleted last row.
    sqlite_autoincrement=True,
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("outcome", Json, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
)

tracking = sa.Table(
    "tracking",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("position", BigNumber, nullable=False),
    sa.Column("epoch", sa.Text, nullable=False),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("position", BigNumber, nullable=False),
    sa.Column("message", Json, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # failed, parked, replayed, discarded
    sa.Column("recorded_at", Instant, nullable=False),
    sa.UniqueConstraint("source", "position"),
    sa.Index("dead_letters_streams", "source", "stream", "state"),
)

numbers = sa.Table(
    "numbers",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("value", BigNumber, nullable=False),
)

relay = sa.Table(
    "relay",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("position", BigNumber, nullable=False),
)

store_facts = sa.Table(
    "store_facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # epoch, clock
    sa.Column("value", sa.Text, nullable=False),
)
