"""What reconciliation asks of wallet: the whole log folded anew, and where the rows differ from it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from services.wallet import storage
from services.wallet.domain.credit import Place
from services.wallet.domain.entries import entries
from services.wallet.domain.wallet import Wallet
from shared.contracts.calls import wallet as calls
from shared.eventstore import Store
from shared.eventstore.outcomes import Call
from shared.kernel.money import ZERO, Cents
from shared.kernel.time import instant_text, paris_day

SOURCES = ("booking", "identity")
MAX_DIFFERENCES = 1000
BREATH = 1000
"""Events after which the other greenlets have their turn."""


@dataclass
class Fold:
    """The log up to a position. ``days`` by civil day in Paris; what is spent counts on the day it was used, less what
    was taken back of that day. ``bookings``: what each has spent, where it is not nothing."""

    wallets: dict[int, Wallet] = field(default_factory=dict)
    days: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bookings: Counter[int] = field(default_factory=Counter)
    lines: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    _balances: dict[int, Cents] = field(default_factory=dict)

    def take(self, event: Any) -> None:
        self.wallets[event.person_id] = event.mutate(self.wallets.get(event.person_id))
        count = _COUNTS.get(type(event))
        if count is not None:
            count(self, event)
        for entry in entries([event], self._balances.get(event.person_id, ZERO)):
            self._balances[event.person_id] = entry.balance
            self.lines[entry.person_id, entry.entry_id] = storage.entry_row(entry)

    def granted(self) -> int:
        """What the log granted, event by event."""
        return sum(sums["granted"] for sums in self.days.values())

    def _count(self, what: str, event: Any) -> None:
        self.days[paris_day(event.timestamp).isoformat()][what] += event.amount

    def _spent(self, event: Wallet.Spent) -> None:
        self._count("spent", event)
        self.bookings[event.booking_id] += event.amount

    def _unspent(self, event: Wallet.Unspent) -> None:
        self.days[paris_day(event.used_at).isoformat()]["spent"] -= event.amount
        self.bookings[event.booking_id] -= event.amount


_COUNTS: dict[type, Callable[[Fold, Any], None]] = {
    Wallet.Granted: lambda fold, event: fold._count("granted", event),
    Wallet.Recredited: lambda fold, event: fold._count("granted", event),
    Wallet.Reserved: lambda fold, event: fold._count("reserved", event),
    Wallet.Released: lambda fold, event: fold._count("released", event),
    Wallet.Lapsed: lambda fold, event: fold._count("lapsed", event),
    Wallet.Spent: Fold._spent,
    Wallet.Unspent: Fold._unspent,
}


class Ledger:
    def __init__(self, store: Store) -> None:
        self._store = store

    def ledger(self, connection: sa.Connection, call: Call[calls.Ledger]) -> dict[str, Any]:
        """``{position?}``, of wallet's own log → its sums, how far the others' logs had been handled, differences."""
        head = self._store.log.head(connection)
        position = head if call.body.position is None else min(head, call.body.position)
        fold = self._fold(connection, position)
        return {
            "position": position,
            "sources": {source: storage.consumed(connection, source, position, head) for source in SOURCES},
            "days": {day: dict(sums) for day, sums in sorted(fold.days.items())},
            "totals": _totals(connection, fold),
            "bookings": {str(booking): spent for booking, spent in sorted(fold.bookings.items()) if spent},
            "rowDifferences": _differences(connection, fold),
        }

    def _fold(self, connection: sa.Connection, position: int) -> Fold:
        fold = Fold()
        for number, (_, _, event) in enumerate(self._store.log.events(connection, until=position), start=1):
            fold.take(event)
            if number % BREATH == 0:
                time.sleep(0)
        return fold


def _totals(connection: sa.Connection, fold: Fold) -> dict[str, int]:
    """What the log granted, and where the rows, which people are shown, say that it is.

    A credit folded from the log has every cent somewhere by construction; its row was written on its own. Of people
    about whom more was recorded after the fold's position, the fold itself.
    """
    further = _further_on(connection, fold)
    rows = [row for row in connection.execute(sa.select(storage.credits)) if row.person_id not in further]
    wallets = [wallet for person, wallet in fold.wallets.items() if person in further]
    credits = [*rows, *(credit for wallet in wallets for credit in wallet.credits.values())]
    places = {place.value: sum(getattr(credit, place.value) for credit in credits) for place in Place}
    return {"granted": fold.granted(), **places}


def _differences(connection: sa.Connection, fold: Fold) -> list[dict[str, Any]]:
    """Rows that are not what the log folds to, and identities that it breaks. People about whom more was recorded after
    the fold's position are left out: their rows are further on."""
    found: list[dict[str, Any]] = []
    further = _further_on(connection, fold)
    for difference in _all_differences(connection, fold, further):
        found.append(difference)
        if len(found) == MAX_DIFFERENCES:
            break
    return found


