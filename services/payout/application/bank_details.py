"""The accounts on which structures and their venues are paid: submitted by actors, decided by staff."""

from __future__ import annotations

from typing import Any

from services.payout import answers
from services.payout.application import access
from services.payout.domain.bank_details import BankDetails, account
from services.payout.refusals import NoSuchBankDetails, NoSuchOwner
from services.payout.storage import bank_details, documents, references
from shared.contracts.calls import payout as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore import Connection, Transaction
from shared.eventstore.outcomes import Call
from shared.kernel.identifiers import stream_id


def submit(tx: Transaction, call: Call[calls.SubmitBankDetails]) -> dict[str, Any]:
    """The bank details, which await a decision. Raises NoSuchOwner, OffererClosed, BadBankDetails."""
    body = call.body
    offerer_id = _offerer_of(tx.connection, call)
    number = tx.next_number("bank-details")
    checked = account(body.iban, body.bic, body.holder)
    return _saved(tx, BankDetails.submit(tx.now, number, offerer_id, body.venue_id, checked))


def accept(tx: Transaction, call: Call[calls.AcceptBankDetails]) -> dict[str, Any]:
    """The bank details. Raises NoSuchBankDetails, BankDetailsDecided."""
    found = _found(tx, call.body.bank_details_id)
    found.accept(tx.now)
    return _saved(tx, found)


def reject(tx: Transaction, call: Call[calls.RejectBankDetails]) -> dict[str, Any]:
    """The bank details. Raises NoSuchBankDetails, BankDetailsDecided."""
    found = _found(tx, call.body.bank_details_id)
    found.reject(tx.now, call.body.reason)
    return _saved(tx, found)


def pending(connection: Connection, call: Call[calls.PendingBankDetails]) -> dict[str, Any]:
    """A page of the bank details that await a decision, oldest first, each with its documents."""
    limit = call.body.limit
    rows = bank_details.pending(connection, number_after(call.body.cursor) or 0, limit)
    added = documents.of_details(connection, [row.bank_details_id for row in rows])
    items = [
        answers.bank_details(row) | {"documents": [answers.document(one) for one in added.get(row.bank_details_id, [])]}
        for row in rows
    ]
    return {"items": items, "nextCursor": str(rows[-1].bank_details_id) if len(rows) == limit else None}


def _offerer_of(connection: Connection, call: Call[calls.SubmitBankDetails]) -> int:
    """The structure of the account's owner, when the caller works for it. Raises NoSuchOwner, OffererClosed."""
    offerer_id, venue_id = call.body.offerer_id, call.body.venue_id
    if venue_id is not None:
        venue = references.venue(connection, venue_id)
        offerer_id = None if venue is None else int(venue.offerer_id)
    if offerer_id is None or offerer_id not in access.own_offerers(connection, call):
        raise NoSuchOwner("Aucune structure et aucun lieu que vous puissiez consulter n’a ce numéro.")
    access.check_open(connection, offerer_id)
    return offerer_id


def _found(tx: Transaction, number: int) -> BankDetails:
    found = tx.get(BankDetails, stream_id("bank-details", number))
    if found is None:
        raise NoSuchBankDetails.of(number)
    return found


def _saved(tx: Transaction, details: BankDetails) -> dict[str, Any]:
    tx.save(details)
    tx.flush()
    row = bank_details.by_id(tx.connection, details.bank_details_id)
    assert row is not None, "the flush has written it"
    return answers.bank_details(row)
