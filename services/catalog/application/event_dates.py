"""The timer of event dates: ``EventDateElapsed``, once per stock and start, as of the start."""

from __future__ import annotations

from datetime import datetime

from services.catalog.domain.stocks import Stock
from services.catalog.storage import stocks
from shared.eventstore import Store, Transaction
from shared.kernel.identifiers import stream_id

BATCH = 200


class EventDates:
    """Records every start that has come, in the order of the starts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run_due(self, now: datetime) -> None:
        """Records all starts up to ``now``, in transactions of at most ``BATCH`` stocks."""
        while self._store.run(lambda tx: self._run_batch(tx, now)) == BATCH:
            pass

    @staticmethod
    def _run_batch(tx: Transaction, now: datetime) -> int:
        streams = [stream_id("stock", stock_id) for stock_id in stocks.due_starts(tx.connection, now, BATCH)]
        loaded = tx.get_many(Stock, streams)
        for stream in streams:
            loaded[stream].elapse()
            tx.save(loaded[stream])
        return len(streams)