def _further_on(connection: sa.Connection, fold: Fold) -> set[int]:
    rows = connection.execute(sa.select(storage.wallets))
    return {row.person_id for row in rows if row.version > _version(fold.wallets.get(row.person_id))}


def _version(wallet: Wallet | None) -> int:
    return 0 if wallet is None else wallet.version


def _all_differences(connection: sa.Connection, fold: Fold, further: set[int]) -> Iterator[dict[str, Any]]:
    wallets = {person: wallet for person, wallet in fold.wallets.items() if person not in further}
    yield from _broken(wallets)
    expected: list[tuple[sa.Table, dict[Any, dict[str, Any]]]] = [
        (storage.wallets, {(person,): _wallet_row(wallet) for person, wallet in wallets.items()}),
        (storage.credits, dict(_credit_rows(wallets.values()))),
        (storage.attempts, dict(_attempt_rows(wallets.values()))),
        (storage.ledger_entries, {key: line for key, line in fold.lines.items() if key[0] not in further}),
    ]
    for table, rows in expected:
        yield from _table_differences(connection, table, rows, further)


def _wallet_row(wallet: Wallet) -> dict[str, Any]:
    return {"person_id": wallet.person_id, "version": wallet.version}


def _credit_rows(wallets: Iterable[Wallet]) -> Iterator[tuple[Any, dict[str, Any]]]:
    for wallet in wallets:
        for credit in wallet.credits.values():
            yield (credit.credit_id,), storage.credit_row(wallet.person_id, credit)


def _attempt_rows(wallets: Iterable[Wallet]) -> Iterator[tuple[Any, dict[str, Any]]]:
    for wallet in wallets:
        for key, attempt in wallet.attempts.items():
            yield key, storage.attempt_row(wallet.person_id, key, attempt)


def _broken(wallets: dict[int, Wallet]) -> Iterator[dict[str, Any]]:
    for person, wallet in wallets.items():
        for credit in wallet.credits.values():
            problem = credit.problem()
            if problem is not None:
                yield {"table": "log", "key": [person, credit.credit_id], "row": None, "fold": problem}


def _table_differences(
    connection: sa.Connection, table: sa.Table, expected: dict[Any, dict[str, Any]], further: set[int]
) -> Iterator[dict[str, Any]]:
    missing = dict(expected)
    key_columns = [column.name for column in table.primary_key]
    for row in connection.execute(sa.select(table)).mappings():
        if row["person_id"] in further:
            continue
        key = tuple(row[name] for name in key_columns)
        folded = missing.pop(key, None)
        if folded is None or dict(row) != folded:
            yield {"table": table.name, "key": list(key), "row": _shown(row), "fold": _shown(folded)}
    for key, folded in missing.items():
        yield {"table": table.name, "key": list(key), "row": None, "fold": _shown(folded)}


def _shown(row: Any) -> dict[str, Any] | None:
    if row is None:
        return None
    # the names of columns are a kind of text of SQLAlchemy's own
    return {str(name): instant_text(value) if hasattr(value, "tzinfo") else value for name, value in row.items()}
