"""Everybody's balance at a position of the log: a file of the close of a period."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.wallet import answers
from services.wallet.domain.wallet import Wallet
from services.wallet.storage import balances, log
from shared.contracts.calls import wallet as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.identifiers import stream_id


class Balances:
    def __init__(self, store: Store) -> None:
        self._store = store

    def balances(self, connection: Connection, call: Call[calls.Balances]) -> dict[str, Any]:
        head, limit = self._store.log.head(connection), call.body.limit
        position = head if call.body.position is None else min(head, call.body.position)
        found = balances.people_after(connection, number_after(call.body.cursor) or 0, limit + 1)
        people = found[:limit]
        owned = balances.credits_of(connection, people)
        # selected after the rows: everybody whose rows are newer than the position is among these
        newer = log.people_with_events_after(connection, people, position)
        for wallet in self._wallets_at(connection, newer, position):
            owned[wallet.person_id] = list(wallet.credits.values())
            newer.remove(wallet.person_id)
        return {
            "position": position,
            "items": [
                answers.balance(person, owned[person]) for person in people if owned.get(person) and person not in newer
            ],
            "nextCursor": str(people[-1]) if len(found) > limit else None,
        }

    def _wallets_at(self, connection: Connection, people: Iterable[int], position: int) -> Iterable[Wallet]:
        """People's wallets, folded up to a position; none for people whose first event is later."""
        wallets: dict[Any, Wallet] = {}
        streams = [stream_id("wallet", person) for person in sorted(people)]
        for event in self._store.log.streams(connection, streams, until=position):
            wallets[event.originator_id] = event.mutate(wallets.get(event.originator_id))
        return wallets.values()
