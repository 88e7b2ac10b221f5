"""A person's credits, now or as of an instant: by what was recorded up to it, judged at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.wallet import answers
from services.wallet.application.access import check_visible
from services.wallet.domain.credit import Credit
from services.wallet.domain.wallet import Wallet
from services.wallet.storage import balances
from shared.contracts.calls import wallet as calls
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call
from shared.kernel.errors import DomainError
from shared.kernel.identifiers import stream_id


class Credits:
    def __init__(self, store: Store) -> None:
        self._store = store

    def credit(self, connection: Connection, batch: Sequence[Call[calls.Credit]]) -> list[dict[str, Any] | DomainError]:
        """One statement reads the present credits of all people in the batch."""
        live = {call.body.person_id for call in batch if call.body.as_of is None}
        owned, now = balances.credits_of(connection, sorted(live)), self._store.clock.now()
        return [self._credit(connection, call, owned, now) for call in batch]

    def _credit(
        self,
        connection: Connection,
        call: Call[calls.Credit],
        owned: Mapping[int, Sequence[Credit]],
        now: datetime,
    ) -> dict[str, Any] | DomainError:
        person_id, as_of = call.body.person_id, call.body.as_of
        try:
            check_visible(person_id, call.caller)
        except DomainError as refusal:
            return refusal
        if as_of is None:
            return answers.credits(owned.get(person_id, ()), now)
        wallet: Wallet | None = None
        for event in self._store.log.streams(connection, [stream_id("wallet", person_id)], recorded_until=as_of):
            wallet = event.mutate(wallet)
        return answers.credits(() if wallet is None else wallet.credits.values(), as_of)
