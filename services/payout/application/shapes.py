"""Batches as JSON: the shapes of the HTTP surface."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.payout.domain.refusals import NoSuchBatch
from services.payout.storage import batches
from shared.kernel.time import instant_text


def batch_by_id(connection: sa.Connection, batch_id: int) -> dict[str, Any]:
    row = closed_batch(connection, batch_id)
    return batch(row, batches.answers(connection, [batch_id]).get(batch_id, set()))


def closed_batch(connection: sa.Connection, batch_id: int) -> sa.Row[Any]:
    """Raises NoSuchBatch, also for one whose close is under way."""
    row = batches.by_id(connection, batch_id)
    if row is None or row.status != "closed":
        raise NoSuchBatch(f"there is no batch {batch_id}")
    check(row)
    return row


def batch(row: Any, answers: set[str]) -> dict[str, Any]:
    """``status``: ``closed`` while the bank has transfers to answer for, then ``sent``, or ``rejected`` when it has
    executed none of them. ``answers``: the statuses of the transfers; without any there is nothing to wait for."""
    return _figures(row) | {
        "batchId": row.batch_id,
        "number": batches.number(row.batch_id),
        "status": _status(answers),
        "closedAt": instant_text(row.closed_at),
        "executionDate": row.execution_date.isoformat(),
        "checksum": row.checksum,
    }


def _status(answers: set[str]) -> str:
    if "pending" in answers:
        return "closed"
    return "rejected" if answers == {"rejected"} else "sent"


def preview_of(row: Any) -> dict[str, Any]:
    """A closed batch as the answer to what closing its period would do."""
    return {"batchId": None} | _figures(row)


def check(row: Any) -> None:
    """The identity of a batch, again where it is read."""
    assert row.total_cents == row.transferred_cents + row.carried_cents, f"batch {row.batch_id} does not add up"


def _figures(row: Any) -> dict[str, Any]:
    return {
        "label": row.label,
        "cutoff": row.cutoff.isoformat(),
        "lines": row.lines,
        "transfers": row.transfers,
        "totalCents": row.total_cents,
        "contributionCents": row.contribution_cents,
        "transferredCents": row.transferred_cents,
        "carriedCents": row.carried_cents,
        "withoutBankDetails": {
            "lines": row.without_bank_details_lines,
            "totalCents": row.without_bank_details_cents,
        },
    }
