"""The wallets of one transaction: loaded and locked together, written together."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from services.wallet import storage
from services.wallet.domain.wallet import Key, Wallet
from shared.eventstore import Transaction


class Book:
    """Wallets of some people, with the attempts that are to be decided on. Their rows stay locked until the commit."""

    def __init__(self, tx: Transaction, people: Collection[int], keys: Collection[Key] = ()) -> None:
        self._tx = tx
        self._wallets, self._owners = storage.load(tx.connection, people, keys, tx.now)

    def find(self, person_id: int) -> Wallet | None:
        return self._wallets.get(person_id)

    def open(self, person_id: int, at: datetime) -> Wallet:
        """The person's wallet; a new one when there is none."""
        if person_id not in self._wallets:
            self._wallets[person_id] = Wallet.open(at, person_id)
        return self._wallets[person_id]

    def is_of_another(self, key: Key, person_id: int) -> bool:
        return self._owners.setdefault(key, person_id) != person_id

    def save(self) -> None:
        """Rows and events of everything that was decided. Raises MoneyAstray before anything is written."""
        changes: list[storage.Change] = []
        for wallet in self._wallets.values():
            if wallet.pending_events:
                wallet.check()
                changes.append((wallet, list(wallet.pending_events)))
        storage.write_balances(self._tx.connection, changes)
        storage.write_entries(self._tx.connection, changes)
        self._tx.save(*(wallet for wallet, _ in changes))
