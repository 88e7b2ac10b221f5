"""What the bank answered: transfers sent and rejected."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from services.payout.application import requests, shapes
from services.payout.application.closing import Closing
from services.payout.domain.batches import PayoutBatch
from services.payout.domain.refusals import BadRequest, BatchNotClosed, NoSuchBatch
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Outcome
from shared.kernel.identifiers import stream_id
from shared.messaging.calls import Call

_MAX_TRANSFERS = 100_000


class BankAnswers:
    def __init__(self, store: Store, closing: Closing) -> None:
        self._store = store
        self._closing = closing

    def mark_sent(self, calls: Sequence[Call]) -> list[Outcome]:
        """All transfers that are not rejected, or those named; their bookings are reimbursed. Safe twice.

        Raises NoSuchBatch, BatchNotClosed, NoSuchTransfer, TransferAnswered.
        """
        answers = [self._store.decide(call, partial(self._send, call)) for call in calls]
        self._closing.announce_reimbursed()
        return answers

    def mark_rejected(self, tx: Transaction, call: Call) -> dict[str, Any]:
        """The lines of rejected transfers are paid again in the next batch. Safe twice."""
        batch = _batch(tx, call)
        for name, reason in _rejections(call.data):
            batch.reject(tx.now, name, reason)
        return _saved(tx, batch)

    @staticmethod
    def _send(call: Call, tx: Transaction) -> dict[str, Any]:
        batch = _batch(tx, call)
        named = call.data.get("transfers")
        for name in _names(named) if named is not None else _not_rejected(batch):
            batch.send(tx.now, name)
        return _saved(tx, batch)


def _batch(tx: Transaction, call: Call) -> PayoutBatch:
    number = requests.number(call.data, "batchId")
    batch = tx.get(PayoutBatch, stream_id("payout-batch", number))
    if batch is None:
        raise NoSuchBatch(f"there is no batch {number}")
    if not batch.closed:
        raise BatchNotClosed(f"batch {number} is still being closed")
    return batch


def _saved(tx: Transaction, batch: PayoutBatch) -> dict[str, Any]:
    tx.save(batch)
    tx.flush()
    return shapes.batch_by_id(tx.connection, batch.batch_id)


def _not_rejected(batch: PayoutBatch) -> list[str]:
    return [name for name, (_, status) in sorted(batch.transfers.items()) if status != "rejected"]


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_TRANSFERS or not all(isinstance(one, str) for one in value):
        raise BadRequest("transfers: a list of end-to-end ids", errors={"transfers": ["a list of end-to-end ids"]})
    return value


def _rejections(data: dict[str, Any]) -> list[tuple[str, str]]:
    given = data.get("transfers")
    if not isinstance(given, list) or not given or len(given) > _MAX_TRANSFERS:
        raise BadRequest("transfers: a list is needed", errors={"transfers": ["a list is needed"]})
    found = []
    for one in given:
        if not isinstance(one, dict) or set(one) != {"endToEndId", "reason"}:
            raise BadRequest("transfers: {endToEndId, reason} each", errors={"transfers": ["{endToEndId, reason}"]})
        found.append((requests.text(one, "endToEndId", at_most=35), requests.text(one, "reason", at_most=500)))
    return found
