"""The bank's answers: transfers sent and rejected."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from services.payout.application import payouts
from services.payout.application.announcing import announce_reimbursed
from services.payout.domain.batches import PayoutBatch
from services.payout.refusals import BatchNotClosed, NoSuchBatch
from shared.contracts.calls import payout as calls
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.identifiers import stream_id


class BankAnswers:
    def __init__(self, store: Store) -> None:
        self._store = store

    def mark_sent(self, batch: Sequence[Call[calls.MarkSent]]) -> list[Outcome]:
        """The batch of each call, whose bookings are reimbursed. A repetition changes nothing.

        Refuses with NoSuchBatch, BatchNotClosed, NoSuchTransfer, TransferAnswered.
        """
        outcomes = [self._store.decide(call, partial(_send, call)) for call in batch]
        announce_reimbursed(self._store)
        return outcomes


def _send(call: Call[calls.MarkSent], tx: Transaction) -> dict[str, Any]:
    batch = _closed(tx, call.body.batch_id)
    named = call.body.transfers if call.body.given("transfers") else _not_rejected(batch)
    for end_to_end_id in named:
        batch.send(tx.now, end_to_end_id)
    return _saved(tx, batch)


def mark_rejected(tx: Transaction, call: Call[calls.MarkRejected]) -> dict[str, Any]:
    """The batch; its next one pays the lines of the rejected transfers. A repetition changes nothing.

    Raises NoSuchBatch, BatchNotClosed, NoSuchTransfer, TransferAnswered.
    """
    batch = _closed(tx, call.body.batch_id)
    for transfer in call.body.transfers:
        batch.reject(tx.now, transfer.end_to_end_id, transfer.reason)
    return _saved(tx, batch)


def _closed(tx: Transaction, batch_id: int) -> PayoutBatch:
    batch = tx.get(PayoutBatch, stream_id("payout-batch", batch_id))
    if batch is None:
        raise NoSuchBatch.of(batch_id)
    if not batch.closed:
        raise BatchNotClosed.of(batch_id)
    return batch


def _saved(tx: Transaction, batch: PayoutBatch) -> dict[str, Any]:
    tx.save(batch)
    tx.flush()
    return payouts.one(tx.connection, batch.batch_id)


def _not_rejected(batch: PayoutBatch) -> list[str]:
    return [name for name, (_, status) in sorted(batch.transfers.items()) if status != "rejected"]
