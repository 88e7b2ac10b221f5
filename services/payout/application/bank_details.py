"""Where a structure, or one of its venues, is paid."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.payout.application import requests
from services.payout.application.documents import shape as document_shape
from services.payout.domain.bank_details import BankDetails, account
from services.payout.domain.refusals import BadRequest, NoSuchBankDetails, NoSuchOwner, OffererClosed
from services.payout.storage import details, documents, references
from shared.eventstore import Transaction
from shared.kernel.identifiers import stream_id
from shared.kernel.time import instant_text
from shared.messaging.calls import Call


def submit(tx: Transaction, call: Call) -> dict[str, Any]:
    """From somebody who works for the structure. Raises NoSuchOwner, OffererClosed, BadBankDetails."""
    offerer_id, venue_id = _owner(tx.connection, call)
    given = {name: requests.text(call.data, name, at_most=200) for name in ("iban", "bic", "holder")}
    number = tx.next_number("bank-details")
    submitted = BankDetails.submit(tx.now, number, offerer_id, venue_id, account(**given))
    tx.save(submitted)
    tx.flush()
    return _answer(tx.connection, number)


def accept(tx: Transaction, call: Call) -> dict[str, Any]:
    """By staff. Raises NoSuchBankDetails, BankDetailsDecided."""
    number = requests.number(call.data, "bankDetailsId")
    found = _found(tx, number)
    found.accept(tx.now)
    return _saved(tx, found, number)


def reject(tx: Transaction, call: Call) -> dict[str, Any]:
    """By staff, with a reason or none. Raises NoSuchBankDetails, BankDetailsDecided."""
    number = requests.number(call.data, "bankDetailsId")
    reason = requests.text(call.data, "reason") if call.data.get("reason") else ""
    found = _found(tx, number)
    found.reject(tx.now, reason)
    return _saved(tx, found, number)


def pending(connection: sa.Connection, call: Call) -> dict[str, Any]:
    """What staff have to decide, oldest first."""
    status = call.data.get("status") or "pending"
    if status not in ("pending", "accepted", "rejected"):
        raise BadRequest("status: pending, accepted or rejected", errors={"status": ["unknown"]})
    after, limit = requests.page(call.data)
    rows = details.with_status(connection, status, after or 0, limit)
    more = str(rows[-1].bank_details_id) if len(rows) == limit else None
    added = documents.of_details(connection, [row.bank_details_id for row in rows])
    items = [
        _shape(row) | {"documents": [document_shape(one) for one in added.get(row.bank_details_id, [])]} for row in rows
    ]
    return {"items": items, "nextCursor": more}


def _owner(connection: sa.Connection, call: Call) -> tuple[int, int | None]:
    """(structure, venue or None), when the caller works for the structure."""
    venue_id = requests.optional_number(call.data, "venueId")
    if venue_id is None:
        offerer_id = requests.number(call.data, "offererId")
    else:
        venue = references.venue(connection, venue_id)
        if venue is None:
            raise NoSuchOwner(f"there is no venue {venue_id}")
        offerer_id = venue.offerer_id
    caller = call.caller
    if caller is None or offerer_id not in references.offerers_of(connection, caller.account_id):
        raise NoSuchOwner("there is no such structure or venue of yours")
    if references.is_closed(connection, offerer_id):
        raise OffererClosed("this structure was closed or rejected")
    return offerer_id, venue_id


def _found(tx: Transaction, number: int) -> BankDetails:
    found = tx.get(BankDetails, stream_id("bank-details", number))
    if found is None:
        raise NoSuchBankDetails(f"there are no bank details {number}")
    return found


def _saved(tx: Transaction, found: BankDetails, number: int) -> dict[str, Any]:
    tx.save(found)
    tx.flush()
    return _answer(tx.connection, number)


def _answer(connection: sa.Connection, number: int) -> dict[str, Any]:
    row = details.one_details(connection, number)
    assert row is not None, "written just now"
    return _shape(row)


def _shape(row: Any) -> dict[str, Any]:
    return {
        "bankDetailsId": row.bank_details_id,
        "offererId": row.offerer_id,
        "venueId": row.venue_id,
        "iban": row.iban,
        "bic": row.bic,
        "holder": row.holder,
        "status": row.status,
        "submittedAt": instant_text(row.submitted_at),
        "decidedAt": instant_text(row.decided_at),
        "reason": row.reason,
    }
