"""Documents beside bank details: their structure's people add them while staff have not decided; staff look at them."""

from __future__ import annotations

import base64
from typing import Any

import sqlalchemy as sa

from services.payout.application import requests
from services.payout.domain.bank_details import BankDetails
from services.payout.domain.documents import MAX_BYTES, document
from services.payout.domain.refusals import BadDocument, NoSuchBankDetails, NoSuchDocument, OffererClosed
from services.payout.storage import details, documents, references
from shared.eventstore import Transaction
from shared.kernel.identifiers import stream_id
from shared.kernel.time import instant_text
from shared.messaging.calls import Call

SEES_ALL = frozenset({"staff", "operator"})


def add(tx: Transaction, call: Call) -> dict[str, Any]:
    """``{bankDetailsId, kind, content (base64)}``. The same file of the same kind is added once.

    Raises NoSuchBankDetails, OffererClosed, BankDetailsDecided, BadDocument, TooManyDocuments.
    """
    number = requests.number(call.data, "bankDetailsId")
    _check_own(tx.connection, call, number)
    content = _content(call.data)
    added = document(requests.text(call.data, "kind", at_most=10), content)
    found = tx.get(BankDetails, stream_id("bank-details", number))
    assert found is not None, "a row of bank details has its stream"
    document_id = found.known_document(added)
    if document_id is None:
        if references.is_closed(tx.connection, found.offerer_id):
            raise OffererClosed("this structure was closed or rejected")
        document_id = tx.next_number("document")
        found.add_document(tx.now, document_id, added)
        documents.keep_content(tx.connection, added.sha256, content)
        tx.save(found)
        tx.flush()
    row = documents.one_document(tx.connection, number, document_id)
    assert row is not None, "written just now, or before"
    return shape(row)


def listed(connection: sa.Connection, call: Call) -> dict[str, Any]:
    """``{bankDetailsId}`` → what was added, without the bytes. Raises NoSuchBankDetails."""
    number = requests.number(call.data, "bankDetailsId")
    _check_seen(connection, call, number)
    rows = documents.of_details(connection, [number]).get(number, [])
    return {"items": [shape(row) for row in rows], "nextCursor": None}


def read(connection: sa.Connection, call: Call) -> dict[str, Any]:
    """``{bankDetailsId, documentId}`` → the document with its ``content`` (base64). Raises NoSuchBankDetails,
    NoSuchDocument."""
    number = requests.number(call.data, "bankDetailsId")
    _check_seen(connection, call, number)
    row = documents.one_document(connection, number, requests.number(call.data, "documentId"))
    if row is None:
        raise NoSuchDocument(f"bank details {number} have no such document")
    return shape(row) | {"content": base64.b64encode(documents.content(connection, row.sha256)).decode("ascii")}


def shape(row: Any) -> dict[str, Any]:
    return {
        "documentId": row.document_id,
        "bankDetailsId": row.bank_details_id,
        "kind": row.kind,
        "mediaType": row.media_type,
        "size": row.size,
        "sha256": row.sha256,
        "addedAt": instant_text(row.added_at),
    }


def _content(data: dict[str, Any]) -> bytes:
    text = data.get("content")
    if not isinstance(text, str) or len(text) > MAX_BYTES * 4 // 3 + 4:
        raise BadDocument("file: too large", errors={"file": [f"at most {MAX_BYTES} bytes"]})
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise BadDocument("content: not base64", errors={"content": ["not base64"]}) from None


def _check_seen(connection: sa.Connection, call: Call, number: int) -> None:
    if call.caller is not None and call.caller.roles & SEES_ALL and details.one_details(connection, number):
        return
    _check_own(connection, call, number)


def _check_own(connection: sa.Connection, call: Call, number: int) -> None:
    """Somebody else's are not found (decision 21)."""
    row = details.one_details(connection, number)
    caller = call.caller
    if row is None or caller is None or row.offerer_id not in references.offerers_of(connection, caller.account_id):
        raise NoSuchBankDetails(f"there are no bank details {number}")
