"""The calls of a batch, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.booking.domain.booking import Booking, Command
from services.booking.storage.saga import KnownKeys
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, KeyReused, Outcome, Repeated
from shared.kernel.identifiers import stream_id


@dataclass(slots=True)
class Batch:
    """The calls of a batch: by index their outcomes, or the bookings that wait for their credit."""

    calls: Sequence[Call[Any]]
    outcomes: dict[int, Outcome | Repeated] = field(default_factory=dict)
    open: dict[int, Booking] = field(default_factory=dict)

    def resume(self, tx: Transaction, keys: KnownKeys) -> None:
        """Gives a key with a stored outcome that outcome, and a key with an open request that request's booking."""
        indexes = {(call.owner(), call.key): index for index, call in enumerate(self.calls) if call.key is not None}
        self.outcomes |= {indexes[key]: Repeated(outcome) for key, outcome in keys.outcomes.items()}
        resumed = {}
        for row in keys.open:
            index = indexes[row.owner, row.key]
            if self.calls[index].fingerprint() == row.fingerprint:
                resumed[index] = stream_id("booking", row.booking_id)
            else:
                self.outcomes[index] = KeyReused()
        loaded = tx.get_many(Booking, resumed.values())
        self.open |= {index: loaded[stream] for index, stream in resumed.items()}

    def fresh(self) -> Iterator[tuple[int, Call[Any]]]:
        """The calls about which nothing is known yet, with their indexes."""
        for index, call in enumerate(self.calls):
            if index not in self.outcomes and index not in self.open:
                yield index, call

    def decide(self, tx: Transaction, opened: dict[int, Booking], decided: dict[int, Outcome]) -> None:
        """Stores the outcomes of this transaction; the other opened bookings wait for their credit."""
        self.open |= {index: booking for index, booking in opened.items() if index not in decided}
        self.outcomes |= decided
        tx.outcomes.store_many([(self.calls[index], outcome) for index, outcome in decided.items()])


def command_of(call: Call[Any]) -> Command:
    """The data stay as they travelled: the fingerprint of the stored outcome is made of them."""
    return Command(call.name, call.key, call.caller.account_id if call.caller else None, call.data)
