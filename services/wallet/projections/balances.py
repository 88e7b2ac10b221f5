"""The balance rows of people."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from services.wallet.domain.wallet import Wallet
from services.wallet.storage.balances import read, write_balances
from services.wallet.storage.tables import attempts, credits, wallets
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
        loaded, known = read(self.connection, self.events, keys, events[0].timestamp)
        folded = {wallet.person_id: wallet for wallet in loaded}
        for key, person_id, attempt in known:
            folded[person_id].attempts[key] = attempt
        for event in events:
            folded[event.person_id] = event.mutate(folded.get(event.person_id))
        write_balances(self.connection, [(folded[person], found) for person, found in self.events.items()])


class Balances(Projection):
    """How much credit does each person have left, and what is the state of each attempt of a booking?"""

    name = "balances"
    version = 1
    tables = (wallets, credits, attempts)
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
