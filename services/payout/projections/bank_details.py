"""Bank details and their documents."""

from __future__ import annotations

import sqlalchemy as sa

from services.payout.domain.bank_details import BankDetails
from services.payout.storage import tables
from shared.projections import Projection, on


class BankDetailsByOwner(Projection):
    """On which account is a venue paid, and which submissions wait for staff?"""

    name = "bank_details"
    version = 1
    tables = (tables.bank_details, tables.documents)

    @on(BankDetails.Submitted)
    def submitted(self, connection: sa.Connection, event: BankDetails.Submitted) -> None:
        connection.execute(
            tables.bank_details.insert().values(
                bank_details_id=event.bank_details_id,
                offerer_id=event.offerer_id,
                venue_id=event.venue_id,
                iban=event.account.iban,
                bic=event.account.bic,
                holder=event.account.holder,
                status="pending",
                submitted_at=event.timestamp,
            )
        )

    @on(BankDetails.DocumentAdded)
    def document_added(self, connection: sa.Connection, event: BankDetails.DocumentAdded) -> None:
        connection.execute(
            tables.documents.insert().values(
                document_id=event.document_id,
                bank_details_id=event.bank_details_id,
                kind=event.document.kind,
                media_type=event.document.media_type,
                size=event.document.size,
                sha256=event.document.sha256,
                added_at=event.timestamp,
            )
        )

    @on(BankDetails.Accepted)
    def accepted(self, connection: sa.Connection, event: BankDetails.Accepted) -> None:
        self._decided(connection, event, status="accepted")

    @on(BankDetails.Rejected)
    def rejected(self, connection: sa.Connection, event: BankDetails.Rejected) -> None:
        self._decided(connection, event, status="rejected", reason=event.reason)

    @staticmethod
    def _decided(connection: sa.Connection, event: BankDetails.Event, **values: str) -> None:
        chosen = tables.bank_details.c.bank_details_id == event.bank_details_id
        connection.execute(tables.bank_details.update().where(chosen).values(decided_at=event.timestamp, **values))
