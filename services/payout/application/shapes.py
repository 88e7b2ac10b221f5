"""Batches as JSON, in the shapes of the HTTP surface."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.payout.domain.batches import Totals
from services.payout.domain.refusals import NoSuchBatch
from services.payout.storage import batches
from shared.eventstore import Connection
from shared.kernel.time import instant_text


def batch_by_id(connection: Connection, batch_id: int) -> dict[str, Any]:
    """Raises NoSuchBatch."""
    row = closed_batch(connection, batch_id)
    return batch(row, batches.answers(connection, [batch_id]).get(batch_id, set()))


def closed_batch(connection: Connection, batch_id: int) -> Any:
    """The row of a batch. Raises NoSuchBatch, also for one that is still being closed."""
    row = batches.by_id(connection, batch_id)
    if row is None or row.status != "closed":
        raise NoSuchBatch(f"there is no batch {batch_id}")
    assert row.total_cents == row.transferred_cents + row.carried_cents, f"batch {batch_id} does not add up"
    return row


def batch(row: Any, answers: set[str]) -> dict[str, Any]:
    """``status``: ``closed`` until the bank has answered for every transfer, then ``sent``, or ``rejected`` when it has
    executed none. ``answers``: the statuses of the transfers; a batch without transfers is ``sent``."""
    return _figures(row.label, row.cutoff, batches.totals(row)) | {
        "batchId": row.batch_id,
        "number": batches.number(row.batch_id),
        "status": _status(answers),
        "closedAt": instant_text(row.closed_at),
        "executionDate": row.execution_date.isoformat(),
        "checksum": row.checksum,
    }


def preview(label: str, cutoff: date, totals: Totals) -> dict[str, Any]:
    """The figures of a period's batch, which need not exist yet."""
    return {"batchId": None} | _figures(label, cutoff, totals)


def _status(answers: set[str]) -> str:
    if "pending" in answers:
        return "closed"
    return "rejected" if answers == {"rejected"} else "sent"


def _figures(label: str, cutoff: date, totals: Totals) -> dict[str, Any]:
    return {
        "label": label,
        "cutoff": cutoff.isoformat(),
        "lines": totals.lines,
        "transfers": totals.transfers,
        "totalCents": totals.total,
        "contributionCents": totals.contribution,
        "transferredCents": totals.transferred,
        "carriedCents": totals.carried,
        "withoutBankDetails": {
            "lines": totals.without_bank_details_lines,
            "totalCents": totals.without_bank_details_total,
        },
    }
