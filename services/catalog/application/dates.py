"""The passing of event dates: ``EventDateElapsed``, once per stock and start, at the start."""

from __future__ import annotations

from datetime import datetime

from services.catalog import storage
from services.catalog.domain.stocks import Stock
from shared.eventstore import Store, Transaction
from shared.kernel.identifiers import stream_id

AT_ONCE = 200


class EventDates:
    """Tells of every start that has come, in the order of the starts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tell_due(self, now: datetime) -> None:
        """Everything that is due by ``now``, in transactions of at most 200 stocks."""
        while self._store.run(lambda tx: self._tell_some(tx, now)) == AT_ONCE:
            pass

    @staticmethod
    def _tell_some(tx: Transaction, now: datetime) -> int:
        stock_ids = storage.due_starts(tx.connection, now, AT_ONCE)
        streams = [stream_id("stock", stock_id) for stock_id in stock_ids]
        stocks = tx.get_many(Stock, streams)
        for stream in streams:
            stocks[stream].elapse()
            tx.save(stocks[stream])
        return len(stock_ids)
