"""The lines of people's ledgers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from services.wallet.domain.entries import Entry, balance_before, entries
from services.wallet.storage.balances import Change
from services.wallet.storage.tables import ledger_entries
from shared.eventstore import sql
from shared.kernel.money import ZERO, Cents

_FIELDS = [field.name for field in fields(Entry)]


def write_entries(connection: sa.Connection, changes: Iterable[Change]) -> None:
    rows: list[dict[str, Any]] = []
    for wallet, events in changes:
        before = balance_before(events, wallet.balance)
        rows += [entry_row(entry) for entry in entries(events, before)]
    sql.insert_many(connection, ledger_entries, rows)


def entry_row(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _FIELDS}


_LAST_ENTRIES = (
    sa.select(ledger_entries.c.person_id, sa.func.max(ledger_entries.c.entry_id).label("entry_id"))
    .where(sql.among_given(ledger_entries.c.person_id, "people"))
    .group_by(ledger_entries.c.person_id)
    .subquery()
)
_LAST_BALANCES = sa.select(ledger_entries.c.person_id, ledger_entries.c.balance).join(
    _LAST_ENTRIES,
    (ledger_entries.c.person_id == _LAST_ENTRIES.c.person_id) & (ledger_entries.c.entry_id == _LAST_ENTRIES.c.entry_id),
)


def last_balances(connection: sa.Connection, people: Collection[int]) -> dict[int, Cents]:
    """Each person's balance after the last line; 0 without a line. Without people there is no query."""
    if not people:
        return {}
    found = connection.execute(_LAST_BALANCES, {"people": people})
    return dict.fromkeys(people, ZERO) | {row.person_id: Cents(row.balance) for row in found}


def entries_of(connection: sa.Connection, person_id: int, after: int, limit: int) -> list[Entry]:
    """The lines of a wallet after one, oldest first."""
    own = ledger_entries.c.person_id == person_id
    columns = [ledger_entries.c[name] for name in _FIELDS]
    query = sa.select(*columns).where(own, ledger_entries.c.entry_id > after).order_by(ledger_entries.c.entry_id)
    return [Entry(*row) for row in connection.execute(query.limit(limit))]
