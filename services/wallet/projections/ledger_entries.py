"""The lines of people's ledgers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from services.wallet.domain.entries import KINDS, entries
from services.wallet.storage.entries import entry_row, last_balances
from services.wallet.storage.tables import ledger_entries
from shared.eventstore import sql
from shared.projections import Projection, Rows, on


class _Entries(Rows):
    """Ledger lines, each with the balance after it."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self.events: dict[int, list[Any]] = defaultdict(list)

    def write(self) -> None:
        balances = last_balances(self.connection, self.events)
        lines = [line for person, events in self.events.items() for line in entries(events, balances[person])]
        sql.insert_many(self.connection, ledger_entries, [entry_row(line) for line in lines])


class LedgerEntries(Projection):
    """What happened to each person's money, line by line, and what was left after each line?"""

    name = "ledger-entries"
    version = 1
    tables = (ledger_entries,)
    rows = _Entries

    @on(*KINDS, live=False)
    def written(self, rows: _Entries, event: Any) -> None:
        rows.events[event.person_id].append(event)
