"""Structures, their SIRENs, the accounts attached to them, their API keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from services.identity.domain.offerers import Offerer
from services.identity.storage import offerers, tables
from shared.eventstore import sql
from shared.projections import Projection, on


class Offerers(Projection):
    """What is the structure of this number, and which ones await validation?"""

    name = "offerers"
    version = 1
    tables = (tables.offerers,)

    @on(Offerer.Registered)
    def registered(self, connection: sa.Connection, event: Offerer.Registered) -> None:
        decided = {"status": "pending", "registered_at": event.timestamp}
        row = {"offerer_id": event.number, **asdict(event.structure), **decided}
        sql.insert_many(connection, tables.offerers, [row])

    @on(Offerer.Validated)
    def validated(self, connection: sa.Connection, event: Offerer.Validated) -> None:
        self._set(connection, event.number, "validated")

    @on(Offerer.Rejected)
    def rejected(self, connection: sa.Connection, event: Offerer.Rejected) -> None:
        self._set(connection, event.number, "rejected")

    @on(Offerer.Closed)
    def closed(self, connection: sa.Connection, event: Offerer.Closed) -> None:
        self._set(connection, event.number, "closed")

    @staticmethod
    def _set(connection: sa.Connection, number: int, status: str) -> None:
        sql.update_many(connection, tables.offerers, "offerer_id", [{"offerer_id": number, "status": status}])


class Sirens(Projection):
    """Which structure has this SIREN? One at most."""

    name = "sirens"
    version = 1
    tables = (tables.sirens,)

    @on(Offerer.Registered, live=False)
    def registered(self, connection: sa.Connection, event: Offerer.Registered) -> None:
        offerers.claim_siren(connection, event.structure.siren, event.number)


class Attachments(Projection):
    """Who acts for which structure, and who has asked to?"""

    name = "attachments"
    version = 1
    tables = (tables.attachments,)

    @on(Offerer.AttachmentRequested)
    def requested(self, connection: sa.Connection, event: Offerer.AttachmentRequested) -> None:
        self._upsert(connection, event, "pending")

    @on(Offerer.Attached)
    def attached(self, connection: sa.Connection, event: Offerer.Attached) -> None:
        self._upsert(connection, event, "approved")

    @on(Offerer.AttachmentRejected)
    def rejected(self, connection: sa.Connection, event: Offerer.AttachmentRejected) -> None:
        self._set(connection, event.attachment, "rejected")

    @on(Offerer.Detached)
    def detached(self, connection: sa.Connection, event: Offerer.Detached) -> None:
        self._set(connection, event.attachment, "ended")

    def _upsert(self, connection: sa.Connection, event: Any, status: str) -> None:
        row = {
            "attachment_id": event.attachment,
            "offerer_id": event.number,
            "account_id": event.account,
            "status": status,
            "requested_at": event.timestamp,
        }
        if not sql.insert_new(connection, tables.attachments, [row], "attachment_id"):
            self._set(connection, event.attachment, status)

    @staticmethod
    def _set(connection: sa.Connection, number: int, status: str) -> None:
        table = tables.attachments
        connection.execute(table.update().where(table.c.attachment_id == number).values(status=status))


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
