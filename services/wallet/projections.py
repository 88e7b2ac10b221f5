"""Read models of wallet. The use cases write the live rows in the transaction that decides; a second fold writes these.

Both write in bulk, by the same functions of ``storage``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from services.wallet import storage
from services.wallet.domain.entries import KINDS, entries
from services.wallet.domain.wallet import Wallet
from shared.eventstore import sql
from shared.projections import Projection, Rows, on


class _Wallets(Rows):
    """The events of a flush, person by person, to be folded into their wallets."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self.events: dict[int, list[Any]] = defaultdict(list)

    def write(self) -> None:
        if not self.events:
            return
        events = [event for found in self.events.values() for event in found]
        keys = {(event.booking_id, event.attempt) for event in events if hasattr(event, "booking_id")}
        loaded, known = storage.read(self.connection, self.events, keys, events[0].timestamp)
        wallets = {wallet.person_id: wallet for wallet in loaded}
        for key, person_id, attempt in known:
            wallets[person_id].attempts[key] = attempt
        for event in events:
            wallets[event.person_id] = event.mutate(wallets.get(event.person_id))
        storage.write_balances(self.connection, [(wallets[person], found) for person, found in self.events.items()])


class Balances(Projection):
    """How much credit does each person have left, and how much does each attempt of a booking hold?"""

    name = "balances"
    version = 1
    tables = (storage.wallets, storage.credits, storage.attempts)
    rows = _Wallets

    @on(
        Wallet.Opened,
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
    def moved(self, rows: _Wallets, event: Any) -> None:
        rows.events[event.person_id].append(event)


class _Entries(Rows):
    """Ledger lines, each with the balance after it."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self.events: dict[int, list[Any]] = defaultdict(list)

    def write(self) -> None:
        balances = storage.last_balances(self.connection, self.events)
        lines = [line for person, events in self.events.items() for line in entries(events, balances[person])]
        sql.insert_many(self.connection, storage.ledger_entries, [storage.entry_row(line) for line in lines])


class LedgerEntries(Projection):
    """What happened to each person's money, line by line, and what was left after each line?"""

    name = "ledger-entries"
    version = 1
    tables = (storage.ledger_entries,)
    rows = _Entries

    @on(*KINDS, live=False)
    def written(self, rows: _Entries, event: Any) -> None:
        rows.events[event.person_id].append(event)
