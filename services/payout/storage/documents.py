"""Documents of bank details, and their bytes: each distinct file is stored once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.payout.storage.tables import document_contents, documents
from shared.eventstore import sql


def keep_content(connection: sa.Connection, sha256: str, content: bytes) -> None:
    sql.insert_ignore(connection, document_contents, [{"sha256": sha256, "content": content}])


def content(connection: sa.Connection, sha256: str) -> bytes:
    content: bytes = connection.execute(
        sa.select(document_contents.c.content).where(document_contents.c.sha256 == sha256)
    ).scalar_one()
    return content


def one_document(connection: sa.Connection, bank_details_id: int, document_id: int) -> sa.Row[Any] | None:
    chosen = (documents.c.document_id == document_id) & (documents.c.bank_details_id == bank_details_id)
    return connection.execute(sa.select(documents).where(chosen)).one_or_none()


def of_details(connection: sa.Connection, bank_details_ids: Iterable[int]) -> dict[int, Sequence[sa.Row[Any]]]:
    """Bank details → their documents, oldest first."""
    wanted = sql.among(documents.c.bank_details_id, sorted(set(bank_details_ids)))
    found: dict[int, list[sa.Row[Any]]] = {}
    for row in connection.execute(sa.select(documents).where(wanted).order_by(documents.c.document_id)):
        found.setdefault(row.bank_details_id, []).append(row)
    return dict(found)
