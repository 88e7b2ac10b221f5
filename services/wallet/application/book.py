"""The wallets of one transaction: loaded and locked together, decided on in memory, written together."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from services.wallet import storage
from services.wallet.domain.wallet import Attempt, Key, Wallet
from shared.eventstore import Transaction


class Book:
    """What a transaction knows of wallets. Their rows stay locked until the commit."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._wallets: dict[int, Wallet] = {}
        self._read: set[int] = set()
        self._attempts: dict[Key, tuple[int, Attempt]] = {}
        self._owners: dict[Key, int] = {}
        self._asked: set[Key] = set()
        self._unwritten: dict[int, list[Any]] = {}

    @classmethod
    def of(cls, tx: Transaction) -> Book:
        """The transaction's own: what one message decides, the next one sees."""
        book = tx.kept.get(cls)
        if book is None:
            book = tx.kept[cls] = cls(tx)
        assert isinstance(book, cls)
        return book

    def need(self, people: Collection[int], keys: Collection[Key] = ()) -> None:
        """Loads what is not loaded yet: the wallets of people and the attempts that are to be decided on.

        Everybody whom a transaction is about is best asked for at once: two transactions that lock the same wallets one
        by one, in two orders, wait for each other for ever. Raises MoneyAstray when a row does not add up.
        """
        unread, unknown = set(people) - self._read, set(keys) - self._asked
        if not unread and not unknown:
            return
        self._read |= unread
        self._asked |= unknown
        wallets, attempts = storage.load(self._tx.connection, unread, unknown, self._tx.now)
        for wallet in wallets:
            self._wallets[wallet.person_id] = wallet
            wallet.attempts = self._attempts_of(wallet.person_id)
        for key, owner, attempt in attempts:
            self._attempts[key], self._owners[key] = (owner, attempt), owner
            if owner in self._wallets:
                self._wallets[owner].attempts[key] = attempt

    def find(self, person_id: int) -> Wallet | None:
        return self._wallets.get(person_id)

    def open(self, person_id: int, at: datetime) -> Wallet:
        """The person's wallet; a new one when there is none."""
        if person_id not in self._wallets:
            self._wallets[person_id] = Wallet.open(at, person_id)
        return self._wallets[person_id]

    def is_of_another(self, key: Key, person_id: int) -> bool:
        """Whether the attempt is known as another person's; from now on it is this one's."""
        return self._owners.setdefault(key, person_id) != person_id

    def save(self, *wallets: Wallet) -> None:
        """Takes over what was decided: the events now, with their cause; their rows, all together, at the flush.

        Raises MoneyAstray before anything is taken over."""
        for wallet in wallets:
            if wallet.pending_events:
                wallet.check()
                if not self._unwritten:
                    self._tx.before_flush(self._write)
                self._unwritten.setdefault(wallet.person_id, []).extend(wallet.pending_events)
                self._tx.save(wallet)

    def save_all(self) -> None:
        self.save(*self._wallets.values())

    def _write(self) -> None:
        changes = [(self._wallets[person], events) for person, events in sorted(self._unwritten.items())]
        self._unwritten = {}
        storage.write_balances(self._tx.connection, changes)
        storage.write_entries(self._tx.connection, changes)

    def _attempts_of(self, person_id: int) -> dict[Key, Attempt]:
        return {key: attempt for key, (owner, attempt) in self._attempts.items() if owner == person_id}
