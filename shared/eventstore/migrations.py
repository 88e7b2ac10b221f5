"""Creates the tables of ``tables`` in a service's first migration.

A released function is frozen. A change of these tables is another function, called by a new migration of each service.
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
