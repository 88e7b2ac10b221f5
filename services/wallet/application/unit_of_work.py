"""The wallets of one transaction: locked and loaded together, decided on in memory, written together."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from services.wallet.domain.wallet import Attempt, Key, Wallet
from services.wallet.storage import balances, entries
from shared.eventstore import Transaction


class UnitOfWork:
    """The wallets and attempts that a transaction has loaded, each once (an identity map).

    Their rows are locked until the commit; one flush writes all changed rows.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._wallets: dict[int, Wallet] = {}
        self._loaded_people: set[int] = set()
        self._attempts: dict[Key, tuple[int, Attempt]] = {}
        self._owners: dict[Key, int] = {}
        self._loaded_keys: set[Key] = set()
        self._unwritten: dict[int, list[Any]] = {}

    @classmethod
    def of(cls, tx: Transaction) -> UnitOfWork:
        """The one of the transaction: each message of a batch sees the decisions of earlier ones."""
        work = tx.locals.get(cls)
        if work is None:
            work = tx.locals[cls] = cls(tx)
        assert isinstance(work, cls)
        return work

    def load(self, people: Collection[int], keys: Collection[Key] = ()) -> None:
        """Locks and loads people's wallets and these attempts, unless they are loaded.

        A transaction loads all its people in one call: two transactions that lock the same wallets one by one in
        different orders deadlock. Raises InconsistentMoney when a row does not add up.
        """
        new_people, new_keys = set(people) - self._loaded_people, set(keys) - self._loaded_keys
        if not new_people and not new_keys:
            return
        self._loaded_people |= new_people
        self._loaded_keys |= new_keys
        wallets, attempts = balances.load(self._tx.connection, new_people, new_keys, self._tx.now)
        for wallet in wallets:
            self._wallets[wallet.person_id] = wallet
            wallet.attempts = self._attempts_of(wallet.person_id)
        for key, owner, attempt in attempts:
            self._attempts[key], self._owners[key] = (owner, attempt), owner
            if owner in self._wallets:
                self._wallets[owner].attempts[key] = attempt

    def find(self, person_id: int) -> Wallet | None:
        return self._wallets.get(person_id)

    def find_or_open(self, person_id: int, at: datetime) -> Wallet:
        if person_id not in self._wallets:
            self._wallets[person_id] = Wallet.open(at, person_id)
        return self._wallets[person_id]

    def is_of_another(self, key: Key, person_id: int) -> bool:
        """Whether the attempt belongs to another person. A new attempt belongs to this one from now on."""
        return self._owners.setdefault(key, person_id) != person_id

    def save(self, *wallets: Wallet) -> None:
        """Collects the events of wallets, with the present cause; the flush writes the rows of all.

        Raises InconsistentMoney before it collects any of a wallet.
        """
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
        balances.write_balances(self._tx.connection, changes)
        entries.write_entries(self._tx.connection, changes)

    def _attempts_of(self, person_id: int) -> dict[Key, Attempt]:
        return {key: attempt for key, (owner, attempt) in self._attempts.items() if owner == person_id}
