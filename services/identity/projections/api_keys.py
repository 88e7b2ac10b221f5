"""API keys of structures."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.identity.domain.offerers import Offerer
from services.identity.storage import tables
from shared.projections import Projection, on


class ApiKeys(Projection):
    """Which structure has this API key?"""

    name = "api-keys"
    version = 1
    tables = (tables.api_keys,)

    @on(Offerer.ApiKeyCreated)
    def created(self, connection: sa.Connection, event: Offerer.ApiKeyCreated) -> None:
        row = {
            "prefix": event.prefix,
            "offerer_id": event.number,
            "digest": event.digest,
            "created_at": event.timestamp,
        }
        connection.execute(tables.api_keys.insert().values(**row))

    @on(Offerer.ApiKeyDeleted)
    def deleted(self, connection: sa.Connection, event: Offerer.ApiKeyDeleted) -> None:
        connection.execute(tables.api_keys.delete().where(tables.api_keys.c.prefix == event.prefix))

    @on(Offerer.Rejected, Offerer.Closed)
    def ended(self, connection: sa.Connection, event: Any) -> None:
        connection.execute(tables.api_keys.delete().where(tables.api_keys.c.offerer_id == event.number))
