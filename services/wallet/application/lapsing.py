"""What is left of a credit lapses when it expires."""

from __future__ import annotations

from datetime import datetime

from services.wallet import storage
from services.wallet.application.book import Book
from shared.eventstore import Store, Transaction

BATCH = 200


class Lapsing:
    """The timer of expiries: ``storage.next_lapse`` says when."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, now: datetime) -> None:
        """Lapses everything that has expired by ``now``, each as of its own expiry."""
        while self._store.run(lambda tx: self._batch(tx, now)) == BATCH:
            pass

    @staticmethod
    def _batch(tx: Transaction, now: datetime) -> int:
        people = storage.people_with_expired(tx.connection, now, BATCH)
        book = Book.of(tx)
        book.need(people)
        for person in people:
            wallet = book.find(person)
            if wallet is not None:
                wallet.lapse(now)
        book.save_all()
        return len(people)
