"""Wallet's figures for reconciliation, folded from its log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from services.wallet.domain.credit import Place
from services.wallet.domain.wallet import Wallet
from services.wallet.storage import balances, log
from shared import green
from shared.contracts.calls import wallet as calls
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.time import paris_day

SOURCES = ("booking", "identity")
MAX_CONTRADICTIONS = 100
BATCH = 1000
"""Events after which other greenlets run."""


@dataclass
class Fold:
    """The log up to a position. ``days``: by civil day in Paris; money counts as spent on the day of its use.
    ``bookings``: how much each booking has spent."""

    wallets: dict[int, Wallet] = field(default_factory=dict)
    days: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bookings: Counter[int] = field(default_factory=Counter)

    def take(self, event: Any) -> None:
        self.wallets[event.person_id] = event.mutate(self.wallets.get(event.person_id))
        count = _COUNTS.get(type(event))
        if count is not None:
            count(self, event)

    def granted(self) -> int:
        """The sum of all grants, event by event."""
        return sum(sums["granted"] for sums in self.days.values())

    def contradictions(self) -> Iterator[dict[str, Any]]:
        """Credits whose events do not add up."""
        for person, wallet in self.wallets.items():
            for credit in wallet.credits.values():
                problem = credit.problem()
                if problem is not None:
                    yield {"stream": f"wallet {person}", "bookings": [], "detail": problem}

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

    def ledger(self, connection: Connection, call: Call[calls.Ledger]) -> dict[str, Any]:
        """The sums of wallet's log up to a position, how far the logs of its sources had been handled there, and the
        credits whose events contradict each other."""
        head = self._store.log.head(connection)
        position = head if call.body.position is None else min(head, call.body.position)
        fold = self._fold(connection, position)
        return {
            "position": position,
            "sources": {source: log.consumed(connection, source, position, head) for source in SOURCES},
            "days": {day: dict(sums) for day, sums in sorted(fold.days.items())},
            "totals": _totals(connection, fold),
            "bookings": {str(booking): spent for booking, spent in sorted(fold.bookings.items()) if spent},
            "contradictions": list(islice(fold.contradictions(), MAX_CONTRADICTIONS)),
        }

    def _fold(self, connection: Connection, position: int) -> Fold:
        fold = Fold()
        for number, (_, _, event) in enumerate(self._store.log.events(connection, until=position), start=1):
            fold.take(event)
            if number % BATCH == 0:
                green.sleep(0)
        return fold


def _totals(connection: Connection, fold: Fold) -> dict[str, int]:
    """``granted`` by the events, and where the money is by the rows, which people are shown.

    The places of a folded credit add up by construction; a row was written on its own. People with events after the
    position of the fold have newer rows: their folded credits count instead.
    """
    folded_to = {person: wallet.version for person, wallet in fold.wallets.items()}
    versions = balances.versions(connection)
    newer = {person for person, version in versions.items() if version > folded_to.get(person, 0)}
    credits = [row for row in balances.all_credits(connection) if row.person_id not in newer]
    folded = [credit for person in newer & fold.wallets.keys() for credit in fold.wallets[person].credits.values()]
    places = {place.value: sum(getattr(credit, place.value) for credit in [*credits, *folded]) for place in Place}
    return {"granted": fold.granted(), **places}
