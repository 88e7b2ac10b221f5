"""Makes the tables of ``tables`` within a service's first migration.

A version that was released is frozen: a change of these tables is a ``create_v2`` beside it, and a migration in each
service.
"""

from __future__ import annotations

import uuid
from typing import Any

from shared.eventstore.tables import metadata, relay, store_facts


def create_v1(op: Any) -> None:
    """``op`` is alembic's; called by the first migration of every service."""
    connection = op.get_bind()
    metadata.create_all(connection)
    connection.execute(relay.insert().values(id=1, position=0))
    connection.execute(store_facts.insert().values(name="epoch", value=str(uuid.uuid4())))
