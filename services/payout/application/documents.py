"""Documents that prove bank details: actors add them until staff have decided, staff look at them."""

from __future__ import annotations

import base64
from typing import Any

from services.payout import answers
from services.payout.application import access
from services.payout.domain.bank_details import BankDetails
from services.payout.domain.documents import document
from services.payout.refusals import NoSuchDocument
from services.payout.storage import documents
from shared.contracts.calls import payout as calls
from shared.eventstore import Connection, Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.identifiers import stream_id


def add(tx: Transaction, call: Call[calls.AddDocument]) -> dict[str, Any]:
    """The document. The same file of the same kind is added once.

    Raises NoSuchBankDetails, OffererClosed, BankDetailsDecided, BadDocument, TooManyDocuments.
    """
    number = call.body.bank_details_id
    access.check_own_details(tx.connection, call, number)
    added = document(call.body.kind, call.body.content)
    details = tx.get(BankDetails, stream_id("bank-details", number))
    assert details is not None, "a row of bank details has its stream"
    document_id = details.known_document(added)
    if document_id is None:
        access.check_open(tx.connection, details.offerer_id)
        document_id = tx.next_number("document")
        details.add_document(tx.now, document_id, added)
        documents.keep_content(tx.connection, added.sha256, call.body.content)
        tx.save(details)
        tx.flush()
    row = documents.one_document(tx.connection, number, document_id)
    assert row is not None, "the flush has written it, now or earlier"
    return answers.document(row)


def listed(connection: Connection, call: Call[calls.Documents]) -> dict[str, Any]:
    """The documents of bank details, without the bytes. Raises NoSuchBankDetails."""
    number = call.body.bank_details_id
    access.check_seen_details(connection, call, number)
    rows = documents.of_details(connection, [number]).get(number, [])
    return {"items": [answers.document(row) for row in rows], "nextCursor": None}


def one_with_content(connection: Connection, call: Call[calls.Document]) -> dict[str, Any]:
    """One document with its ``content`` in base64. Raises NoSuchBankDetails, NoSuchDocument."""
    number = call.body.bank_details_id
    access.check_seen_details(connection, call, number)
    row = documents.one_document(connection, number, call.body.document_id)
    if row is None:
        raise NoSuchDocument("Ces coordonnées bancaires n’ont aucun document de ce numéro.")
    content = documents.content(connection, row.sha256)
    return answers.document(row) | {"content": base64.b64encode(content).decode("ascii")}
