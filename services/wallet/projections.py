"""Read models of wallet. Live, the use cases write these rows in the transaction that decided; a rebuild folds them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.wallet import storage
from services.wallet.domain.entries import KINDS, entries
from services.wallet.domain.wallet import Wallet
from shared.eventstore import sql
from shared.projections import Projection, on


class Balances(Projection):
    """How much is left to whom, and what does each attempt of a booking hold?"""

    name = "balances"
    version = 1
    tables = (storage.wallets, storage.credits, storage.attempts)

    @on(Wallet.Opened, live=False)
    def opened(self, connection: sa.Connection, event: Any) -> None:
        storage.write_balances(connection, [(event.mutate(None), [event])])

    @on(
        Wallet.Granted,
        Wallet.Recredited,
        Wallet.Reserved,
        Wallet.Spent,
        Wallet.Unspent,
        Wallet.Released,
        Wallet.Refused,
        Wallet.Barred,
        Wallet.Lapsed,
        live=False,
    )
    def moved(self, connection: sa.Connection, event: Any) -> None:
        keys = {(event.booking_id, event.attempt)} if hasattr(event, "booking_id") else set()
        (wallet,), known = storage.load(connection, [event.person_id], keys, event.timestamp)
        wallet.attempts = {key: attempt for key, _, attempt in known}
        storage.write_balances(connection, [(event.mutate(wallet), [event])])


class LedgerEntries(Projection):
    """What happened to each person's money, line by line, and what was left after each?"""

    name = "ledger-entries"
    version = 1
    tables = (storage.ledger_entries,)

    @on(*KINDS, live=False)
    def written(self, connection: sa.Connection, event: Any) -> None:
        balance = storage.last_balance(connection, event.person_id)
        rows = [storage.entry_row(entry) for entry in entries([event], balance)]
        sql.insert_many(connection, storage.ledger_entries, rows)
