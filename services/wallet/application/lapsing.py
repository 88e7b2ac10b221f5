"""The available money of a credit lapses when the credit expires."""

from __future__ import annotations

from datetime import datetime

from services.wallet.application.unit_of_work import UnitOfWork
from services.wallet.storage import balances
from shared.eventstore import Store, Transaction

BATCH = 200


class Lapsing:
    """The timer of expiries; ``balances.next_lapse`` gives its next instant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, now: datetime) -> None:
        """Lapses every credit that has expired by ``now``, as of its own expiry."""
        while self._store.run(lambda tx: self._batch(tx, now)) == BATCH:
            pass

    @staticmethod
    def _batch(tx: Transaction, now: datetime) -> int:
        people = balances.people_with_expired(tx.connection, now, BATCH)
        work = UnitOfWork.of(tx)
        work.load(people)
        for person in people:
            wallet = work.find(person)
            if wallet is not None:
                wallet.lapse(now)
        work.save_all()
        return len(people)
